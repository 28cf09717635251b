"""Pascal1K, the UIUC Pascal sentences: 1,000 photographs with five captions each.

Source: Rashtchian, Young, Hodosh and Hockenmaier, "Collecting image annotations using Amazon's
Mechanical Turk", 2010.
"""

import collections
import functools
import html.parser
import posixpath
import re

from tfrecords_tools.archive import AnnotationFile, normal_path, open_photographs
from tfrecords_tools.sources.caption_source import CaptionSource, file_names, source_ids, tails
from tfrecords_tools.sources.source import SourceExample, shown
from vsa_tf.file_reading import decode_text, split_lines

# Tells captions whose photograph is missing from a README.
_STEM = re.compile(r"\d{4}_\d+")


class Pascal1k(CaptionSource):
    """Parses the web page of the sentences, or one text file a photograph.

    No splits were published. Papers have 800, 100 and 100 photographs: here, in the order of the
    file names, every ninth of ten is of `dev` and every tenth of `test`.

    Args:
        images: directory or zip of the photographs, in any folders.
        captions: the page; or a directory or zip that holds it or `NAME.txt`, one caption a line.

    Raises:
        OSError: when a file is missing or unreadable; the message says what to get.
        ValueError: when captions and photographs do not go together.
    """

    name = "pascal1k"
    official_counts = {"train": 800, "dev": 100, "test": 100}

    def __init__(self, images, captions):
        super().__init__()
        self._images = open_photographs(images)
        pages = AnnotationFile.find(captions, r"(?i).*\.html?")
        found = self._read_pages(pages) if pages else self._read_texts(captions)
        if not found:
            raise FileNotFoundError(
                "Expected the page of the Pascal sentences, or YEAR_NUMBER.txt with the captions "
                f"of each photograph. Received: {str(captions)!r}, which holds none. Save "
                "http://vision.cs.uiuc.edu/pascal-sentences/ and pass it as --captions."
            )
        names = file_names(found)
        self._ids = source_ids(found)
        if not any(path for path, _ in found.values()):
            raise ValueError(
                "Expected the photographs of the Pascal sentences, for example "
                f"{shown(min(names.values()))}. "
                f"Received: {self._images.path!r}, which holds none of them. Save those of "
                "http://vision.cs.uiuc.edu/pascal-sentences/ and pass them as --images."
            )
        self._photographs = {"train": [], "dev": [], "test": []}
        for place, (name, given) in enumerate(sorted((name, own) for own, name in names.items())):
            split = {8: "dev", 9: "test"}.get(place % 10, "train")
            self._photographs[split].append((given, name, *found[given]))
        described = {path for path, _ in found.values()}
        others = file_names(path for path in self._images.names() if path not in described)
        for name in sorted(others.values()):
            if name.lower().endswith((".jpg", ".jpeg")):
                self._skip("", name, "a photograph without captions")

    def splits(self):
        """Returns `("train", "dev", "test")`."""
        return tuple(self._photographs)

    def _read_pages(self, pages):
        """Returns `{path in the page: (path in --images or None, captions)}`."""
        described = {}
        for page in pages:
            parser = _PageParser()
            parser.feed(decode_text(page.read()))
            self._checksums[page.name] = page.sha256
            for source, captions in parser.photographs:
                if described.setdefault(normal_path(source), captions) is not captions:
                    reason = f"a second photograph of this name in {page.name}"
                    self._skip("", posixpath.basename(source), reason)
        counts = collections.Counter(tail for given in described for tail in tails(given))
        found = {}
        for given, captions in described.items():
            own = (self._images.locate(tail) for tail in tails(given) if counts[tail] == 1)
            path = next(filter(None, own), None)
            # Pictures of the page itself have no captions.
            if captions or path is not None:
                found[given] = path, captions
        return found

    def _read_texts(self, path):
        """Returns `{path in --images or NAME.jpg: (the path or None, captions)}`."""
        found, photographs = {}, {}
        for name in self._images.names():
            stem, ending = posixpath.splitext(posixpath.basename(name))
            # Both may lie in one directory, and other annotations too.
            if ending.lower() not in (".txt", ".xml"):
                photographs.setdefault(stem, []).append(name)
        for file in AnnotationFile.find(path, r".*\.txt"):
            stem = file.name.removesuffix(".txt")
            path = self._of_text(file, photographs.get(stem, ()))
            if path is None and _STEM.fullmatch(stem):
                path = self._images.locate(f"{stem}.jpg")
            # A photograph that is missing has its place, too: the splits depend on it.
            given = path or f"{stem}.jpg"
            if path is None and not _STEM.fullmatch(stem):
                self._skip("", file.name, "captions of no photograph")
            elif given in found:
                self._skip("", file.name, "a second file of this name")
            else:
                data = self._digest(file.name, file.read())
                found[given] = path, [line for line in split_lines(data) if line.strip()]
        return found

    def _of_text(self, file, paths):
        """Returns which of the photographs of its name a text is of; its folder may tell."""
        if len(paths) > 1:
            folder = _folder(file.path)
            paths = [path for path in paths if _folder(path) == folder] or paths
        if len(paths) > 1:
            raise ValueError(
                f"Expected one photograph for {file.path}. Received: {paths[0]!r} and "
                f"{paths[1]!r} in {self._images.path!r}."
            )
        return paths[0] if paths else None

    def _parse(self, split):
        for given, name, path, captions in self._photographs[split]:
            source_id = self._ids[given]
            if path is None:
                self._skip(split, source_id, f"{name} is not in --images")
                continue
            usable = self._usable_captions(split, source_id, list(enumerate(captions)))
            if usable:
                yield SourceExample(
                    source_id=source_id,
                    filename=name,
                    captions=tuple(text for _, text in usable),
                    read_image=functools.partial(self._images.read, path),
                    path=path,
                )


def _folder(path):
    return posixpath.basename(posixpath.dirname(path))


class _PageParser(html.parser.HTMLParser):
    """Collects `(source of a picture, texts of the table cells after it)`."""

    def __init__(self):
        super().__init__()
        self.photographs = []
        self._text = ""

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.photographs.append((dict(attrs).get("src") or "", []))
        if tag in ("img", "td"):
            self._text = ""

    def handle_data(self, data):
        self._text += data

    def handle_endtag(self, tag):
        if tag == "td":
            text = " ".join(self._text.split())
            if text and self.photographs:
                self.photographs[-1][1].append(text)
            self._text = ""
