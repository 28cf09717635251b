"""What features of test images tell of an encoder."""

import numpy as np
import pytest

from tfrecords_tools.probes import feature_warnings, probe_image


class Colours:
    """An encoder whose feature of a region is what a function makes of 6 mean colours."""

    def __init__(self, function=lambda colours: colours):
        self._function = function

    def describe(self):
        return {"spec": "colours"}

    def encode(self, images, boxes):
        found = []
        for image in images:
            height, width = image.shape[0] // 2, image.shape[1] // 3
            cells = image[: height * 2, : width * 3].reshape(2, height, 3, width, 3)
            found.append(self._function(cells.mean(axis=(1, 3)).reshape(1, -1) / 127.5 - 1))
        return found


def test_features_that_tell_images_apart_are_no_reason_to_warn():
    assert feature_warnings(Colours(), True) == []


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda colours: np.zeros((1, 5)), "all numbers of a feature are the same"),
        # Numbers that half precision does not hold.
        (lambda colours: colours * 1e-9, "all numbers of a feature are the same"),
        (lambda colours: colours / 255 + 1, "nearly the same (mean cosine 1.0000)"),
        (lambda colours: np.pad(colours[:, :4], ((0, 0), (0, 96))), "96% of a feature's numbers"),
    ],
)
def test_features_that_do_not_are_told(function, reason):
    (warning,) = feature_warnings(Colours(function), True)
    assert reason in warning
    assert warning.startswith("warning: colours") and "--encoder_input" in warning
    # No flag is advised that is refused.
    (warning,) = feature_warnings(Colours(function), False)
    assert reason in warning and "--" not in warning


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e6])
def test_features_that_records_cannot_hold_are_refused(value):
    with pytest.raises(ValueError, match="half precision.*Received: colours"):
        feature_warnings(Colours(lambda colours: colours[:, :2] * [1, value]), True)


def test_test_images_have_the_contrasts_of_photographs():
    images = [probe_image(60, 90, seed) for seed in range(3)]
    assert all(image.shape == (60, 90, 3) and image.dtype == np.uint8 for image in images)
    assert all(40 < image.std() < 90 and 90 < image.mean() < 165 for image in images)
    assert (images[0] != images[1]).mean() > 0.9
    np.testing.assert_array_equal(images[2], probe_image(60, 90, 2))
