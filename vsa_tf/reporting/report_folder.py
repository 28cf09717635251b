"""The folder of a report, its photographs, and what its pages are to show.

No TensorFlow here: a program asks before it is imported.
"""

import dataclasses
import io
import pathlib

from PIL import Image

from tfrecords_tools.archive import Archive
from tfrecords_tools.image_decoding import decode_image
from vsa_tf.errors import VsaTfError
from vsa_tf.file_reading import NOT_AS_EXPECTED
from vsa_tf.files import read_sealed, sealed, write_json
from vsa_tf.models.alignment.settings import SMOOTHNESS
from vsa_tf.settings import Settings

_MANIFEST = "report.json"
_WRITER = "vsa_tf.report"
_LONGEST_SIDE = 480
_QUALITY = 80


class ReportFolder:
    """Writes the files of a report; a former one in the same place is replaced.

    Args:
        output_dir: absent, empty, or the folder of a former report.

    Raises:
        VsaTfError: it is something else, which is left as it is.
    """

    def __init__(self, output_dir):
        self._path = pathlib.Path(output_dir)
        self._former = former_files(self._path)
        self._files = []
        self._path.mkdir(parents=True, exist_ok=True)
        # At once: what a run that was killed has left is known as a report.
        self._write_manifest(self._former)

    def write(self, name, content):
        """Writes a file.

        Args:
            name: its path below the folder.
            content: str, or bytes.
        """
        path = self._path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        self._files.append(name)

    def finish(self):
        """Removes what the former report alone has left."""
        for name in set(self._former) - set(self._files):
            (self._path / name).unlink(missing_ok=True)
        self._write_manifest(self._files)

    def _write_manifest(self, files):
        manifest = {"written_by": _WRITER, "files": sorted(files)}
        write_json(self._path / _MANIFEST, sealed(manifest))


def check_report(model_dirs, output_dir, options):
    """Refuses a report that cannot be written, before anything is loaded.

    Args:
        model_dirs: list of str; the pages are of the first.
        output_dir, options: those of `write_report`.

    Raises:
        VsaTfError: other files would come to harm, a model has no such pages, or what an option
            names is not there.
    """
    former_files(pathlib.Path(output_dir))
    settings, *others = map(Settings.load, model_dirs)
    model = settings.training.model
    reasons = {}
    if settings.model.family != "alignment" or settings.model.reads_dependencies:
        reasons["smoothness"] = "which aligns no words"
    if not settings.model.searches_regions:
        reasons["query"] = "which finds no regions for text"
        if settings.model.family != "alignment":  # Relations find regions, too.
            reasons["num_frequent_queries"] = reasons["query"]
    if settings.model.family != "captioning" or settings.model.captions_regions:
        reasons["retrieval_model"] = "which writes no captions of photographs"
    if settings.model.captions_regions:
        reasons["images"] = "which describes regions: store the images in the records"
    for name, reason in reasons.items():
        if getattr(options, name) != getattr(ReportOptions, name):
            raise VsaTfError(f"--{name} is not for this {model} model, {reason}; leave it out")
    if others:
        for model_dir, each in zip(model_dirs, (settings, *others)):
            _check_retrieves(each, f"--model_dir={model_dir}", "several models")
    if options.retrieval_model:
        named = f"--retrieval_model={options.retrieval_model}"
        _check_retrieves(Settings.load(options.retrieval_model), named, named)
    open_images(options.images)


def _check_retrieves(settings, named, purpose):
    if settings.model.family == "captioning" or settings.model.pairs_phrases:
        raise VsaTfError(
            f"Expected of {purpose} that they score photographs and sentences: alignment models, "
            f"or two-branch networks of --task=image_sentence. Received: {named} with the model "
            f"{settings.training.model}"
        )


def open_images(path):
    """Returns the `Archive` of photographs at a path, a directory or a zip; None for an empty one.

    Raises:
        VsaTfError: it is neither.
    """
    try:
        return Archive(path) if path else None
    except OSError as error:
        raise VsaTfError(f"--images={path}: {error}") from error


