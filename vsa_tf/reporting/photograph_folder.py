"""The photographs of a report, as files beside its pages."""

import io

from PIL import Image

_LONGEST_SIDE = 480
_QUALITY = 80
_PROGRESS_EVERY = 250


class PhotographFolder:
    """Writes the photographs that pages ask for, each once, small and as JPEG.

    Args:
        records: the records of the split; without stored images pages draw empty frames.
        folder: `ReportFolder`.
    """

    def __init__(self, records, folder):
        self._records = records
        self._folder = folder
        self._written = {}

    def photograph(self, image):
        """Returns `{"file", "width", "height"}` of an image by its number; file may be None."""
        image = int(image)
        if image not in self._written:
            self._written[image] = self._write(image)
            if len(self._written) % _PROGRESS_EVERY == 0:
                print(f"photographs of {len(self._written)} images", flush=True)
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
