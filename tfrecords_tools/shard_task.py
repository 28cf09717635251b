"""The unit of work: one shard."""

import collections.abc
import dataclasses
import hashlib

from tfrecords_tools.sources.source_example import SourceExample


@dataclasses.dataclass(frozen=True)
class ShardTask:
    """One shard to be written.

    Attributes:
        split: name of the split.
        file: name of the shard in the directory.
        examples: what it holds, in order; those of a generated source are made as they are read.
    """

    split: str
    file: str
    examples: collections.abc.Sequence[SourceExample]

    def run(self, writer, directory, fingerprint, report):
        """Writes the shard and then the note that says it is whole.

        Args:
            writer: a `ShardWriter`.
            directory: the `RecordDirectory`.
            fingerprint: of the settings, from `RecordDirectory.open`.
            report: called with a number of images now and then.

        Returns:
            The note: the writer's counts with `file`, `sha256` and `fingerprint`.

        Raises:
            OSError: when a file cannot be written.
        """
        path = directory.path(self.file)
        counts = writer.write(path, self.examples, report)
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        note = {**counts, "file": self.file, "sha256": digest, "fingerprint": fingerprint}
        directory.write_note(note)
        return note
