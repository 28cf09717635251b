"""The captions of trained models, and their probabilities, against enumeration."""

import itertools
import types

import numpy as np
import pytest
import tensorflow as tf

from tests.inference.answer_batches import (
    BALL,
    DOG,
    END,
    PAD,
    PLURAL,
    RED,
    RUN,
    TOKENS,
    UNK,
    joined,
    questions,
    rows_alone,
    with_short_rows,
)
from tests.models.captioning.small_captioners import log_softmax, make_batch, make_captioner
from vsa_tf.data.caption_text import CaptionText
from vsa_tf.decoding.beam_search import BeamSearch
from vsa_tf.decoding.decoder import Hypotheses
from vsa_tf.inference.caption_answers import CaptionAnswers
from vsa_tf.inference.exported_model import as_arrays
from vsa_tf.inference.local_model import SentenceReader
from vsa_tf.models.layers.image_network import ConvolutionalEncoder, CropNetwork
from vsa_tf.text.vocabulary import Vocabulary


def _captions(model, row, max_length, prefix=()):
    """All captions of one row, best first: `(token ids, log probability of each)`."""
    words = range(RED, len(TOKENS))
    captions = [
        (*prefix, *caption)
        for length in range(max_length - len(prefix) + 1)
        for caption in itertools.product(words, repeat=length)
    ]
    token_ids = np.zeros((len(captions), max_length), "int32")
    for index, caption in enumerate(captions):
        token_ids[index, : len(caption)] = caption
    batch = {name: np.repeat(value, len(captions), axis=0) for name, value in row.items()}
    scored = []
    for caption, log_probs in zip(captions, log_softmax(model({**batch, "token_ids": token_ids}))):
        tokens = (*caption, END)[:max_length]
        scored.append((tokens, [log_probs[t, token] for t, token in enumerate(tokens)]))
    return sorted(scored, key=lambda caption: -sum(caption[1]))


def _check_captions(found, captions, max_length, prefix=()):
    """Asserts the answer of one image or region, given all its captions, best first.

    A prefix is of the words that the captions start with, as they were given.
    """
    for n in range(len(found["captions"])):
        # Of captions that do not exist there is nothing, and that is impossible.
        token_ids, log_probs = captions[n] if n < len(captions) else ((), [])
        written = [TOKENS[token] for token in token_ids if token != END]
        total = sum(log_probs) if n < len(captions) else -np.inf
        log_probs = log_probs + [0] * (max_length - len(log_probs))
        assert found["captions"][n] == joined([*prefix, *written[len(prefix) :]])
        assert found["tokens"][n].tolist() == written + [""] * (max_length - len(written))
        close = {"rtol": 1e-4, "atol": 1e-5}
        np.testing.assert_allclose(found["token_log_probs"][n], log_probs, **close)
        np.testing.assert_allclose(found["log_prob"][n], total, **close)


NAMES = {"captions", "log_prob", "tokens", "token_log_probs"}
# Whether regions are captioned, in their frames, from pixels.
CASES = {
    "images": (False, False, False),
    "regions": (True, False, False),
    "regions in frames": (True, True, False),
    "regions of pixels": (True, False, True),
    "regions of pixels in frames": (True, True, True),
}


def _images(with_regions, of_pixels):
    """Returns a batch of three images, of three, one and two regions."""
    rng = np.random.default_rng(0)
    batch = make_batch(size=3, num_regions=3 if with_regions else 1)
    batch["region_mask"][1, 1:] = batch["region_mask"][2, 2:] = False
    corners = np.sort(rng.random((*batch["region_mask"].shape, 2, 2)), axis=2)
    batch["region_boxes"] = np.float32(corners.reshape(*batch["region_mask"].shape, 4))
    if of_pixels:
        del batch["region_features"]
        batch["images"] = rng.integers(0, 256, (3, 10, 10, 3), "uint8")
    return questions(batch)[0]


def _region(images, image, regions):
    """Returns a batch of one row, which has these regions of an image."""
    return {
        name: value[[image]] if name == "images" else value[[image]][:, regions]
        for name, value in images.items()
    }


