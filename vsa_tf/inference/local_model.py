"""A model directory that answers questions about photographs."""

import functools

from tfrecords_tools.image_decoding import ImageError, decode_image
from vsa_tf.inference.live_alignment import LiveAlignment
from vsa_tf.inference.live_captioner import LiveCaptioner
from vsa_tf.inference.live_fragments import LiveFragments
from vsa_tf.inference.live_two_branch import LiveTwoBranch
from vsa_tf.inference.photograph_reader import PhotographReader
from vsa_tf.inference.sentence_reader import LiveRelations, LiveSentences
from vsa_tf.inference.signatures import SIGNATURE_INPUTS, AnswerSettings, InputError
from vsa_tf.model_dir.trained_model import TrainedModel

# As many as detectors commonly keep; a captioner of regions itself sees one at a time.
_REGIONS_TO_CAPTION = 20
# As many as threads ask about at a time (`answered_images`).
_KEPT_BATCHES = 4


class LiveModel:
    """Answers by the Python code that trained the model; `ExportedModel` answers the same.

    Args:
        model_dir: directory that `vsa_tf.train` has written.
        image_encoder: the encoder of its records, see `PhotographReader`.
        detector: the detector of its records, likewise; read only where the model sees regions.
        settings: `AnswerSettings`.

    Attributes:
        signatures: dict of name to the names of its inputs, the main one first.
        trained: the `TrainedModel`.
        reader: the `PhotographReader`.
        settings: the `AnswerSettings`.

    Raises:
        ProgramError: the model, its encoder or its detector cannot be used.
    """

    def __init__(self, model_dir, image_encoder="", detector="", settings=AnswerSettings()):
        self.trained = TrainedModel(model_dir)
        self.settings = settings
        names = self.trained.settings.model.signatures
        self.signatures = {name: SIGNATURE_INPUTS[name] for name in names}
        num_regions = self.trained.inputs["num_regions"]
        if self.of_regions:
            num_regions = _REGIONS_TO_CAPTION
        self.reader = PhotographReader(
            self.trained.inputs,
            self.trained.settings.data.image_size,
            image_encoder,
            detector if num_regions > 1 else None,
            num_regions,
        )
        # Several questions about the same photographs: their regions are found once.
        self._read_photographs = functools.lru_cache(_KEPT_BATCHES)(self._read_photographs)
        reads_dependencies = self.trained.settings.model.reads_dependencies
        read = LiveRelations if reads_dependencies else LiveSentences
        parts = (
            self.trained.model,
            self._photographs,
            read(self.trained.text, self.trained.settings.data.max_words),
        )
        if reads_dependencies:
            self._answers = LiveFragments(*parts)
        elif "align" in names:
            self._answers = LiveAlignment(*parts, settings.smoothness)
        elif "caption" in names:
            whole_frame = self.trained.settings.model.whole_frame
            self._answers = LiveCaptioner(
                *parts, settings.make_decoder(), self.of_regions, whole_frame
            )
        else:
            self._answers = LiveTwoBranch(*parts)

    @property
    def of_regions(self):
        """Whether the model is a captioner of regions."""
        return self.trained.settings.model.captions_regions

    def call(self, name, **inputs):
        """Answers one signature.

        Args:
            name: one of `signatures`.
            **inputs: its inputs, lists of one length: bytes of encoded images, or str.

        Returns:
            dict of name to numpy array, batch first; strings are arrays of str.

        Raises:
            InputError: an image cannot be read.
        """
        return getattr(self._answers, name)(**inputs)

    def _photographs(self, image_bytes):
        return self._read_photographs(tuple(image_bytes))

    def _read_photographs(self, image_bytes):
        try:
            return self.reader.batch([(data, decode_image(data)) for data in image_bytes])
        except ImageError as error:
            raise InputError(str(error)) from error
