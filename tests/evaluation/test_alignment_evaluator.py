import types

import numpy as np
import pytest

from vsa_tf.data.caption_text import CaptionText
from vsa_tf.data.schema import AnnotatedBox, AnnotatedPhrase
from vsa_tf.evaluation.alignment_evaluator import AlignmentEvaluator, ranked_phrases
from vsa_tf.evaluation.retrieval_metrics import localization_metrics
from vsa_tf.scoring.embedded_split import EmbeddedSplit
from vsa_tf.text.vocabulary import Vocabulary

RECALLS = {"R@1": 10.0, "R@5": 11.0, "R@10": 12.0, "mean_rank": 99.0}
METRICS = {
    "image_to_sentence": RECALLS,
    "sentence_to_image": {**RECALLS, "R@1": 5.0},
    "phrase_localization": {"R@1": 50.0},
}
# Quarters of the image; the last region of the second image is padding.
LEFT, RIGHT, TOP, WHOLE = (0, 0, 1, 0.5), (0, 0.5, 1, 1), (0, 0, 0.5, 1), (0, 0, 1, 1)
CAPTIONS = ["A dog , a ball .", '" Red ball " rolls', "the dog"]
# Tokens: a dog a ball | red ball rolls | the dog; each is worth one region.
REGION_OF_TOKEN = [0, 1, 0, 2, 0, 2, 0, 0, 1]


def test_selection_is_by_the_sum_of_all_six_recalls():
    evaluator = AlignmentEvaluator()
    assert evaluator.selection_score(METRICS) == (10 + 11 + 12) + (5 + 11 + 12)


def test_summary_is_the_recall_of_both_directions():
    summary = AlignmentEvaluator().summary(METRICS)
    assert summary == {"image_to_sentence R@1": 10.0, "sentence_to_image R@1": 5.0}


def _split(phrases, max_words=40):
    """Two images; the first has the captions 0 and 1, with the boxes WHOLE, LEFT, RIGHT."""
    text = CaptionText(Vocabulary.from_sentences([["dog"]], 1), "word")
    tokens = [text.tokenize(caption)[:max_words] for caption in CAPTIONS]
    assert [len(words) for words in tokens] == [min(n, max_words) for n in (4, 3, 2)]
    vectors, position = [], 0
    for caption in CAPTIONS:
        count = len(text.tokenize(caption))
        vectors.extend(np.eye(3)[REGION_OF_TOKEN[position : position + count][:max_words]])
        position += count
    records = types.SimpleNamespace(
        phrases=phrases,
        captions=CAPTIONS,
        first_caption=np.array([0, 2, 3]),
        objects=[
            (
                AnnotatedBox("dog", LEFT),
                AnnotatedBox("ball", (0, 0.5, 0.5, 1)),
                AnnotatedBox("ball", (0.5, 0.5, 1, 1)),
            ),
            (AnnotatedBox("dog", TOP),),
        ],
        region_boxes=np.float32([[WHOLE, LEFT, RIGHT], [WHOLE, TOP, (0, 0, 0, 0)]]),
    )
    embedded = EmbeddedSplit(
        np.tile(np.eye(3, dtype="float32"), (2, 1, 1)),
        np.array([[True, True, True], [True, True, False]]),
        np.array(vectors, "float32"),
        np.array([len(words) for words in tokens]),
    )
    return embedded, types.SimpleNamespace(records=records, text=text)


def _localized(embedded, data):
    """The metrics as the evaluator takes them."""
    return localization_metrics(list(ranked_phrases(embedded, data)))[0]


def _phrase(caption, first_word, num_words, chain, kind="other"):
    return AnnotatedPhrase(caption, first_word, num_words, chain, kind)


