"""Detectors and encoders whose results follow from the pixels."""

import numpy as np

FEATURE_SIZE = 5


class FakeDetector:
    """One box a image, its left half, and one that must be clipped."""

    def describe(self):
        return {"spec": "fake"}

    def detect(self, images, examples):
        boxes = np.array([[0, 0, 1, 0.5], [-0.5, 0.5, 0.5, 1.5]], np.float32)
        return [(boxes, np.array([0.9, 0.8], np.float32)) for _ in images]


class FakeEncoder:
    """Mean and extremes of the whole image and the region's index; NaN for images 40 wide."""

    feature_size = FEATURE_SIZE

    def describe(self):
        return {"spec": "fake", "feature_size": FEATURE_SIZE}

    def encode(self, images, boxes):
        features = []
        for image, image_boxes in zip(images, boxes):
            row = [image.mean(), image.min(), image.max(), image.std()]
            if image.shape[1] == 40:
                row[1] = np.nan
            rows = [[*row, index] for index in range(len(image_boxes))]
            features.append(np.array(rows, np.float32))
        return features


class ManyBoxesDetector(FakeDetector):
    """A lattice of 20 x 15 boxes that touch each other nowhere, best first."""

    def detect(self, images, examples):
        ymin, xmin = np.mgrid[0:20, 0:15].reshape(2, -1) / [[20], [15]]
        boxes = np.stack([ymin, xmin, ymin + 0.03, xmin + 0.04], axis=1)
        return [(boxes, np.linspace(1, 0.5, len(boxes))) for _ in images]


class BoxEncoder(FakeEncoder):
    """A region's feature is where it lies: its box, and the image's mean."""

    def encode(self, images, boxes):
        means = [np.full((len(own), 1), image.mean()) for image, own in zip(images, boxes)]
        return [np.concatenate(both, axis=1) for both in zip(boxes, means)]


class NotANumberDetector(FakeDetector):
    """Fails the way a broken network does."""

    def detect(self, images, examples):
        return [(np.full((1, 4), np.nan, np.float32), np.ones(1, np.float32)) for _ in images]


class NotANumberEncoder(FakeEncoder):
    """Has diverged in training."""

    def encode(self, images, boxes):
        return [np.full((len(own), FEATURE_SIZE), np.nan, np.float32) for own in boxes]


def make_models(settings):
    return FakeDetector(), FakeEncoder()


def make_many_boxes(settings):
    return ManyBoxesDetector(), BoxEncoder()


def make_box_features(settings):
    return FakeDetector(), BoxEncoder()


def make_pixels(settings):
    return FakeDetector(), None


def make_not_a_number(settings):
    return NotANumberDetector(), None


def make_not_a_number_encoder(settings):
    return FakeDetector(), NotANumberEncoder()


class DyingDetector(FakeDetector):
    """Ends its process the way the system does when memory runs out."""

    def detect(self, images, examples):
        import os
        import signal

        os.kill(os.getpid(), signal.SIGKILL)


def make_dying(settings):
    return DyingDetector(), None


class RefusingDetector(FakeDetector):
    """Refuses images whose captions hold a word, as a file refuses those it has no boxes for."""

    def __init__(self, word):
        self._word = word

    def describe(self):
        return {"spec": "refusing"}

    def detect(self, images, examples):
        if any(self._word in caption for example in examples for caption in example.captions):
            raise ValueError("No proposals")
        return super().detect(images, examples)


def make_refusing(settings):
    return RefusingDetector(""), FakeEncoder()


def make_refusing_balls(settings):
    return RefusingDetector("ball"), FakeEncoder()
