"""Teachers: models that were trained before, whose scores of a batch's pairs a new one learns."""

import numpy as np

from vsa_tf.errors import VsaTfError
from vsa_tf.model_dir.load_split import model_view
from vsa_tf.model_dir.trained_model import TrainedModel
from vsa_tf.program import silent
from vsa_tf.scoring.embedded_split import embed_split


def make_teachers(settings, records):
    """Returns the `Teachers` of a run; None where it has none.

    Args:
        settings: `Settings`.
        records: the `RecordSplit` that it trains on.
    """
    model_dirs = getattr(settings.model, "teacher_dirs", ())
    if not model_dirs:
        return None
    return Teachers(model_dirs, settings.model.teacher_temperature, records)


class Teachers:
    """Scores the pairs of training batches by trained models, from vectors that they have made.

    A teacher's scores are divided by their standard deviation over the batch, so that one
    temperature suits cosines, distances and sums; of several teachers the mean counts.

    Args:
        model_dirs: directories that training wrote.
        temperature: T above 0, in standard deviations of a teacher's scores.
        records: the `RecordSplit` that batches are of.

    Raises:
        VsaTfError: a directory holds no trained model that compares photographs with sentences, or
            one of other features.
    """

    def __init__(self, model_dirs, temperature, records):
        self._temperature, self._records = temperature, records
        self._trained = [TrainedModel(model_dir) for model_dir in model_dirs]
        self._embedded = []
        for trained in self._trained:
            if not trained.settings.model.contrasts_images:
                raise VsaTfError(
                    "Expected --teachers to be models that compare photographs with sentences. "
                    f"Received: {trained.model_dir} with --model={trained.settings.training.model}"
                )
            trained.check_records(records)

    def embed(self, say=silent):
        """Embeds all photographs and sentences, before `scores` is called.

        In float16: of each photograph H numbers, or H for each of its regions, and the same of
        sentences and their words.

        Args:
            say: called with each line about the work.
        """
        for trained in self._trained:
            say(f"embedding {self._records.split} by {trained.model_dir}, a teacher")
            data = model_view(self._records, trained.text, trained.settings, say=say)
            self._embedded.append(embed_split(trained.model, data, dtype=np.float16))

    def scores(self, images, sentences):
        """Returns the mean of the teachers' scores, divided by T, float32 `[n, m]`.

        Args:
            images: int `[n]`, positions in the split.
            sentences: int `[m]`, likewise.
        """
        total = np.zeros((len(images), len(sentences)), np.float32)
        for trained, embedded in zip(self._trained, self._embedded, strict=True):
            scores = embedded.take(images, sentences).scores(trained.model)
            total += scores / (scores.std() or 1.0)
        return total / np.float32(self._temperature * len(self._trained))
