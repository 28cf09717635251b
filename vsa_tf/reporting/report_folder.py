"""The folder of a report, its photographs, and what its pages are to show.

No TensorFlow here: a program asks before it is imported.
"""

import dataclasses
import io
import pathlib

from PIL import Image

from vsa_tf.errors import VsaTfError
from vsa_tf.file_reading import NOT_AS_EXPECTED, read_json
from vsa_tf.files import write_json
from vsa_tf.models.alignment.settings import SMOOTHNESS
from vsa_tf.program import silent
from vsa_tf.settings import Settings

_MANIFEST = "report.json"
_WRITER = "vsa_tf.report"
_LONGEST_SIDE = 480
_QUALITY = 80
_PROGRESS_EVERY = 250


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
        write_json(self._path / _MANIFEST, {"written_by": _WRITER, "files": sorted(files)})


def check_report(model_dir, output_dir, options):
    """Refuses a report that cannot be written, before anything is loaded.

    Args: those of `write_report`.

    Raises:
        VsaTfError: other files would come to harm, or the model has no such pages.
    """
    former_files(pathlib.Path(output_dir))
    settings = Settings.load(model_dir)
    model = settings.training.model
    if settings.model.reads_dependencies:
        raise VsaTfError(
            f"The pages show words and their boxes; this {model} model reads dependency relations: "
            f"see metrics.json and pictures of {model_dir}"
        )
    reasons = {}
    if settings.model.family != "alignment":
        reasons["smoothness"] = "which aligns no words"
    if not settings.model.searches_regions:
        reasons |= dict.fromkeys(
            ("query", "num_frequent_queries"), "which finds no regions for text"
        )
    for name, reason in reasons.items():
        if getattr(options, name) != getattr(ReportOptions, name):
            raise VsaTfError(f"--{name} is not for this {model} model, {reason}; leave it out")


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
        manifest = read_json(path / _MANIFEST)
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
        records: the records of the split; without stored images pages draw empty frames.
        folder: `ReportFolder`.
        say: called with a line now and then.
    """

    def __init__(self, records, folder, say=silent):
        self._records = records
        self._folder = folder
        self._say = say
        self._written = {}

    def photograph(self, image):
        """Returns `{"file", "width", "height"}` of an image by its number; file may be None."""
        image = int(image)
        if image not in self._written:
            self._written[image] = self._write(image)
            if len(self._written) % _PROGRESS_EVERY == 0:
                self._say(f"photographs of {len(self._written)} images")
        return self._written[image]

    def _write(self, image):
        if not self._records.info.images_stored:
            return {"file": None, "width": 4, "height": 3}
        picture = Image.fromarray(self._records.read_image(image))
        picture.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
        content = io.BytesIO()
        picture.save(content, "JPEG", quality=_QUALITY)
        # Numbers, not the records' names, which may be anything.
        name = f"photographs/{image:06d}.jpg"
        self._folder.write(name, content.getvalue())
        return {"file": name, "width": picture.width, "height": picture.height}


@dataclasses.dataclass(frozen=True)
class ReportOptions:
    """Settings of `write_report`.

    Attributes:
        query: snippets whose best regions are shown besides the split's frequent ones.
        num_frequent_queries: of those.
        images_per_page: images on a page.
        max_images: images that have a place on the pages, from the first; 0: all. Metrics are of
            the whole split.
        seed: of the intervals.
        smoothness: beta of the chain that cuts sentences into snippets (`smooth_alignment`).
    """

    query: tuple = ()
    num_frequent_queries: int = 20
    images_per_page: int = 50
    max_images: int = 0
    seed: int = 0
    smoothness: float = SMOOTHNESS

    def shown(self, images):
        """Returns those of a sequence of images that have a place on the pages."""
        return images[: self.max_images] if self.max_images else images
