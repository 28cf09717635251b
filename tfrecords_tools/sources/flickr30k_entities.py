"""Flickr30K Entities: phrases of the sentences, coreference chains and boxes of the photographs.

Source: Plummer et al., "Flickr30k Entities", https://github.com/BryanPlummer/flickr30k_entities
"""

import dataclasses
import difflib
import hashlib
import re
import xml.etree.ElementTree as ElementTree
from xml.parsers import expat

from tfrecords_tools.sources.source import MOST_PIXELS
from vsa_tf.data.schema import AnnotatedBox, AnnotatedPhrase, ObjectClass
from vsa_tf.file_reading import text_lines

# The chain of phrases that name nothing to be seen.
NOT_VISUAL_CHAIN = "0"

# Below this share of common words two sentences say different things.
_MIN_SIMILARITY = 0.6

# A box is of the first type of its chain's first phrase.
_CLASSES = {
    name: ObjectClass(label, name)
    for label, name in enumerate(
        ("people", "clothing", "bodyparts", "animals", "vehicles", "instruments", "scene", "other"),
        1,
    )
}

# An empty phrase may lack the space, too.
_PHRASE = re.compile(r"\[/EN#([^/\s\]]+)/([^\s\]]+)(?: ([^\[\]]*))?\]")


@dataclasses.dataclass(frozen=True)
class EntitySentence:
    """One annotated sentence.

    Attributes:
        words: the sentence without its brackets.
        phrases: `(first_word, num_words, chain, type)` of each mention.
    """

    words: tuple[str, ...]
    phrases: tuple[tuple[int, int, str, str], ...]


@dataclasses.dataclass(frozen=True)
class ImageEntities:
    """What is annotated of one photograph.

    Attributes:
        sentences: in the order of the file, which need not be that of other caption files.
        objects: boxes; a box that belongs to several chains is given once for each.
        problems: what was left out, one reason each.
    """

    sentences: tuple[EntitySentence, ...] = ()
    objects: tuple[AnnotatedBox, ...] = ()
    problems: tuple[str, ...] = ()


class Flickr30kEntities:
    """Reads `Sentences/ID.txt` and `Annotations/ID.xml`.

    Args:
        archive: an `Archive` of the released annotations.

    Raises:
        FileNotFoundError: when the archive holds no such folders.
    """

    def __init__(self, archive):
        self.archive = archive
        names = archive.names()
        self._files = {
            (folder, name.rsplit("/", 1)[-1].rsplit(".", 1)[0]): name
            for name in names
            for folder in ("Sentences", "Annotations")
            if f"/{folder}/" in f"/{name}"
        }
        for folder in ("Sentences", "Annotations"):
            if not any(key[0] == folder for key in self._files):
                raise FileNotFoundError(
                    f"Expected {folder}/*.{'txt' if folder == 'Sentences' else 'xml'} of Flickr30K "
                    f"Entities. Received: {archive.path!r}, which has none. Get annotations.zip "
                    "from https://github.com/BryanPlummer/flickr30k_entities and pass it as "
                    "--entities."
                )
        self._digests = {}

    def read(self, image_id):
        """Returns the `ImageEntities` of a photograph.

        Args:
            image_id: the digits of the Flickr photograph.
        """
        problems = []
        sentences, objects = (), ()
        for folder, parse in (("Sentences", parse_sentences), ("Annotations", parse_annotations)):
            name = self._files.get((folder, image_id))
            if name is None:
                problems.append(f"no {folder} file of Flickr30K Entities for image {image_id}")
                continue
            try:
                data = self.archive.read(name)
                self._digests[folder, image_id] = hashlib.sha256(data).hexdigest()
                parsed, found = parse(data)
            except (OSError, ValueError) as error:
                problems.append(f"{folder}/{image_id} of Flickr30K Entities: {error}")
                continue
            problems.extend(found)
            if folder == "Sentences":
                sentences = parsed
            else:
                objects = parsed
        return ImageEntities(sentences, _with_classes(objects, sentences), tuple(problems))

    def annotate(self, image_id, captions):
        """Returns the boxes of a photograph and the phrases of its captions.

        Args:
            image_id: the digits of the Flickr photograph.
            captions: its captions, worded and ordered as another file has them.

        Returns:
            `(objects, phrases, problems)`: tuples of `AnnotatedBox` and `AnnotatedPhrase`, and a
            list of `(caption_index or None, reason)` of what was left out.
        """
        annotated = self.read(image_id)
        phrases, problems = (), []
        if annotated.sentences:
            phrases, problems = align_phrases(captions, annotated.sentences)
        return (
            annotated.objects,
            phrases,
            [*((None, reason) for reason in annotated.problems), *problems],
        )

    def leftovers(self, filenames):
        """Returns what is annotated of no photograph: a list of one reason, or of none.

        Args:
            filenames: of all photographs that are known.
        """
        known = {re.split("[_.]", name.rsplit("/", 1)[-1])[0] for name in filenames}
        strays = sorted(
            name for (_, image_id), name in self._files.items() if image_id not in known
        )
        if not strays:
            return []
        return [f"annotations of no photograph: {len(strays)}, first {strays[0]}"]

    def checksums(self):
        """Returns one SHA-256 for the files read so far of each folder."""
        sums = {}
        for folder in ("Annotations", "Sentences"):
            lines = sorted(
                f"{image_id} {digest}\n"
                for (kind, image_id), digest in self._digests.items()
                if kind == folder
            )
            sums[folder] = hashlib.sha256("".join(lines).encode()).hexdigest()
        return sums