def former_files(path):
    """Returns the names of the files of a former report, list of str; nothing is made.

    Args:
        path: pathlib.Path of the folder of pages.

    Raises:
        VsaTfError: it is a file, or holds other files.
    """
    if path.exists() and not path.is_dir():
        raise VsaTfError(f"--output_dir={path} is a file, not a directory")
    if not path.is_dir() or not any(path.iterdir()):
        return []
    try:
        manifest = read_sealed(path / _MANIFEST)
        if manifest["written_by"] == _WRITER:
            # No file outside of it is removed, whatever the manifest says.
            return [name for name in manifest["files"] if _is_below(path, name)]
    except (OSError, *NOT_AS_EXPECTED):
        pass
    raise VsaTfError(
        f"Expected --output_dir to be new, empty, or an earlier report. Received: {path}, which "
        "holds other files. Choose another directory"
    )


def _is_below(path, name):
    return path.resolve() in (path / name).resolve().parents


class PhotographFolder:
    """Writes the photographs that pages ask for, each once, small and as JPEG.

    Args:
        records: the records of the split.
        folder: `ReportFolder`.
        archive: `Archive` of the photographs by their names, for records without stored images;
            None: pages draw empty frames.
        place: of the files below the folder.

    Attributes:
        missing: names of photographs that the archive lacks or that cannot be read, of those `of`
            other records too; a dict of None.
    """

    def __init__(self, records, folder, archive=None, place="photographs"):
        self._records = records
        self._folder = folder
        self._archive = archive
        self._place = place
        self._written = {}
        self.missing = {}

    def of(self, records, place):
        """Returns the `PhotographFolder` of other records, to be written below another place."""
        folder = PhotographFolder(records, self._folder, self._archive, place)
        folder.missing = self.missing
        return folder

    @property
    def absent(self):
        """What to say where frames are empty, a sentence; empty where all were found."""
        if not self._records.info.images_stored and self._archive is None:
            return "None: these records hold no photographs; --images=DIR_OR_ZIP shows them."
        if self.missing:
            return f"{len(self.missing)} are not in --images: {next(iter(self.missing))}, ..."
        return ""

    def photograph(self, image):
        """Returns `{"file", "width", "height"}` of an image by its number; file may be None."""
        image = int(image)
        if image not in self._written:
            self._written[image] = self._write(image)
        return self._written[image]

    def _write(self, image):
        pixels = self._read(image)
        if pixels is None:
            return {"file": None, "width": 4, "height": 3}
        picture = Image.fromarray(pixels)
        picture.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
        content = io.BytesIO()
        picture.save(content, "JPEG", quality=_QUALITY)
        # Numbers, not the records' names, which may be anything.
        name = f"{self._place}/{image:06d}.jpg"
        self._folder.write(name, content.getvalue())
        return {"file": name, "width": picture.width, "height": picture.height}

    def _read(self, image):
        if self._records.info.images_stored:
            return self._records.read_image(image)
        if self._archive is None:
            return None
        name = self._records.filenames[image]
        try:
            found = self._archive.locate(name)
            if found is not None:
                return decode_image(self._archive.read(found))
        except (OSError, ValueError):  # ambiguous, damaged, or no picture
            pass
        self.missing[name] = None
        return None


@dataclasses.dataclass(frozen=True)
class ReportOptions:
    """Settings of `write_report`.

    Attributes:
        query: snippets whose best regions are shown besides the split's frequent ones.
        num_frequent_queries: of those.
        images_per_page: images on a page.
        max_images: how many images of the split, from the first, the pages of images and of
            phrases show, and the pages of a few examples choose from; 0: all. All else is of the
            whole split: neighbours, and what queries and retrieval find.
        seed: of the intervals.
        smoothness: beta of the chain that cuts sentences into snippets (`smooth_alignment`).
        images: directory or zip of the photographs, for records that hold none.
        retrieval_model: of a caption generator's report: model_dir of a model that finds the
            training sentence that fits a photograph best.
    """

    query: tuple = ()
    num_frequent_queries: int = 20
    images_per_page: int = 50
    max_images: int = 0
    seed: int = 0
    smoothness: float = SMOOTHNESS
    images: str = ""
    retrieval_model: str = ""

    def shown(self, images):
        """Returns those of a sequence of images that pages show one by one."""
        return images[: self.max_images] if self.max_images else images
