"""Teachers: models that were trained before, whose scores of a batch's pairs a new one learns."""

import keras
import numpy as np

from vsa_tf.errors import VsaTfError, named
from vsa_tf.files import file_sha256
from vsa_tf.model_dir.load_split import dependencies_to_learn, model_view
from vsa_tf.model_dir.trained_model import TrainedModel, check_features
from vsa_tf.program import silent
from vsa_tf.scoring.embedded_split import embed_split
from vsa_tf.settings import Settings


def check_teachers(settings, info):
    """Refuses teachers of other features than a run's, before its records are read.

    Args:
        settings: `Settings`.
        info: the `DatasetInfo` of its records.

    Raises:
        VsaTfError: names the teacher.
    """
    for model_dir in getattr(settings.model, "teacher_dirs", ()):
        with named(f"--teachers={model_dir}"):
            check_features(Settings.load_inputs(model_dir), info)


def make_teachers(settings, records, say=silent):
    """Returns the `Teachers` of a run, which have embedded nothing yet; None where it has none.

    Args:
        settings: `Settings`.
        records: the `RecordSplit` that it trains on.
        say: called with each line about the work.

    Raises:
        VsaTfError: a directory holds no model that can be read, or one of other records.
    """
    model_dirs = getattr(settings.model, "teacher_dirs", ())
    if not model_dirs:
        return None
    return Teachers(model_dirs, settings.model.teacher_temperature, records, say)


def check_same_teachers(progress, teachers):
    """Refuses to go on with other teachers than a run began with; notes these in its progress.

    Args:
        progress: the progress dict of the run.
        teachers: `Teachers`.

    Raises:
        VsaTfError: a teacher has been trained on since, or another stands in its place.
    """
    began = progress.setdefault("teachers", teachers.fingerprints)
    for model_dir, was, now in zip(teachers.model_dirs, began, teachers.fingerprints):
        if was != now:
            raise VsaTfError(
                f"--teachers={model_dir} holds other weights than when the run began. Restore "
                "them, or use another --model_dir"
            )


class Teachers:
    """Scores the pairs of training batches by trained models, from vectors that they have made.

    A teacher's scores are divided by their standard deviation over the batch, so that one
    temperature suits cosines, distances and sums; of several teachers the mean counts. They see
    photographs as they are, whatever `--augmentation` makes of them.

    Args:
        model_dirs: directories that training wrote, of fragment models and embedding networks.
        temperature: T above 0, in standard deviations of a teacher's scores.
        records: the `RecordSplit` that batches are of.
        say: called with each line about the work.

    Attributes:
        model_dirs: the argument.
        fingerprints: of the weights of each, a list of str.

    Raises:
        VsaTfError: a directory holds no model that can be read, or one of other records.
    """

    def __init__(self, model_dirs, temperature, records, say=silent):
        self.model_dirs = model_dirs
        self._temperature, self._records, self._say = temperature, records, say
        # Whatever the precision of the run, they score as evaluations do.
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy("float32")
        try:
            self._to_embed = [self._load(model_dir) for model_dir in model_dirs]
        finally:
            keras.config.set_dtype_policy(before)
        self.fingerprints = [
            file_sha256(each.model_dir / "checkpoint_best.npz") for each in self._to_embed
        ]
        self._embedded = []

    def _load(self, model_dir):
        with named(f"--teachers={model_dir}"):
            trained = TrainedModel(model_dir)
            trained.check_records(self._records, self._say)
            dependencies_to_learn(self._records, trained.settings)  # refuses records without
        if not (trained.model_dir / "metrics.json").is_file():
            self._say(f"--teachers={model_dir} has not been trained to its end: its best so far")
        return trained

    def embed(self):
        """Embeds all photographs and sentences, before `scores` is called.

        In float16: of each photograph H numbers, or H for each of its regions, and the same of
        sentences and their words.

        Raises:
            VsaTfError: a vector is not finite.
        """
        while self._to_embed:
            trained = self._to_embed.pop(0)
            self._say(f"embedding {self._records.split} by {trained.model_dir}, a teacher")
            data = model_view(self._records, trained.text, trained.settings, say=self._say)
            embedded = embed_split(trained.model, data, dtype=np.float16)
            arrays = [each for each in vars(embedded).values() if each is not None]
            if not all(np.isfinite(each).all() for each in arrays):
                raise VsaTfError(
                    f"--teachers={trained.model_dir}: expected finite vectors. Received: NaN or "
                    "infinity: the model has diverged"
                )
            self._embedded.append((trained.model, embedded))

    def scores(self, images, sentences):
        """Returns the mean of the teachers' scores, divided by T, float32 `[n, m]`.

        Args:
            images: int `[n]`, positions in the split.
            sentences: int `[m]`, likewise.
        """
        total = np.zeros((len(images), len(sentences)), np.float32)
        for model, embedded in self._embedded:
            scores = embedded.take(images, sentences).scores(model)
            total += scores / (scores.std() or 1.0)
        return total / np.float32(self._temperature * len(self._embedded))
