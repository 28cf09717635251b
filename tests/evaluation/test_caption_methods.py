import dataclasses
import types

import keras
import numpy as np
import pytest
from keras import ops

from tests.evaluation.small_splits import CAPTIONS, load_split, make_captioner
from vsa_tf.data.caption_text import CaptionText
from vsa_tf.decoding.beam_search import BeamSearch
from vsa_tf.decoding.sampling import GreedySearch
from vsa_tf.evaluation.caption_methods import (
    CaptionMethods,
    GeneratedCaptions,
    caption_split,
    generate_captions,
)
from vsa_tf.evaluation.check_options import CHOICES
from vsa_tf.evaluation.evaluation import CaptionOptions, GivenSplits
from vsa_tf.metrics.caption_similarity import KINDS, CaptionSimilarity
from vsa_tf.models.captioning.captioner import CaptionGenerator
from vsa_tf.models.captioning.settings import MRnnSettings
from vsa_tf.scoring.nearest_images import NearestImages, nearest_images
from vsa_tf.text.vocabulary import SPECIAL_TOKENS, Vocabulary

SETTINGS = MRnnSettings(max_caption_words=5)
DEV = (("A dog on grass.",), ("Two cats run.", "Two cats sit."), ("Cats sit on a dog.",))
WORDS = ("red", "dog", "##s", "run")
VOCABULARY = Vocabulary((*SPECIAL_TOKENS, *WORDS), (0,) + (1,) * 7)
TEXT = CaptionText(VOCABULARY, "word")
RED, DOG, S, RUN = range(4, 8)
END = 2


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    return load_split(tmp_path_factory.mktemp("records"))


@pytest.fixture(scope="module")
def data(training, tmp_path_factory):
    return load_split(tmp_path_factory.mktemp("records"), DEV, "dev", training.text)


@pytest.fixture(scope="module")
def model(training):
    return make_captioner(training)


@pytest.fixture(scope="module")
def methods(model, data, training):
    return _methods(model, data, training)


def _methods(model, data, training, settings=SETTINGS, **options):
    options = CaptionOptions(num_hypotheses=4, num_neighbors=2, **options)
    return CaptionMethods(model, data, settings, options, GivenSplits(training))


def _with_hypotheses(methods, texts, neighbors):
    """The methods over hand-made captions and neighbours."""
    tokens = [[text.split() for text in each] for each in texts]
    methods._hypotheses = GeneratedCaptions(texts, tokens, [], [])
    methods._nearest = {"encoder": NearestImages(neighbors, None)}
    return methods


@pytest.mark.parametrize("method", CHOICES["caption_method"])
def test_every_method_gives_each_image_a_caption(methods, data, training, method):
    captions = methods.captions(method)
    assert len(captions) == data.records.num_images
    if method.startswith("nearest"):
        assert set(captions) <= set(training.records.captions)
    elif method != "greedy":
        assert all(caption in texts for caption, texts in zip(captions, methods.hypotheses.texts))


@pytest.mark.parametrize("per_word", [False, True])
def test_greedy_and_beam_are_the_decoders(model, data, training, per_word):
    settings = dataclasses.replace(SETTINGS, length_normalization=per_word)
    methods = _methods(model, data, training, settings)
    greedy = caption_split(CaptionGenerator(model, GreedySearch(max_length=5)), data)
    assert methods.captions("greedy") == greedy.best
    search = BeamSearch(4, num_captions=4, length_normalization=per_word, max_length=5)
    beams = caption_split(CaptionGenerator(model, search), data)
    assert methods.captions("beam") == beams.best
    assert [len(texts) for texts in methods.hypotheses.texts] == [4, 4, 4]


def test_beams_are_searched_once(model, data, training, monkeypatch):
    calls = []

    def search(generator, data, images, progress):
        calls.append(generator.decoder)
        return GeneratedCaptions([["a dog"]] * 3, [[["a", "dog"]]] * 3, [], [])

    monkeypatch.setattr("vsa_tf.evaluation.caption_methods.caption_split", search)
    methods = _methods(model, data, training)
    ways = ("consensus", "oracle", "nearest")
    of_kinds = {f"{way}_{kind}" for way in ways for kind in KINDS}
    assert of_kinds | {"greedy", "beam"} == set(CHOICES["caption_method"])
    for method in ("beam", *(name for name in of_kinds if not name.startswith("nearest"))):
        assert methods.captions(method) == ["a dog"] * 3
    assert len(calls) == 1


