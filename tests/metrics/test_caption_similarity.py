"""CIDEr and BLEU by sparse products, against the COCO tool and by hand."""

import math

import numpy as np
import pytest
from pycocoevalcap.bleu.bleu_scorer import cook_refs, cook_test
from pycocoevalcap.cider.cider_scorer import CiderScorer

from vsa_tf.metrics.caption_similarity import KINDS, CaptionSimilarity

_WORDS = "a a a the the dog cat runs sits on in grass red of two and".split()


def random_captions(seed, num_captions, longest=12):
    """Captions with repeated words, short ones and empty ones among them."""
    random = np.random.default_rng(seed)
    return [
        random.choice(_WORDS, random.integers(0, longest + 1)).tolist() for _ in range(num_captions)
    ]


def random_training(seed, num_captions=60, num_images=12):
    """Captions and their images, in no order; every image has one."""
    random = np.random.default_rng(seed)
    images = np.concatenate(
        [np.arange(num_images), random.integers(0, num_images, num_captions - num_images)]
    )
    return random_captions(seed, num_captions), random.permutation(images)


def coco_cider(training, image_of_caption, hypotheses, references):
    """The COCO tool's scorer on single references, with frequencies of the training captions."""
    frequencies = CiderScorer()
    num_images = max(image_of_caption) + 1
    for image in range(num_images):
        own = [" ".join(training[row]) for row in np.flatnonzero(image_of_caption == image)]
        frequencies += ("", own)
    frequencies.compute_doc_freq()
    scores = []
    for hypothesis in hypotheses:
        for reference in references:
            scorer = CiderScorer()
            scorer.document_frequency = frequencies.document_frequency
            scorer += (" ".join(hypothesis), [" ".join(reference)])
            # The scorer takes the number of documents from here, and stops with the last test.
            scorer.crefs += [None] * (num_images - 1)
            scores += scorer.compute_cider()
    return np.reshape(scores, (len(hypotheses), len(references)))


def smoothed_bleu(hypothesis, reference):
    """Lin and Och's formula over the clipped counts of the COCO tool."""
    if not hypothesis:
        return 0.0
    counts = cook_test(" ".join(hypothesis), cook_refs([" ".join(reference)]))
    precisions = [
        (correct + (n > 0)) / (guess + (n > 0))
        for n, (correct, guess) in enumerate(zip(counts["correct"], counts["guess"], strict=True))
    ]
    brevity = min(1.0, math.exp(1.0 - len(reference) / len(hypothesis)))
    return brevity * math.prod(precisions) ** 0.25


@pytest.mark.parametrize("seed", range(3))
def test_cider_is_that_of_the_coco_tool_for_single_references(seed):
    training, image_of_caption = random_training(seed)
    # Words and n-grams unknown to the training captions are shared by the last two.
    hypotheses = [*random_captions(seed + 10, 12), [], ["a"], "a zebra on a zebra".split()]
    references = [*training[:15], *random_captions(seed + 20, 8), "on a zebra on a".split()]
    expected = coco_cider(training, image_of_caption, hypotheses, references)
    similarity = CaptionSimilarity(training, image_of_caption)
    np.testing.assert_allclose(similarity.between(hypotheses, references), expected, atol=1e-12)
    assert expected[-1, -1] > 1  # The unknown words did count.


@pytest.mark.parametrize("seed", range(3))
def test_bleu_is_the_smoothed_formula_over_the_coco_tools_counts(seed):
    training, image_of_caption = random_training(seed)
    hypotheses = [*random_captions(seed + 10, 20), [], ["a"], "a zebra on a zebra".split()]
    references = [*training[:20], [], "on a zebra on a".split()]
    expected = [[smoothed_bleu(h, r) for r in references] for h in hypotheses]
    similarity = CaptionSimilarity(training, image_of_caption, "bleu")
    np.testing.assert_allclose(similarity.between(hypotheses, references), expected, atol=1e-12)


