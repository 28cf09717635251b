"""Dependency parses of captions, from and to CoNLL-U."""

import os
import pathlib
import re
from typing import NamedTuple

from vsa_tf.file_reading import is_count, read_lines

_NUM_COLUMNS = 10
_FORM, _UPOS, _HEAD, _DEPREL = 1, 3, 6, 7
_SENTENCE_ID = re.compile(r"#\s*sent_id\s*=\s*(.*?)\s*")
_CAPTION = re.compile(r"(.+)#([0-9]{1,9})")
# `3-4`, the surface form of several words, and `8.1`, a word that is not there.
_NO_WORD = re.compile(r"[0-9]{1,9}([-.])([0-9]{1,9})")
# Of files that are written here.
_GENERATOR = "# generator = "
_WRITTEN_ID = re.compile(rb"^# sent_id = (.*)$", re.MULTILINE)
# Captions that a process of the parser is given at a time.
_BATCH_SIZE = 256


class ParsedCaption(NamedTuple):
    """The typed dependency relations of one caption.

    Attributes:
        image: name of the photograph, the part of `sent_id` before its last `#`.
        caption_index: which of its captions, from 0.
        relations: tuple of `(relation, head, dependent)`, head and dependent as written, in the
            order of the dependents. What hangs from the root, and punctuation, is no relation
            between words: a caption of one word has none.
        tokens: what the caption is written with, punctuation too: its words, and in place of those
            of a multiword token its surface form.
    """

    image: str
    caption_index: int
    relations: tuple[tuple[str, str, str], ...]
    tokens: tuple[str, ...]


class SkippedParse(NamedTuple):
    """A sentence of the file that gives no `ParsedCaption`.

    Attributes:
        line: where the sentence begins, from 1.
        sentence_id: as written; empty where there is none.
        reason: what is wrong.
    """

    line: int
    sentence_id: str
    reason: str


class ConlluFile:
    """Reads the captions of a CoNLL-U file one by one.

    A comment `# sent_id = IMAGE#k` ties a parse to caption k of an image. Multiword tokens and
    empty nodes have no relations: the words that they stand for, or stand among, have. Enhanced
    dependencies are not read.

    Args:
        path: a file in UTF-8, of any size.

    Attributes:
        skipped: list of `SkippedParse`, filled while the file is read: sentences with no `sent_id`
            of that form, a `sent_id` that came before, no words, no parse, or a parse that is no
            tree (a head that does not exist, a cycle).

    Reference: Universal Dependencies, CoNLL-U Format,
    https://universaldependencies.org/format.html
    """

    def __init__(self, path):
        self.path = path
        self.skipped = []

    def __iter__(self):
        """Yields each `ParsedCaption`, in the file's order.

        Raises:
            OSError: the file cannot be read.
            ValueError: it is not CoNLL-U, with the line, or holds no sentence.
        """
        self.skipped.clear()
        seen = set()
        sentence = None
        for sentence in self._sentences():
            reason = sentence.fault()
            if reason is None and sentence.sentence_id in seen:
                reason = "its sent_id came before"
            if reason is not None:
                self.skipped.append(SkippedParse(sentence.line, sentence.sentence_id, reason))
                continue
            seen.add(sentence.sentence_id)
            image, index = _CAPTION.fullmatch(sentence.sentence_id).groups()
            yield ParsedCaption(image, int(index), sentence.relations(), tuple(sentence.tokens))
        if sentence is None:
            raise ValueError(f"Expected sentences in CoNLL-U. Received: {self.path}, with none")

    def _sentences(self):
        sentence = None
        for number, line in enumerate(read_lines(self.path), start=1):
            if not line.strip():
                if sentence is not None:
                    yield sentence
                sentence = None
                continue
            if sentence is None:
                sentence = _Sentence(number)
            if line.startswith("#"):
                sentence.add_comment(line)
            else:
                sentence.add_columns(self._columns(number, line, len(sentence.words) + 1))
        if sentence is not None:
            yield sentence

    def _columns(self, number, line, expected_id):
        """Returns the columns of a line: of a word, and then of `expected_id`, or of no word."""
        columns = line.split("\t")
        where = f"line {number} of {self.path}: {line[:80]!r}"
        if len(columns) != _NUM_COLUMNS:
            raise ValueError(
                f"Expected {_NUM_COLUMNS} columns, separated by tabs. Received: "
                f"{len(columns)} in {where}"
            )
        if columns[0] != str(expected_id) and not _NO_WORD.fullmatch(columns[0]):
            raise ValueError(f"Expected word {expected_id} of a sentence. Received: {where}")
        return columns


