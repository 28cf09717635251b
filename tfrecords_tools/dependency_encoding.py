"""Dependency relations of captions as entries of a record."""

from vsa_tf.data import schema


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
