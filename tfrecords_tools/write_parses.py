"""Parses captions into a CoNLL-U file."""

import os
import pathlib
import re

from tfrecords_tools.conllu import conllu_sentence

_SENTENCE_ID = re.compile(rb"^# sent_id = (.*)$", re.MULTILINE)
_GENERATOR = "# generator = "
# Captions that a worker process is given at a time.
_BATCH_SIZE = 256


def write_parses(captions, path, pipeline, generator, num_workers=1, progress=None):
    """Parses captions in their order; a run that was interrupted goes on after its last parse.

    Until it is whole the file has another name, `.NAME.partial`.

    Args:
        captions: list of `(sentence_id, caption)`, `IMAGE#k` and its text.
        path: of the file.
        pipeline: a spaCy pipeline with a parser.
        generator: what parses, with its version: the file's first line names it, and no file
            holds parses of two.
        num_workers: processes that parse; 1: this one alone. The file does not depend on it.
        progress: a `Progress` of as many images as the captions have, or None.

    Returns:
        How many captions were parsed, 0 where the file is complete.

    Raises:
        ValueError: the file, or its beginning, is of other captions or another generator; or the
            pipeline has no parser.
        OSError: a file cannot be read or written.
    """
    path = pathlib.Path(path)
    if path.exists():
        if _num_parsed(path, path.read_bytes(), captions, generator) < len(captions):
            raise ValueError(f"{path} lacks captions: delete it to have it written again")
        return 0
    partial = path.with_name(f".{path.name}.partial")
    content = partial.read_bytes() if partial.exists() else b""
    # What follows the last blank line is half a sentence.
    content = content[: content.rfind(b"\n\n") + 2] if b"\n\n" in content else b""
    num_parsed = _num_parsed(partial, content, captions, generator) if content else 0
    with open(partial, "ab") as file:
        file.truncate(len(content))
        if not content:
            file.write(f"{_GENERATOR}{generator}\n".encode())
        _count_images(progress, captions, 0, num_parsed)
        _parse(captions, num_parsed, file, pipeline, num_workers, progress)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
    return len(captions) - num_parsed


def _parse(captions, start, file, pipeline, num_workers, progress):
    # White space of any length separates words alike, and would be a word to spaCy.
    texts = ((" ".join(caption.split()), name) for name, caption in captions[start:])
    docs = pipeline.pipe(texts, as_tuples=True, n_process=num_workers, batch_size=_BATCH_SIZE)
    for position, (doc, sentence_id) in enumerate(docs, start=start):
        if len(doc) and not doc.has_annotation("DEP"):
            raise ValueError("Expected a pipeline with a parser, such as en_core_web_sm")
        file.write(conllu_sentence(sentence_id, doc).encode())
        _count_images(progress, captions, position, position + 1)


def _num_parsed(path, content, captions, generator):
    """Returns how many captions a file of whole sentences has; refuses one of another run."""
    line = content.partition(b"\n")[0].decode(errors="replace")
    if line != _GENERATOR + generator:
        raise ValueError(
            f"Expected {path} to begin with {_GENERATOR + generator!r}. Received: "
            f"{line[:80]!r}; delete it, or name another file"
        )
    found = [name.decode(errors="replace") for name in _SENTENCE_ID.findall(content)]
    if found != [name for name, _ in captions[: len(found)]]:
        raise ValueError(
            f"Expected {path} to hold the first of {len(captions)} captions. Received: a file of "
            "other captions; delete it, or name another file"
        )
    return len(found)


def _count_images(progress, captions, start, end):
    """Counts the images whose last captions are among `captions[start:end]`."""
    if progress is None:
        return
    images = [name.rpartition("#")[0] for name, _ in captions[start : end + 1]]
    if end == len(captions):
        images.append(None)
    progress.add(sum(image != after for image, after in zip(images, images[1:])))
