"""What an evaluation may look at besides its split, read from directories when it is asked for."""

import pathlib

import numpy as np

from vsa_tf.errors import VsaTfError, named
from vsa_tf.model_dir.load_split import images_view, model_view, read_records
from vsa_tf.model_dir.trained_model import TrainedModel
from vsa_tf.program import silent


class StoredSplits:
    """The splits of a data set as a trained model sees them, each read once, and other models.

    Args:
        trained: the `TrainedModel`.
        data_dir: directory of records.
        fits: whether something may be fitted to the training split, see `model_view`.
        shortlist_model: model_dir of the alignment model that makes shortlists, or None.
        neighbor_model: model_dir of the alignment model or embedding network by whose vectors
            images are similar, or None.
        phrase_model: model_dir of an embedding network of regions and phrases, or of a
            `FragmentModel`; or None.
        retrieval_model: model_dir of a model of images and sentences; or None. All are read now,
            before anything that takes its time.
        say: called with each line about the work.
        described: see `model_view`.

    Attributes: those of `GivenSplits`.

    Raises:
        VsaTfError: a model cannot be used; later, a split cannot, or has other features than the
            model of shortlists, neighbours or retrieval learnt from.
    """

    def __init__(
        self,
        trained,
        data_dir,
        fits=False,
        shortlist_model=None,
        neighbor_model=None,
        phrase_model=None,
        retrieval_model=None,
        say=silent,
        described=None,
    ):
        self._trained = trained
        self._described = described
        self._data_dir = data_dir
        self._fits = fits
        self._say = say
        self._records, self._loaded = {}, {}
        shortlist, neighbor, retrieval = (
            OtherModel(name, model_dir, say) if model_dir else None
            for name, model_dir in (
                ("shortlist_model", shortlist_model),
                ("neighbor_model", neighbor_model),
                ("retrieval_model", retrieval_model),
            )
        )
        self._others = [each for each in (shortlist, neighbor, retrieval) if each]
        self.shortlist_model = shortlist.load if shortlist else None
        self.neighbor_model = neighbor.load_images if neighbor else None
        phrases = PhraseModel("phrase_model", phrase_model, say) if phrase_model else None
        self.phrase_model = phrases.load if phrases else None
        self.retrieval_model = retrieval.load if retrieval else None

    def load(self, split):
        """Returns the `SplitData` of a split by its name, as `described` says."""
        return self._view(split, self._described)

    def _view(self, split, described):
        if split not in self._records:
            records = read_records(self._data_dir, split, self._say)
            self._trained.check_records(records, self._say)
            for model in self._others:  # before anything is evaluated
                model.check_records(records)
            self._records[split] = records
        if (split, described) not in self._loaded:
            trained = self._trained
            for_training = self._fits and split == trained.settings.training.train_split
            self._loaded[split, described] = model_view(
                self._records[split],
                trained.text,
                trained.settings,
                for_training,
                self._say,
                described,
            )
        return self._loaded[split, described]

    @property
    def training(self):
        """`SplitData` of the training split, seen as the others are."""
        return self.load(self._trained.settings.training.train_split)

    @property
    def learnt(self):
        """`SplitData` of the training split as the model has learnt from it."""
        return self._view(self._trained.settings.training.train_split, None)

    @property
    def dev(self):
        """`SplitData` of the dev split."""
        return self.load(self._trained.settings.training.dev_split)


class OtherModel:
    """A trained model that an evaluation consults, and the records of a split as it sees them.

    Args:
        name: of the flag that names it.
        model_dir: directory that training wrote.
        say: called with each line about the work.
    """

    def __init__(self, name, model_dir, say=silent):
        self._flag = f"--{name}={model_dir}"
        with named(self._flag):
            self._trained = TrainedModel(model_dir)
        self._say = say

    def check_records(self, records):
        """Refuses a `RecordSplit` with other features than it was trained on, a VsaTfError."""
        with named(self._flag):
            self._trained.check_records(records)

    def load(self, records):
        """Returns the model and the `SplitData` that it reads of a `RecordSplit`.

        Raises:
            VsaTfError: it was trained on other features.
        """
        trained = self._trained
        self.check_records(records)
        data = model_view(records, trained.text, trained.settings, say=self._say)
        return trained.model, data

    def load_images(self, records):
        """Returns the model and the `InputPipeline` of a `RecordSplit`'s images as it sees them.

        Raises:
            VsaTfError: it was trained on other features.
        """
        self.check_records(records)
        return self._trained.model, images_view(records, self._trained.settings.data)


class PhraseModel(OtherModel):
    """A model of regions and parts of sentences: of phrases, or a `FragmentModel`.

    It may have learnt from other records of the same photographs, with other regions: then its own
    are read.
    """

    def load(self, records):
        """Returns the model and the `SplitData` of a split, of its phrases where it reads these.

        Args:
            records: the `RecordSplit`.

        Raises:
            VsaTfError: its records cannot be read, or are of other photographs or captions.
        """
        return super().load(self._own_records(records))

    def _own_records(self, records):
        settings, inputs, info = self._trained.settings, self._trained.inputs, records.info
        num_regions = info.used_regions(settings.data.num_regions)
        received = {"encoder": info.encoder, "detector": info.detector, "num_regions": num_regions}
        if all(inputs[name] == value for name, value in received.items()):
            return records
        own = read_records(settings.data.data_dir, records.split, self._say)
        check_same_pairs(records, own, ", which --phrase_model was trained on,")
        return own


def check_same_pairs(records, other, named=""):
    """Refuses records of other photographs or captions, or of these in another order.

    Photographs are told by the names of their files, wherever these lay.

    Args:
        records, other: the `RecordSplit`s.
        named: what the message says of where `other` comes from.

    Raises:
        VsaTfError: names what differs first.
    """
    difference = _difference(records, other)
    if difference:
        raise VsaTfError(
            f"Expected {other.info.data_dir}{named} to hold the photographs and captions of "
            f"{records.info.data_dir} in split {records.split}, in their order. Received: "
            f"{difference}"
        )


def _difference(records, other):
    pairs = (("photograph", records.filenames, other.filenames),)
    pairs += (("caption", records.captions, other.captions),)
    for what, expected, received in pairs:
        for number, (ours, theirs) in enumerate(zip(expected, received), 1):
            if what == "photograph":
                ours, theirs = pathlib.PurePath(ours).name, pathlib.PurePath(theirs).name
            if ours != theirs:
                return f"{what} {number} is {theirs!r}, not {ours!r}"
        if len(expected) != len(received):
            return f"{len(received)} {what}s, not {len(expected)}"
    if not np.array_equal(records.first_caption, other.first_caption):
        return "the same captions, of other photographs"
    return ""


def check_fold_size(options, records):
    """Refuses folds of more images than a split has.

    Args:
        options: `EvaluationOptions`.
        records: the `RecordSplit`.
    """
    if options.fold_size > records.num_images:
        raise VsaTfError(
            f"Expected --fold_size of at most the {records.num_images} images of split "
            f"{records.split}. Received: --fold_size={options.fold_size}"
        )
