import numpy as np
from keras import ops

from tests.evaluation.small_splits import load_split, make_captioner
from vsa_tf.data.caption_text import CaptionText
from vsa_tf.decoding.beam_search import BeamSearch
from vsa_tf.decoding.sampling import GreedySearch
from vsa_tf.evaluation.generated_captions import GeneratedCaptions, caption_split, generate_captions
from vsa_tf.models.captioning.captioner import CaptionGenerator
from vsa_tf.text.vocabulary import SPECIAL_TOKENS, Vocabulary

WORDS = ("red", "dog", "##s", "run")
VOCABULARY = Vocabulary((*SPECIAL_TOKENS, *WORDS), (0,) + (1,) * 7)
TEXT = CaptionText(VOCABULARY, "word")
RED, DOG, S, RUN = range(4, 8)
END = 2


class _Chain:
    """A captioner whose next token depends on the last one and on the image's number alone."""

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
    monkeypatch.setattr("vsa_tf.evaluation.generated_captions._BATCH_SIZE", 3)
    data = load_split(tmp_path)
    model, decoder = make_captioner(data), GreedySearch(max_length=4)
    captions = caption_split(model, decoder, data)
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
