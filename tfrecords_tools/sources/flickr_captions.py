"""Flickr8K and Flickr30K: the same files under other names."""

import functools
import posixpath
import re

from tfrecords_tools.archive import Archive, open_photographs
from tfrecords_tools.sources.caption_source import CaptionSource, file_names, source_ids
from tfrecords_tools.sources.flickr30k_entities import Flickr30kEntities
from tfrecords_tools.sources.source import DEV_NAMES, SourceExample
from vsa_tf.file_reading import split_lines

_KEY = re.compile(r"(.+)#([0-9]{1,9})\s*")


class FlickrCaptions(CaptionSource):
    """Parses a token file and split lists, with the phrases and boxes of Flickr30K Entities.

    Args:
        images: directory or zip of the photographs.
        captions: directory or zip that holds the token file and the split lists; a split whose
            list is missing is left out.
        entities: directory or zip that holds `Sentences/` and `Annotations/`, or None; split lists
            may lie here too.

    Attributes:
        token_file: name of the file of lines `NAME.jpg#k<TAB>caption`.
        split_files: `{split: name of its list}`, one photograph a line.
        list_suffix: what the names in the lists lack.
        images_wanted: what `images` should hold, and where to get it.
        captions_wanted: where to get the token file.
        lists_wanted: where to get the lists.

    Raises:
        OSError: when a file is missing or unreadable; the message says what to get.
        ValueError: when a file holds none of what it should.
    """

    token_file = ""
    split_files = {}
    list_suffix = ""
    images_wanted = ("", "")
    captions_wanted = ""
    lists_wanted = ""

    def __init__(self, images, captions, entities=None):
        super().__init__()
        self._images = open_photographs(images)
        texts = Archive(captions)
        annotated = None if entities is None else Archive(entities)
        self._entities = None if annotated is None else Flickr30kEntities(annotated)
        self._captions = self._parse_captions(self._read_tokens(texts))
        self._lists = self._read_lists([texts] if annotated is None else [texts, annotated])
        listed = [name for names in self._lists.values() for name in names]
        self._filenames, self._ids = file_names(listed), source_ids(listed)
        self._names = {source_id: name for name, source_id in self._ids.items()}
        self._paths = {name: self._images.locate(name) for name in listed}
        self._count_leftovers()
        if not any(self._paths.values()):
            what, where = self.images_wanted
            raise ValueError(
                f"Expected {what}, the photographs that the split lists name. "
                f"Received: {self._images.path!r}, which holds none of them. "
                f"Get {where} and pass it as --images."
            )

    def splits(self):
        """Returns the names of the splits whose lists were found."""
        return tuple(self._lists)

    def caption_numbers(self, example):
        """Returns for each caption the k of its line `NAME.jpg#k`."""
        name = self._names[example.source_id]
        known = sorted(self._captions[name])
        return [known[place] for place in self._places.get(name, range(len(known)))]

    def checksums(self):
        """Returns the SHA-256 of each file parsed, by name."""
        entities = {} if self._entities is None else self._entities.checksums()
        return dict(sorted({**self._checksums, **entities}.items()))

    def _read_tokens(self, texts):
        found = texts.find(self.token_file)
        if found is None:
            raise FileNotFoundError(
                f"Expected {self.token_file}, the captions. Received: {texts.path!r}, which does "
                f"not hold it. Get {self.captions_wanted} and pass it as --captions."
            )
        return split_lines(self._digest(self.token_file, texts.read(found)))

    def _read_lists(self, archives):
        lists = {}
        for split, file in self.split_files.items():
            files = [file]
            if split == "dev":
                files += [re.sub("dev|val", name, file) for name in DEV_NAMES]
            places = [
                (name, archive, found)
                for name in dict.fromkeys(files)
                for archive in archives
                if (found := archive.find(name)) is not None
            ]
            if not places:
                continue
            file, archive, found = places[0]
            if any(name != file for name, _, _ in places):
                raise ValueError(
                    f"Expected one list of the split {split}. Received: {file} and {places[-1][0]}."
                )
            lines = split_lines(self._digest(file, archive.read(found)))
            names = (line.decode("utf-8", "replace").strip() for line in lines)
            lists[split] = list(dict.fromkeys(name + self.list_suffix for name in names if name))
        if not lists:
            *first, last = self.split_files.values()
            raise FileNotFoundError(
                f"Expected {', '.join(first)} or {last}. "
                f"Received: {' and '.join(repr(archive.path) for archive in archives)}, without "
                f"any of them. Get {self.lists_wanted} and pass it as --captions."
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
                reason = f"not NAME#k<TAB>caption: {line[:60]!r}"
                self._skip("", f"{self.token_file}:{number}", reason)
                continue
            name, index = match.group(1), int(match.group(2))
            known = captions.setdefault(name, {})
            if index in known:
                self._skip("", f"{name}#{index}", "a second caption of this number")
                continue
            known[index] = text
        if not captions:
            raise ValueError(
                f"Expected lines NAME.jpg#k<TAB>caption in {self.token_file}. Received: none."
            )
        return captions

    def _count_leftovers(self):
        found = set(self._paths.values())
        others = file_names(name for name in self._images.names() if name not in found)
        known = {*self._paths, *others.values()}
        for name in sorted(set(self._captions) - known):
            self._skip("", name, f"captions of no photograph: {len(self._captions[name])}")
        for name in sorted(others.values()):
            if name.lower().endswith((".jpg", ".jpeg")) or name in self._captions:
                self._skip("", name, "a photograph in no split")
        if self._entities is not None:
            for reason in self._entities.leftovers(known):
                self._skip("", "entities", reason)

    def _parse(self, split):
        for name in self._lists[split]:
            if self._paths[name] is None:
                self._skip(split, name, "the photograph is not in --images")
                continue
            known = sorted(self._captions.get(name, {}).items())
            captions = self._usable_captions(split, name, known)
            if captions:
                yield self._example(split, name, captions)

    def _example(self, split, name, captions):
        objects, phrases = (), ()
        texts = tuple(text for _, text in captions)
        if self._entities is not None:
            # Every Flickr8K photograph is one of Flickr30K: the digits are its number there.
            image_id = posixpath.basename(name).split("_")[0].split(".")[0]
            objects, phrases, problems = self._entities.annotate(image_id, texts)
            for index, reason in problems:
                where = name if index is None else f"{name}#{captions[index][0]}"
                self._skip(split, where, reason)
        return SourceExample(
            source_id=self._ids[name],
            filename=self._filenames[name],
            captions=texts,
            read_image=functools.partial(self._images.read, self._paths[name]),
            objects=objects,
            phrases=phrases,
            path=self._paths[name],
        )


class Flickr8k(FlickrCaptions):
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
    official_counts = {"train": 6000, "dev": 1000, "test": 1000}
    token_file = "Flickr8k.token.txt"
    split_files = {split: f"Flickr_8k.{split}Images.txt" for split in ("train", "dev", "test")}
    images_wanted = ("Flicker8k_Dataset/*.jpg", "Flickr8k_Dataset.zip")
    captions_wanted = lists_wanted = "Flickr8k_text.zip"


class Flickr30k(FlickrCaptions):
    """Parses Flickr30K, with the phrases and boxes of Flickr30K Entities if they are given.

    The lists are those of Flickr30K Entities; `val.txt` is the split `dev`. Karpathy's splits are
    the data set `karpathy_json`.

    Args:
        images: directory or zip of the photographs, `NUMBER.jpg`.
        captions: directory or zip that holds `results_20130124.token` and one or more of
            `train.txt`, `val.txt`, `test.txt`; a split whose list is missing is left out.
        entities: directory or zip that holds `Sentences/` and `Annotations/`, or None; the lists
            may lie here too.

    Raises:
        OSError: when a file is missing or unreadable; the message says what to get.
        ValueError: when a file holds none of what it should.
    """

    name = "flickr30k"
    official_counts = {"train": 29_783, "dev": 1000, "test": 1000}
    token_file = "results_20130124.token"
    split_files = {"train": "train.txt", "dev": "val.txt", "test": "test.txt"}
    list_suffix = ".jpg"
    images_wanted = ("flickr30k-images/*.jpg", "flickr30k-images.tar.gz, unpack it")
    captions_wanted = "flickr30k.tar.gz, unpack it"
    lists_wanted = (
        "them from https://github.com/BryanPlummer/flickr30k_entities, put them beside "
        "results_20130124.token"
    )