def _with_classes(objects, sentences):
    types = {}
    for sentence in sentences:
        for _, _, chain, kind in sentence.phrases:
            types.setdefault(chain, kind.split("/")[0])
    return tuple(
        dataclasses.replace(
            item, object_class=_CLASSES.get(types.get(item.chain), _CLASSES["other"])
        )
        for item in objects
    )


def parse_sentences(data):
    """Parses a `Sentences` file.

    Args:
        data: the bytes of the file: one sentence a line, mentions as `[/EN#chain/type words]`.

    Returns:
        `(sentences, problems)`: a tuple of `EntitySentence` and a list of reasons.

    Raises:
        ValueError: when a line is not UTF-8.
    """
    sentences, problems = [], []
    for number, line in enumerate(text_lines(data, "the sentences"), 1):
        if not line.strip():
            continue
        words, phrases, empty, start = [], [], [], 0
        for mention in _PHRASE.finditer(line):
            words.extend(line[start : mention.start()].split())
            inside = (mention.group(3) or "").split()
            if inside:
                phrases.append((len(words), len(inside), mention.group(1), mention.group(2)))
            else:
                empty.append(f"sentence {number} has a phrase without words: {mention.group()}")
            words.extend(inside)
            start = mention.end()
        words.extend(line[start:].split())
        if any("/EN#" in word for word in words):
            problems.append(f"sentence {number} has a mention that cannot be read: {line[:80]!r}")
            continue
        problems.extend(empty)
        sentences.append(EntitySentence(tuple(words), tuple(phrases)))
    return tuple(sentences), problems


def _parse_xml(data):
    """Returns the root element of an XML file, in which no entities are declared.

    A few lines of them stand for gigabytes, or for files.
    """

    def refuse(name, *_):
        raise ValueError(f"not XML of annotations: it declares the entity {name!r}")

    parser, builder = expat.ParserCreate(), ElementTree.TreeBuilder()
    parser.buffer_text = True
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler, parser.EndElementHandler = builder.start, builder.end
    parser.CharacterDataHandler = builder.data
    parser.Parse(data, True)
    return builder.close()


def parse_annotations(data):
    """Parses an `Annotations` file.

    Boxes are 1-based inclusive pixels of the original photograph; they are normalised by its
    `<size>`, so that the stored photograph may have any other size. Boxes are clipped to the image.

    Args:
        data: the bytes of the XML file.

    Returns:
        `(objects, problems)`: a tuple of `AnnotatedBox` and a list of reasons.

    Raises:
        ValueError: when the file is not such XML.
    """
    try:
        root = _parse_xml(data)
    except expat.ExpatError as error:
        raise ValueError(f"not XML: {error}") from None
    width, height = (_number(root, f"size/{side}") for side in ("width", "height"))
    if width <= 0 or height <= 0:
        raise ValueError(f"Expected a positive <size>. Received: {width} x {height}")
    objects, problems = [], []
    for number, element in enumerate(root.findall("object"), 1):
        corners = element.find("bndbox")
        if corners is None:  # a scene, or something without a box
            continue
        chains = [(name.text or "").strip() for name in element.findall("name")]
        xmin, ymin, xmax, ymax = (
            _number(corners, side) for side in ("xmin", "ymin", "xmax", "ymax")
        )
        box = (
            min(max((ymin - 1) / height, 0.0), 1.0),
            min(max((xmin - 1) / width, 0.0), 1.0),
            min(max(ymax / height, 0.0), 1.0),
            min(max(xmax / width, 0.0), 1.0),
        )
        if box[2] <= box[0] or box[3] <= box[1]:
            problems.append(
                f"box {number} of chain {'/'.join(chains)} has no area inside the image: "
                f"{xmin:g},{ymin:g},{xmax:g},{ymax:g} in {width:g} x {height:g}"
            )
            continue
        objects.extend(
            AnnotatedBox(chain, box) for chain in chains if chain and chain != NOT_VISUAL_CHAIN
        )
    return tuple(objects), problems