@pytest.mark.parametrize("kind", ["bleu", "cider"])
def test_the_oracle_is_at_least_as_good_as_the_best_beam(methods, data, training, kind):
    similarity = CaptionSimilarity(
        [training.text.tokenize(caption) for caption in training.records.captions],
        training.records.image_of_caption,
        kind,
    )
    worth = {}
    for method in ("beam", f"oracle_{kind}", f"consensus_{kind}"):
        worth[method] = [
            similarity.between(
                [data.text.tokenize(caption)], [data.text.tokenize(own) for own in true]
            ).mean()
            for caption, true in zip(methods.captions(method), DEV)
        ]
    for method in worth:
        assert (np.array(worth[f"oracle_{kind}"]) >= worth[method]).all()


@pytest.mark.parametrize("kind", ["bleu", "cider"])
def test_consensus_is_with_the_captions_of_the_neighbors(model, data, training, kind):
    texts = [["two cats sit", "a dog runs"]] * 3
    # Training images 0 and 2 have dogs, 1 and 3 cats.
    methods = _with_hypotheses(_methods(model, data, training), texts, [[0], [1], [3]])
    assert methods.captions(f"consensus_{kind}") == ["a dog runs", "two cats sit", "two cats sit"]


def test_consensus_by_f1_counts_what_both_have(model, data, training):
    # Of the captions that the neighbour has, four words or more: both share "cats sit on a".
    texts = [["two dogs sit here now", "cats sit on a dog"]] * 3
    methods = _with_hypotheses(_methods(model, data, training), texts, [[1]] * 3)
    assert methods.captions("consensus_f1") == ["cats sit on a dog"] * 3


@pytest.mark.parametrize("kind", ["bleu", "cider"])
def test_the_oracle_looks_at_the_true_captions(model, data, training, kind):
    texts = [["two cats sit", "a dog sits"]] * 3
    # Similar training images, all of cats, do not matter to it.
    methods = _with_hypotheses(_methods(model, data, training), texts, [[1], [1], [1]])
    assert methods.captions(f"oracle_{kind}")[:2] == ["a dog sits", "two cats sit"]


@pytest.mark.parametrize("kind", ["bleu", "cider"])
def test_nearest_is_a_caption_of_the_neighbors(model, data, training, kind):
    methods = _with_hypotheses(_methods(model, data, training), [], [[3], [1, 3], [0, 2]])
    captions = methods.captions(f"nearest_{kind}")
    assert captions[0] == "Cats sit."
    # It shares more with the others than "Two cats sit on a dog." does.
    assert captions[1] == "Two cats sit."
    assert captions[2] in CAPTIONS[0] + CAPTIONS[2]


def test_neighbors_are_near_in_the_encoders_features(model, data, training):
    features = [
        each.records.read_region_features(range(n))[:, 0] for each, n in ((data, 3), (training, 4))
    ]
    expected = nearest_images(*features, 2).images
    np.testing.assert_array_equal(_methods(model, data, training).neighbors, expected)
    # The records of both splits have the same features: each image finds itself first.
    assert expected[:, 0].tolist() == [0, 1, 2]


def test_neighbors_may_be_near_by_euclidean_distance(model, data, training):
    # Of image 0 the second training image is nearest by direction, the third by distance.
    queries, others = np.eye(1, 2, dtype=np.float32), np.float32([[9, 1], [9, 0], [1, 1], [0, 9]])
    found = {}
    for distance in ("cosine", "euclidean"):
        methods = _methods(model, data, training, neighbor_distance=distance)
        methods._features = lambda _, each, images: queries if each is data else others
        found[distance] = methods.neighbors[0].tolist()
    assert found == {"cosine": [1, 0], "euclidean": [2, 1]}