# A beam as wide as all partial captions finds what enumeration finds: with five words 1 + 5 + 25
# captions of at most two tokens, and six of one, of which eight are asked for.
@pytest.mark.parametrize(
    "case, max_length, beam_size, num_captions",
    [("regions", 1, 8, 8), *((case, 2, 31, 4) for case in CASES)],
)
def test_captions_are_the_best_of_all(answer, case, max_length, beam_size, num_captions):
    of_regions, whole_frame, of_pixels = CASES[case]
    images = _images(of_regions, of_pixels)
    rows = {
        (image, region): _region(images, image, [region, 0] if whole_frame else [region])
        for image, region in np.argwhere(images["region_mask"]).tolist()
    }
    model = make_captioner(
        "dvsa_rnn gru",
        {**rows[0, 0], "token_ids": np.int32([[RED]])},
        image_network=CropNetwork(ConvolutionalEncoder((4,)), size=8) if of_pixels else None,
    )
    found = answer(
        "captions",
        model,
        "caption",
        images,
        decoder=BeamSearch(beam_size, num_captions, max_length=max_length),
        of_regions=of_regions,
        whole_frame=whole_frame,
    )
    assert found["captions"].shape[:-1] == ((3, 3) if of_regions else (3,))
    assert found["captions"].shape[-1] == num_captions
    for (image, region), row in rows.items():
        at = (image, region) if of_regions else image
        own = {name: found[name][at] for name in NAMES}
        _check_captions(own, _captions(model, row, max_length), max_length)
    if of_regions:
        np.testing.assert_array_equal(found.pop("boxes"), images["region_boxes"])
        assert found.pop("num_regions").tolist() == [3, 1, 2]
        for value in found.values():
            assert not value[1, 1:].any() and not value[2, 2:].any()
    assert found.keys() == NAMES


@pytest.mark.parametrize("name", ["m_rnn attention", "dvsa_rnn mean"])
def test_captions_by_the_regions_of_an_image_are_the_best_of_all(answer, name):
    images, model = _images(with_regions=True, of_pixels=False), make_captioner(name)
    found = answer("captions", model, "caption", images, decoder=BeamSearch(31, 4, max_length=2))
    for image in range(3):
        own = {name: found[name][image] for name in NAMES}
        _check_captions(own, _captions(model, _region(images, image, [0, 1, 2]), 2), 2)


@pytest.mark.parametrize("of_regions", [False, True])
def test_captions_of_a_prefix_are_the_best_of_all_that_start_with_it(answer, of_regions):
    # The model knows no zebra: it reads <unk>, and the text has the word that was given. After the
    # two words there are 1 + 5 + 25 captions of at most two more tokens.
    images = _images(of_regions, of_pixels=False)
    model = make_captioner("dvsa_rnn gru")
    found = answer(
        "captions",
        model,
        "caption",
        images,
        text=CaptionText(Vocabulary(TOKENS, [0] * len(TOKENS)), "word"),
        decoder=BeamSearch(31, 4, max_length=4),
        prefix="Red zebra,",
        of_regions=of_regions,
    )
    for image, region in np.argwhere(images["region_mask"]).tolist():
        own = {name: found[name][(image, region) if of_regions else image] for name in NAMES}
        captions = _captions(model, _region(images, image, [region]), 4, prefix=(RED, UNK))
        _check_captions(own, captions, 4, prefix=("red", "zebra"))
    if of_regions:
        assert not found["captions"][1, 1:].any() and not found["captions"][2, 2:].any()


@pytest.mark.parametrize("of_regions", [False, True])
def test_each_row_has_the_captions_that_it_asks_for(answer, request, of_regions):
    images, model = _images(of_regions, of_pixels=False), make_captioner("dvsa_rnn gru")
    text = CaptionText(Vocabulary(TOKENS, [0] * len(TOKENS)), "word")
    own = {"text": text, "of_regions": of_regions, "prefix": "dog"}
    answers = CaptionAnswers(
        model,
        decoder=BeamSearch(3, 2, max_length=4),
        wide_search=BeamSearch(6, 6, max_length=4),
        beam_size=3,
        num_captions=2,
        **own,
    )
    # The first row leaves all open.
    asked = [(3, 2, "dog"), (4, 3, "red zebra"), (1, 1, "ball")]
    beams, captions = tf.constant([0, 4, 1]), tf.constant([0, 3, 0])
    prefixes = SentenceReader(text, 4).prefixes(["", *(prefix for _, _, prefix in asked[1:])])
    prefixes = {name: tf.constant(prefixes[name]) for name in ("prefix_ids", "prefix_tokens")}
    ask = answers.caption_with
    if "graph" in request.node.name:
        ask = tf.function(ask, autograph=False)
    found = as_arrays(ask(images, beams, captions, prefixes))
    for row, (num_beams, num_captions, prefix) in enumerate(asked):
        decoder = BeamSearch(num_beams, num_captions, max_length=4)
        alone = answer(
            "captions", model, "caption", images, decoder=decoder, **{**own, "prefix": prefix}
        )
        assert found.keys() == alone.keys()
        for name in NAMES:
            values = found[name][row]
            given = values[:, :num_captions] if of_regions else values[:num_captions]
            if values.dtype == object:
                np.testing.assert_array_equal(given, alone[name][row])
            else:
                np.testing.assert_allclose(given, alone[name][row], rtol=1e-4, atol=1e-5)
            beyond = values[0, num_captions:] if of_regions else values[num_captions:]
            assert len(beyond) == 3 - num_captions
            assert (beyond == -np.inf).all() if name == "log_prob" else not beyond.any()


