"""Detectors given as a SavedModel or a TF-Hub handle."""

import pathlib


class SavedModelDetector:
    """An object detector with the common TF-Hub signature.

    uint8 `[1, h, w, 3]` to `detection_boxes [1, K, 4]` normalised, `detection_scores [1, K]` and
    `num_detections [1]`.
    """

    def __init__(self, handle):
        from tfrecords_tools.saved_model import SavedModel

        self.model, self.name = SavedModel(handle), pathlib.Path(handle).name
        outputs = self.model.signature.structured_outputs
        missing = {"detection_boxes", "detection_scores"} - set(outputs)
        if missing:
            raise ValueError(
                f"Expected an object detector with outputs detection_boxes and detection_scores. "
                f"Received: {handle!r} with outputs {sorted(outputs)}"
            )

    def describe(self):
        return {"spec": self.name, "sha256": self.model.checksum}

    def detect(self, images, examples):
        return [self._detect_one(image) for image in images]

    def _detect_one(self, image):
        import tensorflow as tf

        outputs = self.model(tf.constant(image[None]))
        boxes = outputs["detection_boxes"].numpy()[0]
        count = len(boxes)
        if "num_detections" in outputs:
            count = int(outputs["num_detections"].numpy()[0])
        return boxes[:count], outputs["detection_scores"].numpy()[0, :count]
