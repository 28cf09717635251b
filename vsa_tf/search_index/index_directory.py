"""What an index says of itself."""

import dataclasses
import json
import pathlib

from vsa_tf.files import write_atomically
from vsa_tf.program import ProgramError

_FILE = "index.json"
_FORMAT = 1
DTYPES = ("float32", "float16")


@dataclasses.dataclass(frozen=True)
class IndexManifest:
    """Kept as `index.json` in the index's directory.

    Attributes:
        model: dict that makes the `ModelSource` which embedded the entries.
        score: how vectors are compared, one of `SCORES`.
        dtype: of the stored vectors, one of `DTYPES`.
        probes: dict of `images` and `sentences` to a list of floats, the summary of the model's
            `probe` of each.
    """

    model: dict
    score: str
    dtype: str
    probes: dict

    def save(self, index_dir):
        """Writes the manifest into a directory."""
        text = json.dumps({"format": _FORMAT, **vars(self)}) + "\n"
        write_atomically(pathlib.Path(index_dir) / _FILE, text.encode())

    @classmethod
    def load(cls, index_dir):
        """Reads the manifest of a directory.

        Returns:
            The manifest; None where there is none.

        Raises:
            ProgramError: it is damaged or of another version.
        """
        path = pathlib.Path(index_dir) / _FILE
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            version = values.pop("format")
            if version != _FORMAT:
                raise ValueError(f"its format is {version}, and this program's is {_FORMAT}")
            return cls(**values)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ProgramError(
                f"{path} is no index that can be read: {error}. Build another in a new directory"
            ) from error
