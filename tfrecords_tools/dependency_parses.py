"""Parses of a CoNLL-U file, found by the captions that they are of."""

import hashlib

from tfrecords_tools.sources.source_example import Skip
from vsa_tf.text.conllu import ConlluFile

# Of a reason that many share, so many are listed; the others are counted.
_LISTED = 20


class DependencyParses:
    """The dependency relations of captions.

    `# sent_id = IMAGE#k` names caption k of an image by its source_id, or by its file's name.

    Args:
        path: CoNLL-U file.

    Attributes:
        sha256: checksum of the file.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not CoNLL-U.
    """

    def __init__(self, path):
        self._path = path
        with open(path, "rb") as file:
            self.sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        file = ConlluFile(path)
        self._relations, shared = {}, {}
        for parsed in file:
            # Most relations occur often: each is kept once.
            relations = tuple(shared.setdefault(each, each) for each in parsed.relations)
            self._relations[parsed.image, parsed.caption_index] = relations
        self._unreadable = file.skipped
        self._used = set()
        self._unparsed, self._of_others = {}, {}

    def of(self, split, source_id, filename, captions):
        """Returns for each caption of an image its relations, and notes what there is not.

        Args:
            split: name of the split.
            source_id, filename: of the image.
            captions: its sentences as written.

        Returns:
            A tuple as long as `captions` of tuples of `(relation, head, dependent)`; empty for a
            caption that has no relation, or no parse.
        """
        dependencies = []
        for index, caption in enumerate(captions):
            keys = [(name, index) for name in (source_id, filename)]
            keys = [key for key in keys if key in self._relations]
            self._used.update(keys)
            relations = self._relations[keys[0]] if keys else ()
            if not keys:
                self._note(self._unparsed, split, f"{source_id}#{index}")
            elif not _is_of(caption, relations):
                self._note(self._of_others, split, f"{source_id}#{index}")
                relations = ()
            dependencies.append(relations)
        return tuple(dependencies)

    def forget(self, split):
        """Forgets what was noted of a split, whose images are about to be asked for again."""
        for noted in (self._unparsed, self._of_others):
            noted.pop(split, None)

    def check(self):
        """Refuses a file of other captions, once all images have been asked for.

        Raises:
            ValueError: no parse is of a caption.
        """
        if not self._used:
            first = "#".join(map(str, next(iter(self._relations), ("none", 0))))
            asked = next((names[0] for names in self._unparsed.values()), "none")
            raise ValueError(
                f"Expected parses of the captions, such as # sent_id = {asked}. Received: "
                f"{self._path}, whose {len(self._relations)} parses are of others, such as {first}"
            )

    def skipped(self):
        """Returns the `Skip`s of parses without a caption and of captions without a parse.

        Of each reason the first are listed; an entry without a name counts the others.
        """
        unreadable = [
            Skip("", parse.sentence_id, f"parse in line {parse.line}: {parse.reason}")
            for parse in self._unreadable
        ]
        listed = _first(unreadable, "more sentences of the parses cannot be used")
        reason = "a parse of no caption that was written"
        unused = [
            Skip("", f"{name}#{index}", reason)
            for name, index in self._relations if (name, index) not in self._used
        ]
        listed += _first(unused, "more parses are of no caption that was written")
        for noted, reason, more in (
            (self._unparsed, "no parse of this caption", "more captions have no parse"),
            (
                self._of_others, "its parse is of other words, and left out",
                "more parses are of other words than their captions",
            ),
        ):
            for split, names in noted.items():
                listed += _first([Skip(split, name, reason) for name in names], more)
        return listed

    def _note(self, noted, split, name):
        noted.setdefault(split, []).append(name)


def _is_of(caption, relations):
    """Whether a parse is of this caption: half of its words occur there, or more.

    Not all: parsers may split words, and write brackets and quotes in ways of their own.
    """
    caption = caption.casefold()
    words = {word for _, *pair in relations for word in pair}
    return 2 * sum(word.casefold() in caption for word in words) >= len(words)


def _first(skips, more):
    if len(skips) <= _LISTED:
        return skips
    return skips[:_LISTED] + [Skip(skips[0].split, "", f"{len(skips) - _LISTED} {more}")]