@pytest.mark.parametrize("tokenizer", ["word", "wordpiece"])
def test_ids_are_written_as_python_writes_them(answer, tokenizer):
    text = CaptionText(Vocabulary(TOKENS, [0] * len(TOKENS)), tokenizer)
    # START 1 and UNK 3 are never generated.
    ids = np.int32([[[RED, DOG, PLURAL, RUN], [BALL, END, PAD, PAD]], [[END, PAD, PAD, PAD]] * 2])
    model = types.SimpleNamespace(start=lambda images: {"first": images["region_mask"]}, step=None)
    found = answer(
        "captions",
        model,
        "caption",
        {"region_mask": np.ones((2, 1), bool)},
        text=text,
        decoder=lambda *_, **__: Hypotheses(ids, np.zeros(ids.shape), np.zeros(ids.shape[:2])),
    )
    expected = [[text.decode(row) for row in rows] for rows in ids]
    assert [[[t for t in row if t] for row in rows] for rows in found["tokens"]] == expected
    assert found["captions"].tolist() == [[text.join(row) for row in rows] for rows in expected]
    assert found["captions"].tolist() == [["red dogs run", "ball"], ["", ""]]


@pytest.mark.parametrize("name", ["m_rnn m-rnn", "dvsa_rnn every lstm"])
def test_the_log_probability_of_a_sentence_is_the_sum_over_its_words_and_end(answer, name):
    model, batch = make_captioner(name), make_batch()
    images, sentences = questions(with_short_rows(batch))
    expected = []
    for row, (sentence, length) in enumerate(rows_alone(sentences)):
        features = images["region_features"][row : row + 1]
        logits = model({"region_features": features, "token_ids": sentence["token_ids"]})
        targets = [*sentence["token_ids"][0], END]
        assert len(targets) == length + 1
        expected.append(sum(log_softmax(logits)[0, t, token] for t, token in enumerate(targets)))
    found = answer("captions", model, "log_prob", images, sentences)
    assert found.keys() == {"log_prob"}
    np.testing.assert_allclose(found["log_prob"], expected, rtol=1e-4)


def test_captions_and_log_probabilities_by_hand(answer):
    # Each token is END, "red", "dog" or <unk> with probability 1/2, 1/4, 1/8 and 1/8, whatever
    # was before. The best captions are "" (1/2), then "red" (1/4 * 1/2); <unk> is never written.
    model = make_captioner("dvsa_rnn")
    for weight in model.weights:
        weight.assign(np.zeros(weight.shape))
    bias = np.full(len(TOKENS), -1e9, "float32")
    bias[[END, RED, DOG, UNK]] = -np.log([2, 4, 8, 8])
    model.softmax.bias.assign(bias)
    images, _ = questions(make_batch(size=2))
    decoder = BeamSearch(beam_size=3, num_captions=2, max_length=2)
    found = answer("captions", model, "caption", images, decoder=decoder)
    bits = found["token_log_probs"] / -np.log(2)
    assert found["captions"].tolist() == [["", "red"]] * 2
    assert found["tokens"].tolist() == [[["", ""], ["red", ""]]] * 2
    np.testing.assert_allclose(bits, [[[1, 0], [2, 1]]] * 2, rtol=1e-5, atol=1e-6)
    # "red dog" has 1/4 * 1/8 * 1/2, and <unk> 1/8 * 1/2.
    sentences = {"token_ids": np.int32([[RED, DOG], [UNK, 0]])}
    found = answer("captions", model, "log_prob", images, sentences, decoder=decoder)
    np.testing.assert_allclose(found["log_prob"] / -np.log(2), [6, 4], rtol=1e-5)
