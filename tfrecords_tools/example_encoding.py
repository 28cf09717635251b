"""One photograph with its regions, sentences and relations to the bytes of a record."""

import itertools

import numpy as np
import tensorflow as tf

from vsa_tf.data import schema
from vsa_tf.data.parsed_record import annotated_chains


class ExampleError(ValueError):
    """A photograph that cannot become a record; the message is the reason."""


def check_example(example):
    """Checks what a source says of a photograph: captions, annotated boxes, phrases, parses.

    Raises:
        ExampleError: for the first of them that could mislead a model.
    """
    _check_captions(example)
    _check_boxes("object", np.array([item.box for item in example.objects]).reshape(-1, 4))
    _check_phrases(example)
    if len(example.dependencies) not in (0, len(example.captions)):
        raise ExampleError(
            f"parses of {len(example.dependencies)} captions where there are "
            f"{len(example.captions)}"
        )


def encode_example(
    example, image, boxes, scores, features=None, chain_features=None, *, store_image=True
):
    """Encodes a record, after checking that nothing in it could mislead a model.

    Args:
        example: a `SourceExample`.
        image: `(encoded, format, height, width)` as `stored_image` returns it.
        boxes: float32 `[R, 4]`, normalised; row 0 is the whole frame.
        scores: float32 `[R]`.
        features: float32 `[R, D]`, or None where no features are kept.
        chain_features: float32 `[C, D]` of the `annotated_chains` of the example, or None.
        store_image: whether the record holds the encoded image.

    Returns:
        bytes of a `tf.train.Example`; the same arguments always give the same bytes.

    Raises:
        ExampleError: for captions, boxes or features that cannot be used.
    """
    check_example(example)
    _check_boxes("region", boxes)
    record = tf.train.Example()
    values = record.features.feature
    _set_bytes(values, schema.IMAGE_SOURCE_ID, [_utf8(example.source_id)])
    _set_bytes(values, schema.IMAGE_FILENAME, [_utf8(example.filename)])
    encoded, image_format, height, width = image
    if store_image:
        _set_bytes(values, schema.IMAGE_ENCODED, [encoded])
        _set_bytes(values, schema.IMAGE_FORMAT, [_utf8(image_format)])
    _set_integers(values, schema.IMAGE_HEIGHT, [height])
    _set_integers(values, schema.IMAGE_WIDTH, [width])
    for key, column in zip(schema.REGION_BOX, np.asarray(boxes, np.float32).T, strict=True):
        values[key].float_list.value.extend(column.tolist())
    values[schema.REGION_SCORE].float_list.value.extend(np.asarray(scores, np.float32).tolist())
    if features is not None:
        halves = _to_float16("region", features, len(boxes))
        _set_bytes(values, schema.IMAGE_FEATURE, [halves[0].tobytes()])
        _set_bytes(values, schema.REGION_FEATURE, [halves.tobytes()])
    for place, key in enumerate(schema.OBJECT_BOX):
        values[key].float_list.value.extend(item.box[place] for item in example.objects)
    _set_bytes(values, schema.OBJECT_CHAIN, [_utf8(item.chain) for item in example.objects])
    if example.objects:
        # Not otherwise: records without annotated boxes stay as they were.
        classes = [item.object_class for item in example.objects]
        _set_integers(values, schema.OBJECT_CLASS_LABEL, [own.label for own in classes])
        _set_bytes(values, schema.OBJECT_CLASS_TEXT, [_utf8(own.name) for own in classes])
    if chain_features is not None:
        halves = _to_float16("chain", chain_features, len(annotated_chains(example.objects)))
        _set_bytes(values, schema.OBJECT_CHAIN_FEATURE, [halves.tobytes()])
    _set_bytes(values, schema.CAPTION_RAW, [_utf8(caption) for caption in example.captions])
    phrases = example.phrases
    _set_integers(values, schema.PHRASE_CAPTION_INDEX, [item.caption_index for item in phrases])
    _set_integers(values, schema.PHRASE_FIRST_WORD, [item.first_word for item in phrases])
    _set_integers(values, schema.PHRASE_NUM_WORDS, [item.num_words for item in phrases])
    _set_bytes(values, schema.PHRASE_CHAIN, [_utf8(item.chain) for item in phrases])
    _set_bytes(values, schema.PHRASE_TYPE, [_utf8(item.type) for item in phrases])
    if example.dependencies:
        # Not otherwise: records of captions that are not parsed stay as they were.
        encode_dependencies(values, example.dependencies)
    # Keys in sorted order: the bytes of a map are otherwise not defined.
    return record.SerializeToString(deterministic=True)


