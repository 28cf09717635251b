"""Teachers: models that were trained before, and what a new one learns from them.

Of pairs how they score them, of caption generators what they write.
"""

import dataclasses
import hashlib

import keras
import numpy as np

from vsa_tf.data.caption_rows import TokenStore
from vsa_tf.errors import VsaTfError, named
from vsa_tf.evaluation.caption_methods import CaptionMethods
from vsa_tf.evaluation.evaluation import CaptionOptions
from vsa_tf.files import file_sha256
from vsa_tf.model_dir.load_split import dependencies_to_learn, model_view
from vsa_tf.model_dir.trained_model import TrainedModel, check_features
from vsa_tf.program import silent
from vsa_tf.scoring.embedded_split import embed_split
from vsa_tf.settings import Settings
from vsa_tf.training.learn_text import unknown_words_line

# Beams of a teacher that writes captions.
_NUM_HYPOTHESES = 10


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
    """Returns the `Teachers` of a run, which have done nothing yet; None where it has none.

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
    if settings.model.family == "captioning":
        return WritingTeachers(model_dirs, settings.data.max_words, records, say)
    return ScoringTeachers(model_dirs, settings.model.teacher_temperature, records, say)


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


def check_same_captions(progress, learnt):
    """Refuses to go on with other captions than a run began with; notes them in its progress.

    What teachers write anew, elsewhere or by other libraries, may be other captions, and batches
    would be put together otherwise.

    Args:
        progress: the progress dict of the run.
        learnt: the `SplitData` that steps learn from.

    Raises:
        VsaTfError: the captions are other ones.
    """
    now = hashlib.sha256(learnt.tokens.packed_ids.tobytes()).hexdigest()
    if progress.setdefault("learnt", now) != now:
        raise VsaTfError(
            "--teachers write other captions here than when the run began. Go on where and as it "
            "began, or use another --model_dir"
        )


class Teachers:
    """Trained models from which another one learns; the base of those that score and that write.

    They see photographs as they are, whatever `--augmentation` makes of them.

    Args:
        model_dirs: directories that training wrote.
        records: the `RecordSplit` that is trained on.
        say: called with each line about the work.

    Attributes:
        model_dirs: the argument.
        fingerprints: of the weights of each, a list of str.

    Raises:
        VsaTfError: a directory holds no model that can be read, or one of other records.
    """

    def __init__(self, model_dirs, records, say=silent):
        self.model_dirs = model_dirs
        self._records, self._say = records, say
        # Whatever the precision of the run, they compute as evaluations do.
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy("float32")
        try:
            self._waiting = [self._load(model_dir) for model_dir in model_dirs]
        finally:
            keras.config.set_dtype_policy(before)
        self.fingerprints = [
            file_sha256(each.model_dir / "checkpoint_best.npz") for each in self._waiting
        ]

    def learnt(self, train):
        """Returns the `SplitData` that steps learn from, where `train` is without teachers."""
        raise NotImplementedError

    def _load(self, model_dir):
        with named(f"--teachers={model_dir}"):
            trained = TrainedModel(model_dir)
            trained.check_records(self._records, self._say)
            dependencies_to_learn(self._records, trained.settings)  # refuses records without
        if not (trained.model_dir / "metrics.json").is_file():
            self._say(f"--teachers={model_dir} has not been trained to its end: its best so far")
        return trained

    def _seen(self, work):
        """Yields each teacher, which is then forgotten, and the `SplitData` that it sees."""
        while self._waiting:
            trained = self._waiting.pop(0)
            self._say(f"{work} {self._records.split} by {trained.model_dir}, a teacher")
            yield trained, model_view(self._records, trained.text, trained.settings, say=self._say)


class ScoringTeachers(Teachers):
    """Score the pairs of training batches, from vectors that they have made: fragment models and
    embedding networks.

    A teacher's scores are divided by their standard deviation over the batch, so that one
    temperature suits cosines, distances and sums; of several teachers the mean counts.

    Args:
        temperature: T above 0, in standard deviations of a teacher's scores.
        model_dirs, records, say: see `Teachers`.
    """

    def __init__(self, model_dirs, temperature, records, say=silent):
        super().__init__(model_dirs, records, say)
        self._temperature = temperature
        self._embedded = []

    def learnt(self, train):
        self.embed()
        return dataclasses.replace(train, pipeline=train.pipeline.taught_by(self))

    def embed(self):
        """Embeds all photographs and sentences, before `scores` is called.

        In float16: of each photograph H numbers, or H for each of its regions, and the same of
        sentences and their words.

        Raises:
            VsaTfError: a vector is not finite.
        """
        for trained, data in self._seen("embedding"):
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


class WritingTeachers(Teachers):
    """Write captions of the training photographs, to be learnt in the place of people's.

    Of a photograph with c captions those c of their best beams are taken that are most like what
    people wrote (CIDEr-D with all of these): they say what is seen in the words that a generator
    finds by itself, so that the likeliest word leads where a wide search leads.

    Args:
        max_words: longer captions lose their end.
        model_dirs, records, say: see `Teachers`.

    Reference: Kim and Rush, Sequence-level knowledge distillation, EMNLP 2016, section 3.3
    (interpolation).
    """

    def __init__(self, model_dirs, max_words, records, say=silent):
        super().__init__(model_dirs, records, say)
        self._max_words = max_words

    def learnt(self, train):
        written = [[] for _ in range(self._records.num_images)]
        options = CaptionOptions(num_hypotheses=_NUM_HYPOTHESES)
        for trained, data in self._seen("writing captions of"):
            methods = CaptionMethods(trained.model, data, trained.settings.model, options, None)
            for texts, more in zip(written, methods.hypotheses.texts):
                texts += (text for text in more if text and text not in texts)
        captions = self._most_like_people(train, written)
        tokens = TokenStore.from_captions(captions, train.text.encode, self._max_words)
        pipeline = train.pipeline.with_tokens(tokens)
        learnt = dataclasses.replace(train, tokens=tokens, pipeline=pipeline)
        if line := unknown_words_line(learnt):
            self._say(line)
        return learnt

    def _most_like_people(self, train, written):
        """Returns as many captions of each image as people wrote; theirs where none was written."""
        ranking = CaptionMethods.of_texts(train, written).oracle("cider")
        captions, first_caption = list(train.records.captions), train.records.first_caption
        likeness, num_repeated, num_left = [], 0, 0
        for image, (texts, order) in enumerate(zip(written, ranking.order)):
            first, last = first_caption[image : image + 2]
            best = [texts[place] for place in order[: last - first]]
            if not best:
                num_left += last - first
                continue
            # Where fewer were written than people wrote, the best are learnt again.
            for place in range(first, last):
                captions[place] = best[(place - first) % len(best)]
            num_repeated += last - first - len(best)
            likeness.append(ranking.scores[image][order[0]])
        self._say(
            f"{len(captions)} captions to learn, {num_repeated} of them again, {num_left} as "
            "people wrote them; the best of each photograph have a CIDEr-D of "
            f"{np.mean(likeness or [0.0]):.3g} with people's"
        )
        return captions
