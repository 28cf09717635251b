"""A version folder as it lies on the disk."""

import dataclasses
import pathlib
import time


@dataclasses.dataclass(frozen=True)
class VersionFolder:
    """A folder that may still be being copied.

    Attributes:
        path: of the folder.
        fingerprint: another one once a file has been added, removed or written to.
        changed_at: seconds since the epoch, of the last change.
    """

    path: pathlib.Path
    fingerprint: int
    changed_at: float

    @classmethod
    def read(cls, path):
        """Returns the folder at `path` as it is now."""
        files = []
        for file in sorted(path.rglob("*")):
            try:
                status = file.stat()
            except FileNotFoundError:  # gone since it was listed
                continue
            # Not the time of modification, which copying programs set to that of the original.
            files.append((str(file), status.st_size, status.st_ctime))
        changed_at = max((changed_at for _, _, changed_at in files), default=0.0)
        return cls(path, hash(tuple(files)), changed_at)

    def is_settled(self, seconds):
        """Whether nothing in it has changed for `seconds`: copying it has ended."""
        return time.time() - self.changed_at >= seconds
