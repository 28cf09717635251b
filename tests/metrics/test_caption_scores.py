import json
import math
import os
import shutil

import numpy as np
import pytest
from pycocoevalcap.bleu.bleu import Bleu

from vsa_tf.metrics.caption_scores import (
    BLEU_NAMES,
    CaptionScorer,
    bleu,
    caption_scores,
    neuraltalk_bleu,
    novelty,
)


def scores_without_java(candidates, references):
    return caption_scores(candidates, references, meteor=False)[0]


def install_java(directory, monkeypatch, script):
    """Makes a shell script the only program `java` that is found."""
    program = directory / "java"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}{os.pathsep}/bin")


def test_a_perfect_caption_of_a_single_image():
    metrics = scores_without_java(["Two dogs run on grass ."], [["two dogs run on grass"]])
    for name in (*BLEU_NAMES, "ROUGE_L"):
        assert metrics[name] == pytest.approx(1.0)
    # The inverse document frequency of every word is log(1 image / 1 image) = 0.
    assert metrics["CIDEr"] == 0.0


def test_case_and_punctuation_do_not_count_but_clitics_are_words():
    perfect = scores_without_java(
        ["A dog doesn't run, it sits on it."], [["a Dog does n't run it sits on it !"]]
    )
    assert perfect["Bleu_4"] == pytest.approx(1.0)


def test_bleu_clips_counts_and_takes_the_closest_length_and_of_two_the_shorter():
    # 1-grams: 'the' counts twice as in a reference, 'cat' once: 3 of 5. 2-grams: 'the cat' of 4.
    # References of 4 and 6 words are as close to 5; the shorter one brings no penalty.
    references = [["the cat saw the", "some dogs saw some small cats"]]
    metrics = scores_without_java(["the the the the cat"], references)
    assert metrics["Bleu_1"] == pytest.approx(3 / 5)
    assert metrics["Bleu_2"] == pytest.approx(math.sqrt(3 / 5 * 1 / 4))


def test_bleu_of_a_corpus_is_not_the_mean_of_its_sentences():
    # 1 of 1 words and 0 of 3: 1 of 4 in all, 1 word with 1, 3 with 3.
    metrics = scores_without_java(["dogs", "x y z"], [["dogs"], ["a b c"]])
    assert metrics["Bleu_1"] == pytest.approx(1 / 4)


@pytest.mark.parametrize("seed", range(3))
def test_bleu_is_the_coco_tool_s_of_all_and_of_each_image(seed):
    random = np.random.default_rng(seed)

    def sentence():
        return " ".join(random.choice(list("abcdef"), random.integers(0, 9)))

    references = [[sentence() for _ in range(random.integers(1, 5))] for _ in range(40)]
    candidates = [sentence() for _ in references]
    of_all, of_images = Bleu(4).compute_score(
        dict(enumerate(references)), {i: [text] for i, text in enumerate(candidates)}, verbose=0
    )
    statistics = CaptionScorer(references).statistics(candidates, meteor=False)
    assert [statistics.metrics()[name] for name in BLEU_NAMES] == pytest.approx(of_all, abs=1e-12)
    np.testing.assert_allclose(bleu(statistics.bleu_counts).T, of_images, rtol=0, atol=1e-12)


def test_rouge_takes_the_longest_common_subsequence():
    # 'a c d' of 4 words and of 5; beta = 1.2 favours recall.
    precision, recall, beta = 3 / 4, 3 / 5, 1.2
    expected = (1 + beta**2) * precision * recall / (recall + beta**2 * precision)
    assert scores_without_java(["a b c d"], [["a x c d y"]])["ROUGE_L"] == pytest.approx(expected)


def test_cider_of_perfect_captions_without_common_words_is_ten():
    candidates = ["two dogs run on grass", "a man sits near water"]
    assert scores_without_java(candidates, [[c] for c in candidates])["CIDEr"] == pytest.approx(10)


def test_cider_ignores_what_every_image_has():
    # 'dogs' is in both images: weight log(2 / 2). With it a caption of only that word is nothing.
    metrics = scores_without_java(["dogs", "sit"], [["dogs run"], ["dogs sit"]])
    # 'sit' is all of the reference's 1-gram vector; 1 of the 4 lengths agrees, and there is one
    # 2-gram less than in the reference: exp(-1 / (2 6^2)).
    assert metrics["CIDEr"] == pytest.approx((0 + 10 / 4 * math.exp(-1 / 72)) / 2)


def test_images_have_any_number_of_references():
    references = [["a dog runs"], ["a cat", "the cat sits there", "cats"], ["a man", "men"]]
    metrics = scores_without_java(["a dog runs", "cats", "men"], references)
    assert metrics["Bleu_1"] == pytest.approx(1.0)
    assert metrics["ROUGE_L"] == pytest.approx(1.0)


@pytest.mark.parametrize("candidate", ["", " ", ".", "... !", "😀"])
@pytest.mark.parametrize("references", [["a dog"], [""], ["", "..."], ["a dog", ""]])
def test_a_caption_without_words_scores_nothing(candidate, references):
    metrics = scores_without_java([candidate], [references])
    del metrics["METEOR"]
    assert metrics == pytest.approx(dict.fromkeys(metrics, 0.0))


def test_a_caption_without_words_leaves_the_other_images_alone():
    references = [["two dogs run on grass"], ["a man sits near water"]]
    metrics = scores_without_java(["two dogs run on grass", ""], references)
    assert metrics["ROUGE_L"] == pytest.approx((1 + 0) / 2)
    assert metrics["CIDEr"] == pytest.approx((10 + 0) / 2)


