"""Dependency parses of a CoNLL-U file, found by their captions, and a source that has them."""

import dataclasses
import hashlib
import re
import unicodedata

from tfrecords_tools.conllu import ConlluFile
from tfrecords_tools.sources.source import Skip, WrappedSource

# Of a reason that many share, so many are listed; the others are counted.
_LISTED = 20
# Brackets of the Penn Treebank.
_BRACKET = re.compile(r"-[LR][RCS]B-", re.IGNORECASE)


class DependencyParses:
    """The dependency relations of captions.

    `# sent_id = IMAGE#k` names caption k of an image by its source_id, or by its file's name. A
    parse must have the caption's words, however they are divided into tokens; captions whose
    numbers have changed since, because one before them was left out, are known by their words.

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
        self._parses, self._numbers, shared = {}, {}, {}
        for parsed in file:
            # Most relations occur often: each is kept once.
            relations = tuple(shared.setdefault(each, each) for each in parsed.relations)
            key = parsed.image, parsed.caption_index
            self._parses[key] = _letters("".join(parsed.tokens)), relations
            self._numbers.setdefault(parsed.image, []).append(parsed.caption_index)
        self._unreadable = file.skipped
        # Of the parses: those of captions, those of other words, second ones of a caption.
        self._used, self._misnamed, self._second = set(), set(), set()
        self._unparsed, self._of_others = {}, {}

    def of(self, split, source_id, filename, captions, numbers=None):
        """Returns for each caption of an image its relations, and notes what there is not.

        Args:
            split: name of the split.
            source_id, filename: of the image.
            captions: its sentences as written.
            numbers: the k of each; by default those from 0.

        Returns:
            A tuple as long as `captions` of tuples of `(relation, head, dependent)`; empty for a
            caption that has no relation, or no parse.
        """
        numbers = range(len(captions)) if numbers is None else numbers
        names = dict.fromkeys((source_id, filename))
        left = [(name, number) for name in names for number in self._numbers.get(name, ())]
        found = [None] * len(captions)
        for by_number in (True, False):
            for place, (number, caption) in enumerate(zip(numbers, captions, strict=True)):
                if found[place] is None:
                    found[place] = self._find(caption, left, number if by_number else None)
        self._used.update(filter(None, found))
        self._second.update(key for key in left if any((n, key[1]) in found for n in names))
        for number, key in zip(numbers, found):
            if key is None:
                misnamed = [other for other in left if other[1] == number]
                self._misnamed.update(misnamed)
                noted = self._of_others if misnamed else self._unparsed
                noted.setdefault(split, []).append(f"{source_id}#{number}")
        return tuple(() if key is None else self._parses[key][1] for key in found)

    def _find(self, caption, left, number):
        """Takes from `left` the parse of this caption, and of this number unless it is None."""
        letters = _letters(caption)
        for key in left:
            if number in (None, key[1]) and self._parses[key][0] == letters:
                left.remove(key)
                return key
        return None

    def forget(self, split):
        """Forgets what was noted of a split, whose images are about to be asked for again."""
        for noted in (self._unparsed, self._of_others):
            noted.pop(split, None)

    @property
    def fit(self):
        """Whether some parse is of a caption that was asked for."""
        return bool(self._used)

    def check(self):
        """Refuses a file of other captions, once all images have been asked for.

        Raises:
            ValueError: no parse is of a caption.
        """
        if self.fit:
            return
        received = f"Received: {self._path}, whose {len(self._parses)} parses are of"
        if self._misnamed:
            first = next(names[0] for names in self._of_others.values())
            raise ValueError(
                f"Expected parses of the captions' own words. {received} other words than the "
                f"captions that they name, such as {first}"
            )
        first = "#".join(map(str, next(iter(self._parses), ("none", 0))))
        asked = next((names[0] for names in self._unparsed.values()), "none")
        raise ValueError(
            f"Expected parses of the captions, such as # sent_id = {asked}. {received} others, "
            f"such as {first}"
        )

    def skipped(self):
        """Returns the `Skip`s of parses without a caption and of captions without a parse.

        Of each reason the first are listed; an entry without a name stands for the others.
        """
        unreadable = [
            Skip("", parse.sentence_id, f"parse in line {parse.line}: {parse.reason}")
            for parse in self._unreadable
        ]
        listed = _first(unreadable, "more sentences of the parses cannot be used")
        second = [key for key in self._parses if key in self._second - self._misnamed]
        others = self._used | self._misnamed | self._second
        unused = [key for key in self._parses if key not in others]
        for keys, reason, more in (
            (
                unused,
                "a parse of no caption that was written",
                "more parses are of no caption that was written",
            ),
            (
                second,
                "a second parse of a caption, and left out",
                "more parses are second ones of their captions",
            ),
        ):
            skips = [Skip("", f"{name}#{number}", reason) for name, number in keys]
            listed += _first(skips, more)
        for noted, reason, more in (
            (self._unparsed, "no parse of this caption", "more captions have no parse"),
            (
                self._of_others,
                "its parse is of other words, and left out",
                "more parses are of other words than their captions",
            ),
        ):
            for split, names in noted.items():
                listed += _first([Skip(split, name, reason) for name in names], more)
        return listed


def _letters(text):
    """What parsers leave as it is: the letters and digits, in order.

    They divide words ("do n't", "T - shirt"), and write brackets, quotes, dashes and slashes in
    ways of their own.
    """
    text = unicodedata.normalize("NFKC", _BRACKET.sub("", text)).casefold()
    return "".join(filter(str.isalnum, text))


def _first(skips, more):
    count = len(skips) - _LISTED
    if count <= 0:
        return skips
    return skips[:_LISTED] + [Skip(skips[0].split, "", f"{count} {more}", count)]


class ParsedSource(WrappedSource):
    """A source whose examples have dependency relations; all else is the other source's.

    Args:
        source: a `Source`.
        parses: the `DependencyParses` of its captions.
    """

    is_parsed = True

    def __init__(self, source, parses):
        super().__init__(source)
        self._parses = parses

    def examples(self, split):
        """Yields the `SourceExample`s of a split, as the source does, with their relations."""
        self._parses.forget(split)
        for example in self._source.examples(split):
            dependencies = self._parses.of(
                split,
                example.source_id,
                example.filename,
                example.captions,
                self._source.caption_numbers(example),
            )
            yield dataclasses.replace(example, dependencies=dependencies)

    @property
    def skipped(self):
        """List of `Skip`: the source's, then those of parses."""
        return [*super().skipped, *self._parses.skipped()]

    def checksums(self):
        """Returns `{name: sha256}` of the files that were parsed."""
        return {**super().checksums(), "dependencies": self._parses.sha256}

    def check(self):
        """Refuses what the source refuses, and parses that are of no caption."""
        super().check()
        self._parses.check()
