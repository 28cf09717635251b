import math

import pytest

from vsa_tf.metrics.caption_scores import caption_scores
from vsa_tf.metrics.neuraltalk_bleu import neuraltalk_bleu


def values(candidates, references):
    bleu = neuraltalk_bleu(candidates, references)
    assert list(bleu) == [f"Bleu_{n}_no_brevity_penalty" for n in (1, 2, 3, 4)]
    return list(bleu.values())


def test_precisions_are_of_the_corpus_and_cumulative():
    # Right of all 1-grams: 3 of 3 and 2 of 3; 2-grams: 2 of 2 and 1 of 2 (b c); 3-grams: 1 of 1
    # and 0 of 1; there is no 4-gram.
    p1, p2, p3 = 5 / 6, 3 / 4, 1 / 2
    expected = [p1, math.sqrt(p1 * p2), (p1 * p2 * p3) ** (1 / 3), 0.0]
    assert values(["a b c", "x b c"], [["a b c d"], ["b c d"]]) == pytest.approx(expected)


def test_counts_are_clipped_by_the_reference_that_has_most():
    # 'the' is twice in the first reference, 'cat' once in the second: 3 of 5.
    assert values(["the the the the cat"], [["the dog the", "the cat"]])[0] == pytest.approx(3 / 5)


def test_a_short_caption_is_not_punished_where_the_standard_bleu_does():
    candidates, references = ["two dogs run on"], [["two dogs run on the grass"]]
    standard, _ = caption_scores(candidates, references, meteor=False)
    penalty = math.exp(1 - 6 / 4)
    assert values(candidates, references) == pytest.approx([1.0] * 4)
    assert standard["Bleu_4"] == pytest.approx(penalty)


def test_it_is_the_standard_bleu_where_that_has_no_penalty():
    candidates = ["two brown dogs run on the grass", "a man sits on a wooden bench"]
    references = [["two dogs run on the grass", "dogs run"], ["the man sits on a bench"]]
    standard, _ = caption_scores(candidates, references, meteor=False)
    expected = [standard[f"Bleu_{n}"] for n in (1, 2, 3, 4)]
    assert values(candidates, references) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("candidate", ["", "x y z"])
def test_a_caption_without_a_right_word_scores_nothing(candidate):
    assert values([candidate], [["a dog"]]) == [0.0] * 4


@pytest.mark.parametrize(
    "candidates, references",
    [([], []), (["a"], []), (["a"], [["a"], ["b"]]), (["a"], [[]]), (["a"], ["a"])],
)
def test_candidates_and_references_must_fit(candidates, references):
    with pytest.raises(ValueError, match="Expected .* Received"):
        neuraltalk_bleu(candidates, references)
