import numpy as np
import pytest

from vsa_tf.saved_models.answer_differences import answer_differences
from vsa_tf.saved_models.examples import Examples

EXAMPLES = Examples([b"a", b"bb"], ["one", "two words"])


class Lengths:
    """Answers with the number of bytes of each row's image, `change` added."""

    signatures = {"caption": ("image_bytes",), "score": ("image_bytes", "sentences")}

    def __init__(self, change=0.0, word="x", width=3, dtype=np.float32):
        self._change, self._word, self._width, self._dtype = change, word, width, dtype

    def call(self, name, image_bytes, sentences=None):
        lengths = np.array([len(data) for data in image_bytes])
        if name == "score":
            assert len(sentences) == len(image_bytes)
            return {"score": (lengths + self._change).astype(self._dtype)}
        # As wide as the longest of the rows that are asked together.
        width = self._width if len(lengths) > 1 else 2
        rows = np.where(np.arange(width) < lengths[:, None], self._word, "").astype(object)
        return {"captions": rows, "count": lengths.astype(np.int32)}


def _differences(other):
    return answer_differences(Lengths(), other, EXAMPLES)


def test_equal_answers_do_not_differ_however_far_they_are_padded():
    expected = {"caption": {"captions": 0.0, "count": 0.0}, "score": {"score": 0.0}}
    assert _differences(Lengths()) == expected


def test_numbers_above_one_differ_by_their_share():
    # 0.5 of 1 and of 2: the larger share counts.
    assert _differences(Lengths(change=0.5))["score"]["score"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    "other, name, output",
    [
        (Lengths(word="y"), "caption", "captions"),
        (Lengths(width=1), "caption", "captions"),
        (Lengths(change=np.nan), "score", "score"),
        (Lengths(dtype=np.int32), "score", "score"),
    ],
)
def test_texts_shapes_kinds_and_nan_differ_infinitely(other, name, output):
    assert _differences(other)[name][output] == np.inf


def test_an_output_that_only_one_gives_differs_infinitely():
    class More(Lengths):
        def call(self, name, **inputs):
            return {**super().call(name, **inputs), "more": np.zeros(len(inputs["image_bytes"]))}

    assert _differences(More())["score"]["more"] == np.inf


def test_minus_infinity_equals_itself():
    class Impossible(Lengths):
        def call(self, name, image_bytes, sentences=None):
            return {"log_prob": np.full(len(image_bytes), -np.inf, np.float32)}

    found = answer_differences(Impossible(), Impossible(), EXAMPLES)
    assert found["score"]["log_prob"] == 0.0
