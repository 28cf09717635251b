"""IAPR TC-12: 19,627 photographs with descriptions of one to several sentences.

Source: Grubinger, Clough, Müller and Deselaers, "The IAPR TC-12 benchmark", 2006; splits of
Guillaumin, Mensink, Verbeek and Schmid, "TagProp", 2009.
"""

import functools
import hashlib
import html
import itertools
import re

from tfrecords_tools.archive import Archive, open_photographs
from tfrecords_tools.sources.caption_source import CaptionSource, file_names
from tfrecords_tools.sources.source import DEV_NAMES, SourceExample, split_name
from vsa_tf.file_reading import decode_text

_LIST = "iaprtc12_{split}_list.txt"
_DESCRIPTION = re.compile(r"<DESCRIPTION>(.*?)</DESCRIPTION>", re.DOTALL | re.IGNORECASE)
_KEY = re.compile(r"(?:.*/)?(\d+/\d+)(?:\.\w+)?")


class IaprTc12(CaptionSource):
    """Parses `annotations_complete_eng/FOLDER/NUMBER.eng`, ISO-8859-1, and the split lists.

    A description's sentences, which semicolons divide, are the photograph's captions. A file that
    somebody has turned into UTF-8 is read as such.

    Args:
        images: directory or zip that holds `images/FOLDER/NUMBER.jpg`.
        captions: directory or zip that holds the `.eng` files and one or both of
            `iaprtc12_{train,test}_list.txt`, names `FOLDER/NUMBER`; a split whose list is missing
            is left out.

    Raises:
        OSError: when a file is missing or unreadable; the message says what to get.
        ValueError: when the lists do not go with the files.
    """

    name = "iapr_tc12"
    official_counts = {"train": 17_665, "test": 1962}

    def __init__(self, images, captions):
        super().__init__()
        self._images, self._texts = open_photographs(images), Archive(captions)
        self._digests = {}
        if not any(name.endswith(".eng") for name in self._texts.names()):
            raise FileNotFoundError(
                "Expected annotations_complete_eng/*/*.eng. Received: "
                f"{self._texts.path!r}, which holds none. Get iaprtc12.tgz from "
                "https://www.imageclef.org/photodata, unpack it and pass its directory as "
                "--captions."
            )
        self._lists = self._read_lists()
        self._filenames = file_names(f"{key}.jpg" for keys in self._lists.values() for key in keys)
        if not any(self._image(key) for keys in self._lists.values() for key in keys):
            raise ValueError(
                "Expected images/FOLDER/NUMBER.jpg, the photographs that the split lists name. "
                f"Received: {self._images.path!r}, which holds none of them. Get iaprtc12.tgz from "
                "https://www.imageclef.org/photodata, unpack it and pass its directory as --images."
            )

    def splits(self):
        """Returns the names of the splits whose lists were found."""
        return tuple(self._lists)

    def checksums(self):
        """Returns the SHA-256 of each list, and one for the `.eng` files read so far."""
        lines = "".join(f"{key} {digest}\n" for key, digest in sorted(self._digests.items()))
        descriptions = hashlib.sha256(lines.encode()).hexdigest()
        return {**super().checksums(), "annotations_complete_eng": descriptions}

    def _read_lists(self):
        lists = {}
        # Nobody has published one for dev.
        for own in ("train", *DEV_NAMES, "test"):
            split, name = split_name(own), _LIST.format(split=own)
            found = self._texts.find(name)
            if found is None:
                continue
            if split in lists:
                raise ValueError(f"Expected one list of the split {split}. Received: {name} too.")
            keys = {}
            for word in decode_text(self._digest(name, self._texts.read(found))).split():
                match = _KEY.fullmatch(word)
                if match is None:
                    self._skip(split, word, f"not FOLDER/NUMBER in {name}")
                else:
                    keys[match.group(1)] = None
            lists[split] = list(keys)
        if not lists:
            raise FileNotFoundError(
                "Expected iaprtc12_train_list.txt or iaprtc12_test_list.txt. Received: "
                f"{self._texts.path!r}, which holds neither. Get https://lear.inrialpes.fr/people/"
                "guillaumin/data/iccv09/iaprtc12.20091111.tar.bz2 and put its lists beside "
                "annotations_complete_eng."
            )
        for first, second in itertools.combinations(lists, 2):
            both = set(lists[first]) & set(lists[second])
            if both:
                raise ValueError(
                    f"Expected each photograph in one split. Received: {min(both)} in the lists of "
                    f"{first} and {second}."
                )
        return lists

    def _image(self, key):
        return self._images.locate(f"images/{key}.jpg") or self._images.locate(f"{key}.jpg")

    def _parse(self, split):
        for key in self._lists[split]:
            image = self._image(key)
            if image is None:
                self._skip(split, key, "the photograph is not in --images")
                continue
            captions = self._usable_captions(split, key, self._sentences(key))
            if captions:
                yield SourceExample(
                    source_id=key,
                    filename=self._filenames[f"{key}.jpg"],
                    captions=tuple(text for _, text in captions),
                    read_image=functools.partial(self._images.read, image),
                    path=image,
                )

    def _sentences(self, key):
        """Returns `(number, sentence)`; none where there is no file or no description in it."""
        # The release has poorer versions of the same files in other folders.
        name = self._texts.find(f"annotations_complete_eng/{key}.eng")
        name = name or self._texts.find(f"{key}.eng")
        if name is None:
            return []
        data = self._texts.read(name)
        self._digests[key] = hashlib.sha256(data).hexdigest()
        match = _DESCRIPTION.search(_decode(data))
        if match is None:
            return []
        text = html.unescape(match.group(1))
        sentences = (" ".join(sentence.split()) for sentence in text.split(";"))
        return list(enumerate(sentence for sentence in sentences if sentence))


def _decode(data):
    try:
        # ISO-8859-1 with accents is practically never valid UTF-8.
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")
