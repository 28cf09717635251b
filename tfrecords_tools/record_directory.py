"""The directory of records while it is written: what is whole, what is not, and who may write.

Beside the shards lie, until all is done: `.write_settings.json` (what the records are made from),
a note `.SHARD.json` for each shard that is whole, and a lock. Every file appears under its name
only when it is complete.
"""

import contextlib
import hashlib
import json
import os
import uuid

from vsa_tf.data import schema
from vsa_tf.files import json_text, lock_file, read_sealed, sealed

_SETTINGS = ".write_settings.json"
_LOCK = ".write_lock"
_IDENTITY = ("schema_version", "dataset", "settings", "sources", "encoder", "detector")


class RecordDirectory:
    """A directory that records are written to.

    Args:
        path: the directory; made if it is missing.

    Raises:
        OSError: when it cannot be made.
    """

    def __init__(self, path):
        self._path = os.fspath(path)
        os.makedirs(self._path, exist_ok=True)

    def path(self, name):
        """Returns the path of a file in the directory."""
        return os.path.join(self._path, name)

    @contextlib.contextmanager
    def locked(self):
        """Keeps other runs out; the lock of a killed run is free.

        Raises:
            OSError: when another run is writing here.
        """
        with open(self.path(_LOCK), "w") as file:
            lock_file(
                file,
                OSError(
                    f"Another run is writing to {self._path!r}. Wait for it, or give another "
                    "--output_dir."
                ),
            )
            try:
                yield
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.remove(self.path(_LOCK))

    def check(self, identity):
        """Refuses to mix records: checks what lies here against what is to be written.

        Where no shard lies, there are no records, whatever an ended run was about to write.

        Args:
            identity: dict of everything known so far that the records depend on.

        Raises:
            ValueError: naming the first differences.
        """
        there = self.info()
        if there is not None:
            there = _identity_of(there)
        else:
            shards = [name for name in sorted(os.listdir(self._path)) if ".tfrecord" in name]
            shards = [name for name in shards if not name.startswith(".")]
            if not shards:
                return  # settings alone are of a run that came to nothing
            there = self._read_json(_SETTINGS)
            if there is None:
                raise ValueError(
                    f"Expected an empty directory or one of this program. Received: "
                    f"{self._path!r}, which holds {shards[0]} but no {schema.DATASET_INFO}. Give "
                    "another --output_dir."
                )
        here = _flatten(identity)
        there = _flatten({key: there.get(key) for key in identity})
        differences = [
            f"{key} is {there.get(key, 'absent')} there and {here.get(key, 'absent')} now"
            for key in sorted({*here, *there})
            if here.get(key) != there.get(key)
        ]
        if differences:
            more = f" (and {len(differences) - 3} more)" if len(differences) > 3 else ""
            raise ValueError(
                f"{self._path!r} holds records of other settings: {'; '.join(differences[:3])}"
                f"{more}. Empty it or give another --output_dir."
            )

    def open(self, identity):
        """Makes the directory ready for shards of these settings, new or begun.

        Args:
            identity: dict of all that the records depend on.

        Returns:
            The fingerprint of the identity, which goes into the notes.

        Raises:
            ValueError: as `check`.
            OSError: when the settings cannot be written.
        """
        identity = json.loads(json.dumps(identity))
        self.check(identity)
        self.remove_partials()
        if self.info() is None:
            self._write_json(_SETTINGS, identity)
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()

    def info(self):
        """Returns `dataset_info.json`, or None before all is written."""
        return self._read_json(schema.DATASET_INFO)

    def is_whole(self, name, sha256):
        """Returns whether the file `name` is there with this checksum."""
        try:
            with open(self.path(name), "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == sha256
        except FileNotFoundError:
            return False

    def note(self, name, fingerprint):
        """Returns the note of a shard that is whole and of these settings, or None."""
        note = self._read_json(f".{name}.json")
        if note is None or note.get("fingerprint") != fingerprint:
            return None
        return note if self.is_whole(name, note.get("sha256")) else None

    def noted(self):
        """Returns the names of the shards that have notes, of whatever settings."""
        names = os.listdir(self._path)
        return {name[1:-5] for name in names if _is_note(name)}

    def write_note(self, note):
        """Writes the note of a shard: from now on it counts as whole."""
        self._write_json(f".{note['file']}.json", note)

    def finish(self, info):
        """Writes `dataset_info.json`, with which readers take the records as complete."""
        self._write_json(schema.DATASET_INFO, info)
        self.clean()

    def remove_partials(self):
        """Removes what ended runs have left unfinished."""
        for name in os.listdir(self._path):
            if name.startswith(".") and ".partial-" in name:
                os.remove(self.path(name))

    def clean(self):
        """Removes the notes and settings of a finished directory."""
        for name in os.listdir(self._path):
            if name == _SETTINGS or _is_note(name):
                os.remove(self.path(name))

    def _read_json(self, name):
        try:
            return read_sealed(self.path(name))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise ValueError(f"{self.path(name)!r} is damaged ({error}). Remove it.") from None

    def _write_json(self, name, content):
        partial = self.path(f".{name}.partial-{uuid.uuid4().hex}")
        try:
            with open(partial, "w", encoding="utf-8") as file:
                file.write(json_text(sealed(dict(sorted(content.items()))), indent=2) + "\n")
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, self.path(name))
        except OSError:
            with contextlib.suppress(FileNotFoundError):
                os.remove(partial)
            raise
        self._sync()

    def _sync(self):
        """Makes the new name as lasting as the file."""
        descriptor = os.open(self._path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError:
            pass  # not every file system can
        finally:
            os.close(descriptor)


def _is_note(name):
    return name.startswith(".") and name.endswith(".tfrecord.json")


def _identity_of(info):
    identity = {key: info.get(key) for key in _IDENTITY}
    splits = info.get("splits") or {}
    identity["splits"] = {name: len(split.get("shards", ())) for name, split in splits.items()}
    return identity


def _flatten(value, prefix=""):
    if isinstance(value, dict) and value:
        return {
            key: item
            for name, part in value.items()
            for key, item in _flatten(part, f"{prefix}.{name}" if prefix else str(name)).items()
        }
    return {prefix: value}
