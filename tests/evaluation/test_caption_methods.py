import numpy as np
import pytest

from tests.evaluation.small_splits import CAPTIONS, load_split, make_captioner
from vsa_tf.decoding.beam_search import BeamSearch
from vsa_tf.decoding.sampling import GreedySearch
from vsa_tf.evaluate import CAPTION_METHODS
from vsa_tf.evaluation.caption_methods import CaptionMethods
from vsa_tf.evaluation.evaluation import EvaluationOptions
from vsa_tf.evaluation.generated_captions import GeneratedCaptions, caption_split
from vsa_tf.metrics.caption_similarity import CaptionSimilarity
from vsa_tf.models.captioning.settings import MRnnSettings
from vsa_tf.scoring.nearest_images import nearest_images

SETTINGS = MRnnSettings(max_caption_words=5)
DEV = (("A dog on grass.",), ("Two cats run.", "Two cats sit."), ("Cats sit on a dog.",))


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


def _methods(model, data, training, **options):
    options = {"num_hypotheses": 4, "num_neighbors": 2, **options}
    return CaptionMethods(
        model, data, SETTINGS, EvaluationOptions(load_training_data=lambda: training, **options)
    )


def _with_hypotheses(methods, texts, neighbors):
    """The methods over hand-made captions and neighbours."""
    tokens = [[text.split() for text in each] for each in texts]
    methods._hypotheses = GeneratedCaptions(texts, tokens, [], [])
    methods._neighbors = neighbors
    return methods


@pytest.mark.parametrize("method", CAPTION_METHODS)
def test_every_method_gives_each_image_a_caption(methods, data, method):
    captions = methods.captions(method)
    assert len(captions) == data.records.num_images
    if method.startswith("nearest"):
        assert set(captions) <= set(methods._training.records.captions)
    elif method != "greedy":
        assert all(caption in texts for caption, texts in zip(captions, methods.hypotheses.texts))


def test_greedy_and_beam_are_the_decoders(methods, model, data):
    greedy = caption_split(model, GreedySearch(max_length=5), data)
    assert methods.captions("greedy") == greedy.best
    beams = caption_split(model, BeamSearch(4, num_captions=4, max_length=5), data)
    assert methods.captions("beam") == beams.best
    assert [len(texts) for texts in methods.hypotheses.texts] == [4, 4, 4]


def test_beams_are_searched_once(model, data, training, monkeypatch):
    calls = []

    def search(model, decoder, data):
        calls.append(decoder)
        return GeneratedCaptions([["a dog"]] * 3, [[["a", "dog"]]] * 3, [], [])

    monkeypatch.setattr("vsa_tf.evaluation.caption_methods.caption_split", search)
    methods = _methods(model, data, training)
    for method in ("beam", "consensus_bleu", "consensus_cider", "oracle_bleu", "oracle_cider"):
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


def test_neighbors_may_be_near_in_the_models_refined_features(model, data, training):
    methods = _methods(model, data, training, neighbor_features="refined")
    kernel = np.array(model.V_I.kernel, np.float64)
    features = [
        1.7159 * np.tanh(each.records.read_region_features(range(n))[:, 0] @ kernel * 2 / 3)
        for each, n in ((data, 3), (training, 4))
    ]
    np.testing.assert_array_equal(methods.neighbors, nearest_images(*features, 2).images)
    np.testing.assert_allclose(methods._features(training), features[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", CAPTION_METHODS)
def test_images_without_captions_help_nobody_and_still_get_one(model, tmp_path_factory, method):
    captions = (CAPTIONS[0], (), *CAPTIONS[1:])
    training = load_split(tmp_path_factory.mktemp("records"), captions)
    data = load_split(
        tmp_path_factory.mktemp("records"), (DEV[0], (), *DEV[1:]), "dev", training.text
    )
    methods = _methods(model, data, training)
    assert len(methods.captions(method)) == 4