def test_a_scorer_may_be_used_again():
    references = [["a dog runs"], ["a man sits on a bench"]]
    scorer = CaptionScorer(references)
    scorer.score(["a man", "x"], meteor=False)
    candidates = ["a dog", "the man sits"]
    assert scorer.score(candidates, meteor=False) == caption_scores(
        candidates, references, meteor=False
    )


def test_metrics_can_be_written_as_json_and_nothing_is_printed(capfd):
    metrics, skipped = caption_scores(["a dog"], [["a dog"]], meteor=False, spice=True)
    json.dumps([metrics, skipped], allow_nan=False)
    assert capfd.readouterr() == ("", "")


def test_metrics_that_are_not_asked_for():
    metrics, skipped = caption_scores(["a dog"], [["a dog"]], meteor=False)
    assert set(metrics) == {*BLEU_NAMES, "METEOR", "ROUGE_L", "CIDEr"}
    assert metrics["METEOR"] is None
    assert skipped == {"METEOR": "not asked for"}


def test_without_java_meteor_and_spice_are_none_with_the_reason(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    metrics, skipped = caption_scores(["a dog"], [["a dog"]], spice=True)
    assert metrics["METEOR"] is None and metrics["SPICE"] is None
    assert skipped == {"METEOR": "java is not installed", "SPICE": "java is not installed"}
    assert metrics["Bleu_1"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    "script",
    [
        "echo no memory >&2; exit 1",
        "read line; echo no memory >&2; exit 1",
        "read line; echo 1 2 3; read line; echo no memory >&2; exit 1",
    ],
)
def test_a_java_that_fails_makes_meteor_none_with_its_message(tmp_path, monkeypatch, script):
    install_java(tmp_path, monkeypatch, script)
    metrics, skipped = caption_scores(["a dog", "a cat"], [["a dog"], ["a cat"]])
    assert metrics["METEOR"] is None
    assert "no memory" in skipped["METEOR"]


def test_spice_without_its_parts_says_so_and_downloads_nothing(tmp_path, monkeypatch):
    def download():
        raise AssertionError("a download was tried")

    install_java(tmp_path, monkeypatch, "exit 1")
    monkeypatch.setattr("pycocoevalcap.spice.spice.get_stanford_models", download)
    monkeypatch.setattr("vsa_tf.metrics.caption_scores._SPICE_PARTS", ("missing.jar",))
    metrics, skipped = caption_scores(["a dog"], [["a dog"]], meteor=False, spice=True)
    assert metrics["SPICE"] is None
    assert "missing.jar" in skipped["SPICE"]


@pytest.mark.parametrize("error", [None, OSError("no memory"), ValueError("no number")])
def test_spice_runs_where_its_parts_are(tmp_path, monkeypatch, error):
    class FakeSpice:
        def compute_score(self, references, candidates):
            if error:
                raise error
            assert (references, candidates) == ({0: ["a dog"]}, {0: ["a cat"]})
            return np.float64(0.25), [{"All": {"f": 0.25}}]

    install_java(tmp_path, monkeypatch, "exit 1")
    monkeypatch.setattr("vsa_tf.metrics.caption_scores._SPICE_PARTS", ())
    monkeypatch.setattr("vsa_tf.metrics.caption_scores.Spice", FakeSpice)
    metrics, skipped = caption_scores(["a cat"], [["A dog."]], meteor=False, spice=True)
    if error:
        assert metrics["SPICE"] is None and str(error) in skipped["SPICE"]
    else:
        assert metrics["SPICE"] == 0.25 and "SPICE" not in skipped


@pytest.mark.skipif(not shutil.which("java"), reason="METEOR needs java")
def test_meteor_of_perfect_captions_is_one_whatever_they_hold(capfd):
    # One run of METEOR for all: it takes seconds to start. Nothing said where nothing is to be
    # said adds no words to count.
    captions = ["a dog\nruns", "a ||| b", '<a b="|||"> <a b="x\ry"> dog', "naïve 北京", "."]
    metrics, skipped = caption_scores(captions, [[caption, ""] for caption in captions])
    assert metrics["METEOR"] == pytest.approx(1.0)
    assert skipped == {}
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "references", [[], [["a"], []], [["a"], "b"], [["a"], [3]], [["a"], [None]]]
)
def test_references_must_be_lists_of_strings(references):
    with pytest.raises(ValueError, match="Expected .* Received"):
        CaptionScorer(references)


@pytest.mark.parametrize("candidates", [[], ["a"], ["a", "b", "c"], "ab", ["a", None], [b"a", "b"]])
def test_candidates_must_be_one_string_for_each_image(candidates):
    scorer = CaptionScorer([["a"], ["b"]])
    with pytest.raises(ValueError, match="Expected .* Received"):
        scorer.score(candidates)


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


def test_novel_and_distinct_captions_are_counted():
    training = [["a", "dog"], ["two", "cats"]]
    found = novelty([["a", "dog"], ("a", "dog"), ["dog"], ["dog", "a"], ["a dog"]], training)
    # "a dog" twice is known; other words, another order or another tokenisation are not.
    assert found == (5, 3, 4)
    assert found.novel_share == 0.6


def test_without_training_captions_all_are_novel():
    assert novelty([["a"], ["a"]], []) == (2, 2, 1)


def test_an_empty_caption_is_novel_unless_there_is_one_in_training():
    assert novelty([[]], [["a"]]).num_novel == 1
    assert novelty([[]], [[]]).num_novel == 0


def test_a_model_that_says_one_caption_is_seen():
    assert novelty([["a", "dog"]] * 7, [["cat"]]).num_distinct == 1


@pytest.mark.parametrize("captions, training", [([], [["a"]]), (["a dog"], []), ([["a"]], ["a"])])
def test_bad_captions_are_errors(captions, training):
    with pytest.raises(ValueError, match="Expected .* Received"):
        novelty(captions, training)
