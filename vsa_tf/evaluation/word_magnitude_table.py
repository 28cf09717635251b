"""The words of a split to which an alignment model listens most and least."""

from vsa_tf.metrics.magnitude import WordMagnitudes

# The DVSA paper's table shows the 40 smallest and largest; rare words' averages are noise.
_TABLE_SIZE = 40
_LEAST_OCCURRENCES = 5


def word_magnitude_table(embedded, data):
    """Returns the words of smallest and largest average |s_t| in a split (D section 1).

    Args:
        embedded: the `EmbeddedSplit`.
        data: its `SplitData`.

    Returns:
        A dict of `smallest` and `largest`: lists of dicts of `word`, `magnitude` and `count`, the
        most extreme first.
    """
    magnitudes = WordMagnitudes(len(data.text.vocabulary))
    magnitudes.add(embedded.words, data.tokens.packed_ids)
    tables = {
        "smallest": magnitudes.smallest(_TABLE_SIZE, min_count=_LEAST_OCCURRENCES),
        "largest": magnitudes.largest(_TABLE_SIZE, min_count=_LEAST_OCCURRENCES),
    }
    return {
        name: [
            {
                "word": data.text.vocabulary.decode([row.word_id])[0],
                "magnitude": row.magnitude,
                "count": row.count,
            }
            for row in rows
        ]
        for name, rows in tables.items()
    }