class _Sentence:
    """The lines of one sentence. `words` are the columns of each, `tokens` what is written."""

    def __init__(self, line):
        self.line = line
        self.sentence_id = ""
        self.words = []
        self.tokens = []
        self._last_covered = 0

    def add_comment(self, line):
        match = _SENTENCE_ID.fullmatch(line)
        if match:
            self.sentence_id = match[1]

    def add_columns(self, columns):
        no_word = _NO_WORD.fullmatch(columns[0])
        if no_word is None:
            self.words.append(columns)
            if len(self.words) > self._last_covered:
                self.tokens.append(columns[_FORM])
        elif no_word[1] == "-":
            self._last_covered = int(no_word[2])
            self.tokens.append(columns[_FORM])

    def fault(self):
        """Returns why the sentence is of no use; None if it is."""
        if not _CAPTION.fullmatch(self.sentence_id):
            return "it has no comment of the form # sent_id = IMAGE#k"
        if not self.words:
            return "it has no words"
        for position, word in enumerate(self.words, start=1):
            head = word[_HEAD]
            if not is_count(head) or word[_DEPREL] in ("", "_"):
                return f"word {position} has no head or no relation"
            if int(head) > len(self.words):
                return f"word {position} has head {head}, but there are {len(self.words)} words"
        return self._cycle()

    def _cycle(self):
        rooted = {0}
        for start in range(1, len(self.words) + 1):
            path, position = [], start
            while position not in rooted:
                if position in path:
                    return f"word {position} is above itself: a cycle"
                path.append(position)
                position = int(self.words[position - 1][_HEAD])
            rooted.update(path)
        return None

    def relations(self):
        """Returns the `(relation, head, dependent)` triples between words."""
        triples = []
        for word in self.words:
            head = int(word[_HEAD])
            if head and not (_is_punctuation(word) or _is_punctuation(self.words[head - 1])):
                triples.append((word[_DEPREL], self.words[head - 1][_FORM], word[_FORM]))
        return tuple(triples)


def _is_punctuation(word):
    # Without tags of parts of speech, the relation tells.
    return word[_UPOS] == "PUNCT" or word[_DEPREL].partition(":")[0] == "punct"


def conllu_sentence(sentence_id, doc):
    """Writes a parse in the ten columns of CoNLL-U, tied to its caption by `sent_id`.

    Args:
        sentence_id: `IMAGE#k`.
        doc: a spaCy `Doc` with dependencies; of several sentences, each has its root.

    Returns:
        A string of lines, the blank line at its end included.

    Reference: https://universaldependencies.org/format.html
    """
    lines = [f"# sent_id = {sentence_id}", f"# text = {doc.text}"]
    for token in doc:
        is_root = token.head.i == token.i
        columns = (
            str(token.i + 1),
            token.text,
            token.lemma_,
            token.pos_,
            token.tag_,
            str(token.morph),
            "0" if is_root else str(token.head.i + 1),
            "root" if is_root else token.dep_,
            "",
            "" if token.whitespace_ else "SpaceAfter=No",
        )
        lines.append("\t".join(column or "_" for column in columns))
    return "\n".join(lines) + "\n\n"


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
    found = [name.decode(errors="replace") for name in _WRITTEN_ID.findall(content)]
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
