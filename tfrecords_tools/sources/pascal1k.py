"""Pascal1K, the UIUC Pascal sentences: 1,000 photographs with five captions each.

Source: Rashtchian, Young, Hodosh and Hockenmaier, "Collecting image annotations using Amazon's
Mechanical Turk", 2010.
"""

import functools
import html.parser
import posixpath
import re

from tfrecords_tools.archive import Archive
from tfrecords_tools.sources.annotation_file import AnnotationFile
from tfrecords_tools.sources.caption_source import CaptionSource
from tfrecords_tools.sources.source import SourceExample
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
        self._images = Archive(images)
        self._paths = {posixpath.basename(name): name for name in reversed(self._images.names())}
        pages = AnnotationFile.find(captions, r"(?i).*\.html?")
        found = self._read_pages(pages) if pages else self._read_texts(captions)
        if not found:
            raise FileNotFoundError(
                "Expected the page of the Pascal sentences, or YEAR_NUMBER.txt with the captions "
                f"of each photograph. Received: {str(captions)!r}, which holds none. Save "
                "http://vision.cs.uiuc.edu/pascal-sentences/ and pass it as --captions."
            )
        if not any(name in self._paths for name in found):
            raise ValueError(
                f"Expected the photographs of the Pascal sentences, for example {min(found)}. "
                f"Received: {self._images.path!r}, which holds none of them. Save those of "
                "http://vision.cs.uiuc.edu/pascal-sentences/ and pass them as --images."
            )
        self._photographs = {"train": [], "dev": [], "test": []}
        for place, (name, captions) in enumerate(sorted(found.items())):
            split = {8: "dev", 9: "test"}.get(place % 10, "train")
            self._photographs[split].append((name, captions))
        for name in sorted(set(self._paths) - set(found)):
            if name.lower().endswith((".jpg", ".jpeg")):
                self._skip("", name, "a photograph without captions")

    def splits(self):
        """Returns `("train", "dev", "test")`."""
        return tuple(self._photographs)

    def _read_pages(self, pages):
        found = {}
        for page in pages:
            parser = _PageParser()
            parser.feed(decode_text(page.read()))
            self._checksums[page.name] = page.sha256
            for source, captions in parser.photographs:
                name = posixpath.basename(source)
                # Pictures of the page itself have no captions.
                if not captions and name not in self._paths:
                    continue
                if name in found:
                    self._skip("", name, f"a second photograph of this name in {page.name}")
                    continue
                found[name] = captions
        return found

    def _read_texts(self, path):
        found = {}
        # Both may lie in one directory.
        photographs = (name for name in self._paths if not name.endswith(".txt"))
        names = {name.rsplit(".", 1)[0]: name for name in photographs}
        for file in AnnotationFile.find(path, r".*\.txt"):
            stem = file.name.removesuffix(".txt")
            # A photograph that is missing has its place, too: the splits depend on it.
            name = names.get(stem, f"{stem}.jpg")
            if stem not in names and not _STEM.fullmatch(stem):
                self._skip("", file.name, "captions of no photograph")
            elif name in found:
                self._skip("", file.name, "a second file of this name")
            else:
                data = self._digest(file.name, file.read())
                found[name] = [line for line in split_lines(data) if line.strip()]
        return found

    def _parse(self, split):
        for name, captions in self._photographs[split]:
            source_id = name.rsplit(".", 1)[0]
            if name not in self._paths:
                self._skip(split, source_id, f"{name} is not in --images")
                continue
            usable = self._usable_captions(split, source_id, list(enumerate(captions)))
            if usable:
                yield SourceExample(
                    source_id=source_id,
                    filename=name,
                    captions=tuple(text for _, text in usable),
                    read_image=functools.partial(self._images.read, self._paths[name]),
                )


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