def test_neighbors_may_be_near_in_the_models_refined_features(model, data, training):
    methods = _methods(model, data, training, neighbor_features="refined")
    kernel = np.array(model.V_I.kernel, np.float64)
    features = [
        1.7159 * np.tanh(each.records.read_region_features(range(n))[:, 0] @ kernel * 2 / 3)
        for each, n in ((data, 3), (training, 4))
    ]
    np.testing.assert_array_equal(methods.neighbors, nearest_images(*features, 2).images)
    refined = methods._features("refined", training, np.arange(4))
    np.testing.assert_allclose(refined, features[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("has_regions", [True, False])
def test_neighbors_may_be_near_by_another_models_vectors_of_whole_photographs(
    model, data, training, has_regions
):
    class Other:
        def embed_images(self, batch):
            angle = np.float32([0, 2.2, 1, 3])[np.asarray(batch["image_id"])][:, None] / 2
            frames = np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
            # Of regions beside the frame nothing is asked.
            others = np.random.default_rng(0).normal(size=(*frames.shape, 5)).swapaxes(1, 2)
            return np.concatenate([frames[:, None], others], 1) if has_regions else frames

    pipelines = {id(each.records): each.pipeline for each in (data, training)}
    methods = _methods(model, data, training)
    by_encoder = methods.neighbors
    other = GivenSplits(training, neighbor_model=lambda records: (Other(), pipelines[id(records)]))
    methods = CaptionMethods(
        model, data, SETTINGS, CaptionOptions(num_neighbors=2, num_hypotheses=4), other
    )
    assert methods.neighbors.tolist() == [[0, 2], [1, 3], [2, 0]] != by_encoder.tolist()
    assert methods.of_images([2, 0]).neighbors.tolist() == [[2, 0], [0, 2]]


def test_generators_are_given_arrays_which_every_backend_takes(data):
    def predict_on_batch(batch):
        assert {type(value) for value in batch.values()} == {np.ndarray}
        rows = len(batch["image_id"])
        return np.full((rows, 1, 1), RED), np.zeros((rows, 1, 1)), np.zeros((rows, 1))

    generator = types.SimpleNamespace(predict_on_batch=predict_on_batch)
    assert len(caption_split(generator, data).texts) == data.records.num_images


def test_a_generator_computes_as_its_captioner_whatever_the_process_does(model, data):
    features = np.random.default_rng(0).normal(size=(3, 1, 4)).astype(np.float16)
    expected = CaptionGenerator(model, BeamSearch(beam_size=3, num_captions=3))
    expected = expected.predict_on_batch({"region_features": features})
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        generator = CaptionGenerator(model, BeamSearch(beam_size=3, num_captions=3))
        received = generator.predict_on_batch({"region_features": features})
    finally:
        keras.config.set_dtype_policy("float32")
    for one, other in zip(expected, received):
        np.testing.assert_array_equal(one, other)


def test_captions_that_were_written_elsewhere_are_ranked_by_peoples(data):
    texts = [["Grass.", "A dog on grass."], [], ["A dog.", "Cats sit on a dog.", "Cats."]]
    ranking = CaptionMethods.of_texts(data, texts).oracle("cider")
    assert [order[:1].tolist() for order in ranking.order] == [[1], [], [1]]
    assert ranking.scores[0][1] > ranking.scores[0][0] > 0


def test_a_few_images_have_what_they_have_among_all(methods, data):
    chosen = methods.of_images([2, 0])
    assert chosen.hypotheses.texts == [methods.hypotheses.texts[image] for image in (2, 0)]
    for features in ("refined", "encoder"):
        of_all = methods.nearest(features).images
        np.testing.assert_array_equal(chosen.nearest(features).images, of_all[[2, 0]])
    for method in ("greedy", "consensus_cider", "oracle_bleu", "nearest_cider"):
        of_all = methods.captions(method)
        assert chosen.captions(method) == [of_all[2], of_all[0]]
    # What was made of all images is as it was.
    assert len(methods.hypotheses.texts) == data.records.num_images


def test_consensus_is_the_order_of_all_hypotheses(model, data, training):
    texts = [["two cats sit", "a dog runs"]] * 3
    methods = _with_hypotheses(_methods(model, data, training), texts, [[0], [1], [3]])
    assert [order.tolist() for order in methods.consensus("cider").order] == [
        [1, 0],
        [0, 1],
        [0, 1],
    ]


@pytest.mark.parametrize(
    ("variant", "size", "features"),
    [("m-rnn", 4, ["refined", "encoder"]), ("m-rnn", 0, ["refined"]), ("rnn_base", 4, ["encoder"])],
)
def test_similar_images_are_told_by_what_there_is(variant, size, features):
    info = types.SimpleNamespace(region_feature_size=size)
    data = types.SimpleNamespace(records=types.SimpleNamespace(info=info, num_images=2))
    methods = CaptionMethods(None, data, MRnnSettings(variant=variant), CaptionOptions(), None)
    assert methods.features == features
    assert methods.of_images([1])._options.neighbor_features == features[-1]


@pytest.mark.parametrize("method", CHOICES["caption_method"])
def test_images_without_captions_help_nobody_and_still_get_one(model, tmp_path_factory, method):
    captions = (CAPTIONS[0], (), *CAPTIONS[1:])
    training = load_split(tmp_path_factory.mktemp("records"), captions)
    data = load_split(
        tmp_path_factory.mktemp("records"), (DEV[0], (), *DEV[1:]), "dev", training.text
    )
    methods = _methods(model, data, training)
    assert len(methods.captions(method)) == 4


class _Chain:
    """A captioner whose next token depends on the last one and on the image's number alone."""

    dtype_policy = "float32"

    def __init__(self, *tables):
        """Tables `[V, V]` of probabilities, one for each image."""
        with np.errstate(divide="ignore"):
            self.logits = np.log(np.float32(tables))

    def start(self, batch):
        return {"image": batch["image_id"], "first": ops.ones_like(batch["image_id"])}

    def step(self, token_ids, state):
        rows = state["image"] * 8 + token_ids
        return ops.take(self.logits.reshape(-1, 8), rows, axis=0), state


def _table(**following):
    """The tokens that may follow START and each word, in equal shares; anything else ends."""
    table = np.zeros((8, 8))
    table[:, END] = 1
    for name, tokens in following.items():
        row = {"start": 1, "red": RED, "dog": DOG, "s": S, "run": RUN}[name]
        table[row] = 0
        table[row, list(tokens)] = 1 / len(tokens)
    return table


def _batches(*image_ids):
    return [{"image_id": np.int32(ids)} for ids in image_ids]


def test_words_are_spelt_with_their_probabilities():
    first = _table(start=[RED], red=[DOG, RUN], dog=[END])
    second = _table(start=[RUN])
    captions = generate_captions(
        CaptionGenerator(_Chain(first, second), GreedySearch(max_length=5)), _batches([0, 1]), TEXT
    )
    assert captions.texts == [["red dog"], ["run"]]
    assert captions.tokens == [[["red", "dog"]], [["run"]]]
    # START red is certain, dog one of two, END certain.
    np.testing.assert_allclose(captions.token_log_probs[0][0], np.log([1, 0.5, 1]), atol=1e-6)
    np.testing.assert_allclose(captions.log_probs, np.log([[0.5], [1]]), atol=1e-6)
    assert captions.best == ["red dog", "run"]


def test_captions_are_best_first_and_only_as_many_as_there_are():
    table = _table()
    table[1] = table[RED] = 0
    table[1, [RED, DOG, END]] = 0.6, 0.3, 0.1
    table[RED, [RUN, DOG]] = 0.75, 0.25
    captions = generate_captions(
        CaptionGenerator(_Chain(table), BeamSearch(beam_size=7, num_captions=7, max_length=5)),
        _batches([0]),
        TEXT,
    )
    assert captions.texts == [["red run", "dog", "red dog", ""]]
    np.testing.assert_allclose(np.exp(captions.log_probs[0]), [0.45, 0.3, 0.15, 0.1], rtol=1e-5)
    assert captions.tokens[0] == [["red", "run"], ["dog"], ["red", "dog"], []]
    assert [len(log_probs) for log_probs in captions.token_log_probs[0]] == [3, 2, 3, 1]


def test_a_caption_cut_at_its_longest_has_no_end():
    captions = generate_captions(
        CaptionGenerator(_Chain(_table(start=[RED], red=[RED])), GreedySearch(max_length=3)),
        _batches([0]),
        TEXT,
    )
    assert captions.texts == [["red red red"]]
    assert len(captions.token_log_probs[0][0]) == 3


def test_batches_follow_one_another():
    tables = [_table(start=[word]) for word in (RED, DOG, RUN)]
    captions = generate_captions(
        CaptionGenerator(_Chain(*tables), GreedySearch(max_length=4)), _batches([0, 1], [2]), TEXT
    )
    assert captions.best == ["red", "dog", "run"]


def test_pieces_of_words_are_joined():
    text = CaptionText(VOCABULARY, "wordpiece")
    chain = _Chain(_table(start=[RED], red=[DOG], dog=[S], s=[RUN]))
    captions = generate_captions(
        CaptionGenerator(chain, GreedySearch(max_length=9)), _batches([0]), text
    )
    assert captions.texts == [["red dogs run"]]
    assert captions.tokens == [[["red", "dog", "##s", "run"]]]


def test_an_image_without_any_caption_has_an_empty_one():
    assert GeneratedCaptions([["a", "b"], []], [], [], []).best == ["a", ""]


def test_every_image_of_a_split_is_captioned_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr("vsa_tf.evaluation.caption_methods._BATCH_SIZE", 3)
    data = load_split(tmp_path)
    model, decoder = make_captioner(data), GreedySearch(max_length=4)
    captions = caption_split(CaptionGenerator(model, decoder), data)
    features = data.records.read_region_features(range(4))[:, :1]
    one_by_one = generate_captions(
        CaptionGenerator(model, decoder),
        [{"region_features": feature[None]} for feature in features],
        data.text,
    )
    assert captions.texts == one_by_one.texts
    assert len(set(captions.best)) > 1
    np.testing.assert_allclose(captions.log_probs, one_by_one.log_probs, rtol=1e-4)
    assert not {"<unk>", "<start>", "<pad>"} & set(" ".join(captions.best).split())