def test_bleu_by_hand():
    similarity = CaptionSimilarity([["a"]], [0], "bleu")
    hypotheses = [["the", "the", "the", "cat"], ["the", "cat", "sat"]]
    references = [["the", "cat", "sat", "on", "the", "mat"]]
    # "the" is clipped to 2, so 3 of 4 words; 1 of 3 bigrams, no longer match; length 4 of 6.
    first = math.exp(1 - 6 / 4) * (3 / 4 * (1 + 1) / (3 + 1) * 1 / (2 + 1) * 1 / (1 + 1)) ** 0.25
    # All words, bigrams and the trigram; no four words: precision 1.
    second = math.exp(1 - 6 / 3)
    np.testing.assert_allclose(similarity.between(hypotheses, references), [[first], [second]])


def test_f1_by_hand_is_that_of_mrnn_cr():
    similarity = CaptionSimilarity([["x"]], [0], "f1")
    hypothesis, reference = "a dog runs a mile".split(), "a a dog runs".split()
    # 1-grams: a (2), dog and runs of 5 and 4; 2-grams: "a dog", "dog runs" of 4 and 3; 3-grams:
    # "a dog runs" of 3 and 2; no 4-gram. F1 is 2 x right / (number + number).
    expected = (8 / 9 + 4 / 7 + 2 / 5 + 0) / 4
    for one, other in ((hypothesis, reference), (reference, hypothesis)):
        assert similarity.between([one], [other])[0, 0] == pytest.approx(expected)
    # Its code leaves captions of fewer than n = 4 words out, whatever they share.
    assert similarity.between([["a", "dog"], hypothesis], [["a", "dog"]]).tolist() == [[0], [0]]
    assert similarity.between([hypothesis], [hypothesis])[0, 0] == pytest.approx(1)


@pytest.mark.parametrize("seed", range(3))
def test_f1_is_the_harmonic_mean_of_precision_and_recall(seed):
    captions = random_captions(seed, 30)
    expected = np.zeros((30, 30))
    for row, hypothesis in enumerate(captions):
        for column, reference in enumerate(captions):
            if min(len(hypothesis), len(reference)) < 4:
                continue
            there = cook_test(" ".join(hypothesis), cook_refs([" ".join(reference)]))
            back = cook_test(" ".join(reference), cook_refs([" ".join(hypothesis)]))
            for right, guess, true in zip(there["correct"], there["guess"], back["guess"]):
                if right:
                    precision, recall = right / guess, right / true
                    f1 = 2 * precision * recall / (precision + recall)
                    expected[row, column] += f1 / 4
    similarity = CaptionSimilarity([["x"]], [0], "f1")
    np.testing.assert_allclose(similarity.between(captions, captions), expected, atol=1e-12)


def test_cider_by_hand():
    # df of 4 images: a 2, dog 1, runs 1, cat 1; bigrams 1 each.
    training = [["a", "dog"], ["a", "cat"], ["runs"], ["x"]]
    similarity = CaptionSimilarity(training, [0, 1, 2, 3])
    a, rare = math.log(4 / 2), math.log(4)
    # "a dog" with "a dog runs": both words; "a dog" of two bigrams, "dog runs" being unknown and
    # as rare as the rest; nothing longer; one word of difference.
    unigrams = math.hypot(a, rare) / math.hypot(a, rare, rare)
    bigrams = rare * rare / (rare * math.hypot(rare, rare))
    expected = 10 * math.exp(-1 / 72) * (unigrams + bigrams) / 4
    found = similarity.between([["a", "dog"]], [["a", "dog", "runs"]])
    assert found[0, 0] == pytest.approx(expected)


def test_frequencies_count_images_not_captions():
    # "dog" is in both captions of one image of two; "cat" in one caption of the other.
    training = [["dog"], ["dog", "dog"], ["cat"]]
    by_image = CaptionSimilarity(training, [0, 0, 1]).between([["dog", "cat"]], [["dog"], ["cat"]])
    assert by_image[0, 0] == pytest.approx(by_image[0, 1]) and by_image[0, 0] > 0


