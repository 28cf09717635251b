"""Pictures of a split's results: alignments, phrases and their boxes, what a sentence retrieves."""

import collections

import numpy as np
from PIL import Image, ImageOps

from vsa_tf.decoding.segment_alignment import Snippet, snippets
from vsa_tf.models.alignment.settings import SMOOTHNESS
from vsa_tf.visualization.alignment_picture import alignment_picture, contact_sheet

_NUM_RETRIEVED = 4
_WIDTH = 240
_FRAME = 6
# Of those that lie in events and run directories by the dozen.
_ALIGNED_WIDTH = 480
# Heights of taller photographs are shown as so many widths.
_TALLEST = 4
# Okabe and Ito's bluish green: told from a photograph by all kinds of colour vision.
_RIGHT = (0, 158, 115)
_PAPER = (255, 255, 255)


def spread(num_items, count):
    """Returns places in a sequence, evenly spread from the first to the last.

    Args:
        num_items: n, the length of the sequence.
        count: how many places; of a shorter sequence all.

    Returns:
        int `[min(count, n)]`, ascending.

    Example:

    >>> spread(10, 4).tolist()
    [0, 3, 6, 9]
    """
    return np.linspace(0, num_items - 1, min(count, num_items)).astype(int)


def picture_names(records, images):
    """Returns what pictures of images are called, a str each: no two alike.

    Args:
        records: the `RecordSplit`.
        images: sequence of image numbers.

    Returns:
        A list of file names; with the `source_id` where the split has a name several times.
    """
    counts = collections.Counter(records.filenames)
    names = [(records.filenames[image], records.source_ids[image]) for image in images]
    return [name if counts[name] == 1 else f"{name} ({source_id})" for name, source_id in names]


def aligned_pictures(embedded, data, count):
    """Draws the first caption of `count` images, spread over the split: its words or relations.

    Args:
        embedded: the `EmbeddedSplit`.
        data: its `SplitData`; without stored images there are no pictures.
        count: number of pictures.

    Returns:
        A dict of file name to `(caption, uint8 [h, w, 3])`.
    """
    records = data.records
    if not records.info.contents["images_stored"]:
        return {}
    # Relations that stand side by side need not be about one thing.
    smoothness = SMOOTHNESS if data.text.relation_types is None else 0.0
    chosen = [
        image
        for image in spread(records.num_images, count)
        if embedded.lengths[slice(*records.first_caption[image : image + 2])][:1].any()
    ]
    images, sentences = np.array(chosen, int), records.first_caption[chosen]
    found = {}
    for places, scores, regions in embedded.aligned_blocks(images, smoothness, sentences):
        found.update(zip(places.tolist(), zip(scores, regions)))
    pictures = {}
    for place, name in enumerate(picture_names(records, chosen)):
        image, sentence = chosen[place], sentences[place]
        scores, assignment = (values[: embedded.lengths[sentence]] for values in found[place])
        boxes = records.region_boxes[image][: embedded.region_mask.shape[1]]
        picture = alignment_picture(
            records.read_image(image),
            data.fragment_names(sentence),
            snippets(assignment, scores, boxes),
            width=_ALIGNED_WIDTH,
        )
        pictures[name] = (records.captions[sentence], np.asarray(picture))
    return pictures


def localized_pictures(found_boxes, records, count):
    """Draws `count` phrases, spread over the split: the true box dashed, the best one in colour.

    The whole frame is no place: where it is the best region, no box is drawn and words are grey.

    Args:
        found_boxes: float `[P, 4]`, the best region of each phrase.
        records: the `PhraseRecords`; without stored images there are no pictures.
        count: number of pictures.

    Returns:
        A dict of a name to `(phrase, uint8 [h, w, 3])`.
    """
    if not records.info.images_stored:
        return {}
    pictures = {}
    for phrase in spread(len(found_boxes), count):
        image, words = records.image_of_caption[phrase], records.captions[phrase].split()
        snippets = []
        if words:
            box = tuple(found_boxes[phrase].tolist())
            snippets = [Snippet(box, 0, 0, len(words) - 1, 0.0)]
        picture = alignment_picture(
            records.read_image(image),
            words,
            snippets,
            width=_ALIGNED_WIDTH,
            truth_boxes=[records.phrase_boxes[phrase]],
        )
        name = f"{records.filenames[image]}#{phrase}"
        pictures[name] = records.captions[phrase], np.asarray(picture)
    return pictures


def retrieved_pictures(scores, records, count):
    """Draws the images that `count` sentences, spread over the split, find first.

    Args:
        scores: float `[N, M]`, larger is more similar.
        records: the `RecordSplit`; without stored images there are no pictures.
        count: number of pictures.

    Returns:
        A dict of a name to `(caption, uint8 [h, w, 3])`: the best images from left to right, the
        right one in a green frame, below the sentence and the rank of its image.
    """
    if not records.info.images_stored:
        return {}
    pictures = {}
    for sentence in spread(scores.shape[1], count):
        column, right = scores[:, sentence], records.image_of_caption[sentence]
        rank = 1 + int(np.count_nonzero(np.delete(column, right) >= column[right]))
        caption = f"{records.captions[sentence]} (rank {rank})"
        photographs = [
            _framed(records.read_image(image), image == right)
            for image in np.argsort(-column, kind="stable")[:_NUM_RETRIEVED]
        ]
        sheet = contact_sheet(photographs, columns=_NUM_RETRIEVED)
        picture = alignment_picture(sheet, [], [], title=caption, width=sheet.width)
        pictures[f"{records.filenames[right]}#{sentence}"] = caption, np.asarray(picture)
    return pictures


def _framed(image, is_right):
    height = max(1, round(_WIDTH * min(image.shape[0] / image.shape[1], _TALLEST)))
    photograph = Image.fromarray(image).resize((_WIDTH, height), Image.Resampling.LANCZOS)
    return ImageOps.expand(photograph, _FRAME, _RIGHT if is_right else _PAPER)
