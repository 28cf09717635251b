"""What a run says where it cannot learn, or has not learnt."""

import types

import numpy as np
import pytest

from vsa_tf.data.caption_rows import TokenStore
from vsa_tf.data.caption_text import CaptionText
from vsa_tf.text.vocabulary import Vocabulary
from vsa_tf.training.advice import chance_line, unknown_words_line

TEXT = CaptionText(Vocabulary.from_sentences([["a", "dog"]]), "word")


def _data(*captions):
    return types.SimpleNamespace(
        text=TEXT,
        tokens=TokenStore.from_captions(captions, TEXT.encode, 40),
        records=types.SimpleNamespace(split="dev"),
    )


def test_a_language_that_the_vocabulary_has_no_word_of_is_said():
    line = unknown_words_line(_data("ein brauner Hund", "a Hund"))
    assert line.startswith("dev: 80% of the words are unknown to the vocabulary of 6")
    assert "--min_count" in line and "--tokenizer=wordpiece" in line


def test_known_words_are_no_matter():
    assert unknown_words_line(_data("a dog", "a cat")) is None


def _report(num_images, images, sentences, per_image=5):
    return {
        "num_images": num_images,
        "num_sentences": per_image * num_images,
        "metrics": {"image_to_sentence": images, "sentence_to_image": sentences},
    }


def test_chance_is_said_and_more_is_not():
    generator = np.random.default_rng(0)
    said = 0
    for _ in range(200):
        # Ranks at random: of 100 images, and of 500 sentences the best of five.
        images = 100 * np.mean(generator.integers(500, size=(100, 5)).min(axis=1) < 10)
        sentences = 100 * np.mean(generator.integers(100, size=500) < 10)
        said += chance_line(_report(100, {"R@10": images}, {"R@10": sentences})) is not None
    assert said > 180
    assert chance_line(_report(100, {"R@10": 30.0}, {"R@10": 10.0})) is None
    assert chance_line(_report(100, {"R@10": 9.0}, {"R@10": 25.0})) is None
    line = chance_line(_report(100, {"R@10": 9.0}, {"R@10": 10.0}))
    assert line.startswith("This is chance level: R@10 of 10.0 where 10.0 is chance.")


@pytest.mark.parametrize("num_images", [1, 3])
def test_too_few_photographs_say_nothing(num_images):
    recalls = {"R@1": 0.0, "R@5": 0.0, "R@10": 0.0}
    assert chance_line(_report(num_images, recalls, recalls)) is None


def test_few_photographs_are_judged_by_a_smaller_rank():
    recalls = {"R@1": 12.0, "R@5": 100.0, "R@10": 100.0}
    assert "R@1 of 12.0 where 12.5" in chance_line(_report(8, recalls, recalls))


def test_other_metrics_say_nothing():
    assert chance_line({"num_images": 9, "num_sentences": 45, "metrics": {"captions": {}}}) is None