def test_frequencies_are_of_training_captions_alone():
    training, image_of_caption = random_training(3)
    similarity = CaptionSimilarity(training, image_of_caption)
    hypotheses, references = random_captions(4, 5), random_captions(5, 7)
    together = similarity.between(hypotheses, references)
    for column, reference in enumerate(references):
        np.testing.assert_allclose(
            similarity.between(hypotheses, [reference])[:, 0], together[:, column], atol=1e-12
        )


def test_a_caption_with_itself_has_the_largest_similarity():
    caption = "a dog runs on grass".split()
    training, images = [caption, "a cat sits on red grass".split(), ["the", "end"]], [0, 1, 2]
    assert CaptionSimilarity(training, images).between([caption], [caption])[0, 0] == (
        pytest.approx(10.0)
    )
    assert CaptionSimilarity(training, images, "bleu").between([caption], [caption])[0, 0] == (
        pytest.approx(1.0)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_captions_without_words_or_without_common_words_score_zero(kind):
    similarity = CaptionSimilarity([["a", "dog"], [], ["cat"]], [0, 1, 2], kind)
    captions = [[], ["a", "dog", "runs", "home"], ["x"] * 4]
    found = similarity.between(captions, captions)
    np.testing.assert_array_equal(found * (1 - np.eye(3)), np.zeros((3, 3)))
    assert found[0, 0] == 0 < found[1, 1]
    assert similarity.between([], captions).shape == (0, 3)
    assert similarity.between(captions, []).shape == (3, 0)


def test_one_training_image_has_no_rare_words():
    assert CaptionSimilarity([["a", "dog"]], [0]).between([["a"]], [["a"]]).tolist() == [[0.0]]


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_prepared_captions_give_the_same_similarities(kind):
    training, image_of_caption = random_training(6)
    similarity = CaptionSimilarity(training, image_of_caption, kind)
    hypotheses = [*random_captions(7, 9), ["unknown", "words"]]
    expected = similarity.between(hypotheses, training)
    vectors = similarity.vectors(hypotheses)
    rows, columns = [3, 9, 0, 3], [50, 2, 2]
    np.testing.assert_allclose(
        similarity.compare(vectors, similarity.training), expected, atol=1e-12
    )
    np.testing.assert_allclose(
        similarity.compare(vectors, similarity.training, rows, columns),
        expected[np.ix_(rows, columns)],
        atol=1e-12,
    )


def test_captions_of_images_are_found_in_any_order():
    similarity = CaptionSimilarity([["a"], ["b"], ["c"], ["d"]], [1, 0, 1, 2])
    assert similarity.num_images == 3 and similarity.num_captions == 4
    assert similarity.captions_of([2, 1]).tolist() == [3, 0, 2]
    assert similarity.captions_of(np.array([0])).tolist() == [1]


@pytest.mark.parametrize("images", [[], [3], [-1], [0.5], [[0]]])
def test_images_that_are_no_training_images_are_errors(images):
    with pytest.raises(ValueError, match="Expected .* Received"):
        CaptionSimilarity([["a"], ["b"], ["c"]], [0, 1, 2]).captions_of(images)


def test_captions_of_two_calls_are_not_compared():
    similarity = CaptionSimilarity([["a"]], [0])
    with pytest.raises(ValueError, match="two calls"):
        similarity.compare(similarity.vectors([["x"]]), similarity.vectors([["y"]]))


@pytest.mark.parametrize(
    "change, message",
    [
        ({"kind": "rouge"}, "kind='rouge'"),
        ({"captions": [], "image_of_caption": []}, "at least one training caption"),
        ({"captions": ["a dog", ["cat"]]}, "lists of tokens"),
        ({"image_of_caption": [0]}, "one image index for each"),
        ({"image_of_caption": [0.0, 1.0]}, "type float64"),
        ({"image_of_caption": [-1, 0]}, "from -1"),
        ({"image_of_caption": [0, 2]}, "none for image 1"),
    ],
)
def test_bad_training_captions_are_errors(change, message):
    arguments = {"captions": [["a", "dog"], ["cat"]], "image_of_caption": [0, 1], "kind": "cider"}
    with pytest.raises(ValueError, match=message):
        CaptionSimilarity(**{**arguments, **change})
