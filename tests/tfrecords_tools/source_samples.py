"""The hand-made samples of other people's formats, and what a source makes of them."""

import json
import pathlib
import shutil

SAMPLES = pathlib.Path(__file__).parents[1] / "testdata"


def copy_sample(name, folder):
    """Copies a sample, to be changed; returns its path."""
    return pathlib.Path(shutil.copytree(SAMPLES / name, folder / name))


def change_json(path, change):
    """Lets `change` alter the content of a JSON file."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def read_all(source):
    """Returns `{split: {source_id: SourceExample}}`."""
    return {
        split: {example.source_id: example for example in source.examples(split)}
        for split in source.splits()
    }


def skips(source):
    """Returns `(split, source_id, reason)` of all that was left out."""
    read_all(source)
    return [(skip.split, skip.source_id, skip.reason) for skip in source.skipped]