def _check_captions(example):
    if not example.captions:
        raise ExampleError("no usable caption")
    for number, caption in enumerate(example.captions):
        if not caption.strip():
            raise ExampleError(f"caption {number} is empty")


def _check_boxes(kind, boxes):
    boxes = np.asarray(boxes)
    if not np.isfinite(boxes).all():
        raise ExampleError(f"the coordinates of a {kind} box are not finite")
    wrong = (boxes < 0).any(axis=1) | (boxes > 1).any(axis=1)
    wrong |= (boxes[:, 2:] <= boxes[:, :2]).any(axis=1)
    for box in itertools.islice(boxes[wrong], 1):
        raise ExampleError(
            f"a {kind} box is outside the image or has no area: {[round(float(x), 4) for x in box]}"
        )


def _check_phrases(example):
    lengths = [len(caption.split()) for caption in example.captions]
    for phrase in example.phrases:
        if not 0 <= phrase.caption_index < len(lengths):
            raise ExampleError(f"a phrase of caption {phrase.caption_index} of {len(lengths)}")
        last = phrase.first_word + phrase.num_words
        if phrase.first_word < 0 or phrase.num_words < 1 or last > lengths[phrase.caption_index]:
            raise ExampleError(
                f"a phrase of words {phrase.first_word} to {last} in a caption of "
                f"{lengths[phrase.caption_index]} words"
            )


def _to_float16(kind, features, count):
    features = np.asarray(features)
    if features.ndim != 2 or len(features) != count:
        raise ExampleError(
            f"Expected {kind} features [{count}, D]. Received: shape {features.shape}"
        )
    if not np.isfinite(features).all():
        place = int(np.argmin(np.isfinite(features).all(axis=1)))
        raise ExampleError(f"the feature of {kind} {place} holds NaN or infinity")
    with np.errstate(over="ignore"):
        halves = features.astype("<f2")
    if not np.isfinite(halves).all():
        raise ExampleError(f"a feature of {np.abs(features).max():g} does not fit into float16")
    return halves


def _utf8(text):
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise ExampleError(f"text that is not UTF-8: {text[:60]!r}") from None


def _set_bytes(values, key, items):
    values[key].bytes_list.value.extend(items)


def _set_integers(values, key, items):
    values[key].int64_list.value.extend(items)


def encode_dependencies(features, dependencies):
    """Sets the `caption/dependency` entries of a record, in place of any there are.

    Args:
        features: the map of features of a `tf.train.Example`.
        dependencies: for each caption its relations, tuples of `(relation, head, dependent)`.
    """
    rows = [
        (index, *(text.encode("utf-8") for text in relation))
        for index, relations in enumerate(dependencies)
        for relation in relations
    ]
    indices, *texts = zip(*rows) if rows else ((), (), (), ())
    features[schema.DEPENDENCY_CAPTION_INDEX].int64_list.value[:] = indices
    for key, values in zip(
        (schema.DEPENDENCY_RELATION, schema.DEPENDENCY_HEAD, schema.DEPENDENCY_DEPENDENT),
        texts,
        strict=True,
    ):
        features[key].bytes_list.value[:] = values
