"""Flickr8K: 8,000 photographs with five captions each, in its official files.

Source: Hodosh, Young and Hockenmaier, "Framing image description as a ranking task", 2013.
"""

import functools
import hashlib
import re

from tfrecords_tools.archive import Archive
from tfrecords_tools.sources.caption_text import read_caption
from tfrecords_tools.sources.flickr30k_entities import Flickr30kEntities
from tfrecords_tools.sources.phrase_alignment import align_phrases
from tfrecords_tools.sources.source_example import Skip, SourceExample

TOKEN_FILE = "Flickr8k.token.txt"
SPLIT_FILE = "Flickr_8k.{split}Images.txt"
SPLITS = ("train", "dev", "test")

_KEY = re.compile(r"(.+)#(\d+)\s*")


class Flickr8k:
    """Parses Flickr8K, with the phrases and boxes of Flickr30K Entities if they are given.

    Args:
        images: directory or zip that holds `Flicker8k_Dataset/*.jpg` (so spelt).
        captions: directory or zip that holds `Flickr8k.token.txt` and one or more of
            `Flickr_8k.{train,dev,test}Images.txt`; a split whose list is missing is left out.
        entities: directory or zip that holds `Sentences/` and `Annotations/`, or None.

    Raises:
        OSError: when a file is missing or unreadable; the message says what to get.
        ValueError: when a file holds none of what it should.
    """

    name = "flickr8k"

    def __init__(self, images, captions, entities=None):
        self._images = Archive(images)
        texts = Archive(captions)
        self._entities = None if entities is None else Flickr30kEntities(Archive(entities))
        self._checksums = {}
        self._skipped = []
        self._examples = {}
        self._photographs = {
            name.rsplit("/", 1)[-1]: name for name in reversed(self._images.names())
        }
        self._captions = self._parse_captions(self._read_text(texts, TOKEN_FILE))
        self._lists = self._read_lists(texts)
        self._count_leftovers()
        if not any(name in self._photographs for names in self._lists.values() for name in names):
            raise ValueError(
                "Expected Flicker8k_Dataset/*.jpg, the photographs that the split lists name. "
                f"Received: {self._images.path!r}, which holds none of them. "
                "Get Flickr8k_Dataset.zip and pass it as --images."
            )

    @property
    def skipped(self):
        """What was left out so far: complete once every split's examples were read."""
        return list(self._skipped)

    def splits(self):
        """Returns the names of the splits whose lists were found."""
        return tuple(self._lists)

    def checksums(self):
        """Returns the SHA-256 of each file parsed, by name."""
        entities = {} if self._entities is None else self._entities.checksums()
        return dict(sorted({**self._checksums, **entities}.items()))

    def examples(self, split):
        """Yields the `SourceExample`s of a split in the order of its list."""
        if split not in self._examples:
            self._examples[split] = tuple(self._parse(split))
        yield from self._examples[split]

    def _read_text(self, archive, name, required=True):
        found = archive.find(name)
        if found is None:
            if not required:
                return None
            raise FileNotFoundError(
                f"Expected {name}, the captions. Received: {archive.path!r}, which does not hold "
                "it. Get Flickr8k_text.zip and pass it as --captions."
            )
        data = archive.read(found)
        self._checksums[name] = hashlib.sha256(data).hexdigest()
        return _lines(data)

    def _read_lists(self, texts):
        lists = {}
        for split in SPLITS:
            lines = self._read_text(texts, SPLIT_FILE.format(split=split), required=False)
            if lines is not None:
                names = (line.decode("utf-8", "replace").strip() for line in lines)
                lists[split] = list(dict.fromkeys(name for name in names if name))
        if not lists:
            raise FileNotFoundError(
                "Expected Flickr_8k.trainImages.txt, Flickr_8k.devImages.txt or "
                f"Flickr_8k.testImages.txt. Received: {texts.path!r}, which holds none of them. "
                "Get Flickr8k_text.zip and pass it as --captions."
            )
        seen = {}
        for split, names in lists.items():
            for name in names:
                if seen.setdefault(name, split) != split:
                    raise ValueError(
                        f"Expected each photograph in one split. Received: {name} in the lists of "
                        f"{seen[name]} and {split}."
                    )
        return lists

    def _parse_captions(self, lines):
        """Returns {photograph: {k: bytes}}; lines of another form are skipped and listed."""
        captions = {}
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            key, tab, text = line.partition(b"\t")
            match = _KEY.fullmatch(key.decode("utf-8", "replace"))
            if not tab or match is None:
                self._skip("", f"{TOKEN_FILE}:{number}", f"not NAME#k<TAB>caption: {line[:60]!r}")
                continue
            name, index = match.group(1), int(match.group(2))
            known = captions.setdefault(name, {})
            if index in known:
                self._skip("", f"{name}#{index}", "a second caption of this number")
                continue
            known[index] = text
        if not captions:
            raise ValueError(
                f"Expected lines NAME.jpg#k<TAB>caption in {TOKEN_FILE}. Received: none."
            )
        return captions

    def _count_leftovers(self):
        listed = {name for names in self._lists.values() for name in names}
        for name in sorted(set(self._captions) - listed - set(self._photographs)):
            self._skip("", name, f"{len(self._captions[name])} captions of no photograph")
        for name in sorted(set(self._photographs) - listed):
            if name.lower().endswith((".jpg", ".jpeg")) or name in self._captions:
                self._skip("", name, "a photograph in no split")

    def _parse(self, split):
        if split not in self._lists:
            raise ValueError(f"Expected a split of {self.splits()}. Received: {split!r}")
        for name in self._lists[split]:
            if name not in self._photographs:
                self._skip(split, name, "the photograph is not in --images")
                continue
            captions = []
            for index, data in sorted(self._captions.get(name, {}).items()):
                text, reason = read_caption(data)
                if text is None:
                    self._skip(split, f"{name}#{index}", reason)
                else:
                    captions.append((index, text))
            if not captions:
                self._skip(split, name, "a photograph without captions")
                continue
            yield self._example(split, name, captions)

    def _example(self, split, name, captions):
        objects, phrases = (), ()
        texts = tuple(text for _, text in captions)
        if self._entities is not None:
            # Every Flickr8K photograph is one of Flickr30K: the digits are its number there.
            annotated = self._entities.read(name.split("_")[0].split(".")[0])
            for problem in annotated.problems:
                self._skip(split, name, problem)
            objects = annotated.objects
            if annotated.sentences:
                phrases, problems = align_phrases(texts, annotated.sentences)
                for index, reason in problems:
                    self._skip(split, f"{name}#{captions[index][0]}", reason)
        return SourceExample(
            source_id=name.rsplit(".", 1)[0],
            filename=name,
            captions=texts,
            read_image=functools.partial(self._images.read, self._photographs[name]),
            objects=objects,
            phrases=phrases,
        )

    def _skip(self, split, source_id, reason):
        self._skipped.append(Skip(split, source_id, reason))


def _lines(data):
    """Splits at any line end: copies with CR LF and with CR alone are in circulation."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