@pytest.mark.parametrize(
    ("phrase", "correct"),
    [
        (_phrase(0, 1, 1, "dog"), True),
        (_phrase(0, 1, 1, "ball"), False),
        # Behind a comma that is no token: the words 2 to 4 are ", a ball".
        (_phrase(0, 4, 1, "ball"), True),
        (_phrase(0, 2, 3, "ball"), True),
        (_phrase(0, 4, 2, "ball"), True),  # with the full stop
        (_phrase(0, 4, 1, "dog"), False),
        (_phrase(1, 2, 1, "ball"), True),
        (_phrase(1, 2, 2, "ball"), True),  # with the quotation mark
    ],
)
def test_words_of_a_phrase_find_their_tokens_and_the_union_of_its_boxes(phrase, correct):
    metrics = _localized(*_split([(phrase,), ()]))
    assert metrics["R@1"] == metrics["pointing"] == (100 if correct else 0)
    # Half of the frame is LEFT or RIGHT: an overlap of .5 is enough, so of three regions the
    # whole frame and the half are right.
    assert metrics["upper_bound"] == 100
    np.testing.assert_allclose(metrics["chance"], 100 * 2 / 3)


def test_phrases_are_found_by_agreement_too():
    # RIGHT alone is RIGHT; of LEFT and RIGHT alike it is the frame, which overlaps with both.
    one, both = _phrase(0, 4, 1, "ball"), _phrase(0, 1, 4, "dog")
    embedded, data = _split([(one, both), ()])
    embedded.words[:4] = [[0, 0, 0], [0, 2, 1.9], [0, 0, 0], [0, 0, 3]]
    found = [[tuple(order[0]) for order in orders[:2]] for orders in ranked_phrases(embedded, data)]
    assert found == [[RIGHT, RIGHT], [RIGHT, RIGHT]]
    embedded.words[:4] = [[0, 0, 0], [1, 2, 1.9], [0, 0, 0], [0, 0, 0]]
    own, agreed, *_ = list(ranked_phrases(embedded, data))[1]
    assert (tuple(own[0]), tuple(agreed[0])) == (LEFT, WHOLE)
    metrics = localization_metrics(list(ranked_phrases(embedded, data)))[0]
    assert metrics["agreed"].keys() == {"R@1", "R@5", "R@10", "pointing"}


def test_captions_are_counted_through_the_split():
    split = _split([(), (_phrase(0, 1, 1, "dog"),)])
    metrics = _localized(*split)
    assert (metrics["R@1"], metrics["num_phrases"]) == (100, 1)
    # The padded region is no candidate: both that are left are right.
    assert metrics["chance"] == 100


def test_a_truncated_phrase_is_scored_by_the_words_that_are_left():
    phrases = [(_phrase(0, 1, 4, "dog"), _phrase(0, 4, 1, "dog")), (_phrase(0, 1, 1, "dog"),)]
    embedded, data = _split(phrases, max_words=2)
    metrics = _localized(embedded, data)
    # "dog" of "dog , a ball" is left. Nothing is left of "ball": regions stay in their order, and
    # the whole frame, of which LEFT is half, comes first. The second image's words are its own.
    assert metrics["num_phrases"] == 3
    assert metrics["R@1"] == 100


def test_phrases_without_a_box_are_dropped_and_counted():
    phrases = [(_phrase(0, 1, 1, "nothing", "scene"), _phrase(0, 1, 1, "dog", "animals")), ()]
    metrics = _localized(*_split(phrases))
    assert (metrics["num_phrases"], metrics["num_dropped"]) == (1, 1)
    assert list(metrics["by_type"]) == ["animals"]


def test_a_split_without_phrases_has_none_to_rank():
    assert list(ranked_phrases(*_split([(), ()]))) == []


def _model(normalize_by_length):
    return types.SimpleNamespace(
        score_name="max_sum", score_options={"normalize_by_length": normalize_by_length}
    )


def test_scores_of_a_split():
    embedded, _ = _split([(), ()])
    scores = embedded.scores(_model(False))
    # A word scores 1 where its region is there. "ball" has none in the second image, twice 0.
    np.testing.assert_array_equal(scores, [[4, 3, 2], [3, 2, 2]])
    scores = embedded.scores(_model(True))
    np.testing.assert_allclose(scores, [[1, 1, 1], [3 / 4, 2 / 3, 1]], rtol=1e-6)


def test_words_of_a_sentence():
    embedded, _ = _split([(), ()])
    assert embedded.starts.tolist() == [0, 4, 7]
    np.testing.assert_array_equal(embedded.words_of(1), np.eye(3)[[0, 2, 0]])