def _number(element, path):
    text = element.findtext(path)
    try:
        value = float(text)
    except (TypeError, ValueError):
        raise ValueError(f"Expected a number in <{path}>. Received: {text!r}") from None
    if not abs(value) < MOST_PIXELS:  # also refuses NaN
        raise ValueError(f"Expected a number of pixels in <{path}>. Received: {text!r}")
    return value


def align_phrases(captions, sentences):
    """Finds each annotated sentence among the captions and counts its phrases in caption words.

    Flickr8K's token file and Flickr30K Entities hold the same sentences in another order, and some
    were corrected. A sentence goes to the caption with the same words; what is then left, to the
    most similar caption left. A phrase is carried over where both its ends can be told.

    Args:
        captions: sequence of strings.
        sentences: sequence of `EntitySentence`.

    Returns:
        `(phrases, problems)`: a tuple of `AnnotatedPhrase` in caption order, and a list of
        `(caption_index, reason)` for captions whose phrases were left out.
    """
    words = [[word.casefold() for word in caption.split()] for caption in captions]
    targets = [[word.casefold() for word in sentence.words] for sentence in sentences]
    phrases, problems = [], []
    for index, chosen in enumerate(_match(words, targets)):
        if chosen is None:
            reason = "no annotated sentence has these words: its phrases are left out"
            problems.append((index, reason))
            continue
        starts, ends = _boundaries(targets[chosen], words[index])
        lost = 0
        for first, count, chain, kind in sentences[chosen].phrases:
            start, end = starts.get(first), ends.get(first + count)
            if start is None or end is None or start >= end:
                lost += 1
                continue
            phrases.append(AnnotatedPhrase(index, start, end - start, chain, kind))
        if lost:
            total = len(sentences[chosen].phrases)
            reason = f"{lost} of {total} phrases are worded differently in the annotated sentence"
            problems.append((index, f"{reason} and left out"))
    return tuple(phrases), problems


def _match(captions, sentences):
    """Returns for each caption the index of its sentence, or None."""
    chosen = [None] * len(captions)
    free = list(range(len(sentences)))
    for index, caption in enumerate(captions):
        # A sentence may stand twice: each occurrence is used once.
        same = next((number for number in free if sentences[number] == caption), None)
        if same is not None:
            chosen[index] = same
            free.remove(same)
    ranked = sorted(
        (
            -difflib.SequenceMatcher(None, sentences[number], captions[index], False).ratio(),
            index,
            number,
        )
        for index in range(len(captions))
        if chosen[index] is None
        for number in free
    )
    for similarity, index, number in ranked:
        if -similarity >= _MIN_SIMILARITY and chosen[index] is None and number in free:
            chosen[index] = number
            free.remove(number)
    return chosen


def _boundaries(sentence, caption):
    """Maps boundaries between words of the sentence to boundaries in the caption.

    Returns two dicts, for the start and for the end of a phrase: they differ where the caption
    has words that the sentence lacks, which belong to neither phrase.
    """
    if sentence == caption:
        same = {place: place for place in range(len(sentence) + 1)}
        return same, same
    starts, ends = {}, {}
    matcher = difflib.SequenceMatcher(None, sentence, caption, False)
    for _, first, last, caption_first, caption_last in matcher.get_opcodes():
        ends.setdefault(first, caption_first)
        starts[first] = caption_first
        starts[last] = ends[last] = caption_last
        if first == last:
            ends[first] = caption_first
        if last - first == caption_last - caption_first:
            for offset in range(1, last - first):
                starts[first + offset] = ends[first + offset] = caption_first + offset
    return starts, ends
