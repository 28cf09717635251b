"""What a run says where it cannot learn, or has not learnt, and what to try."""

import math

from vsa_tf.text.vocabulary import UNK_ID

_MANY = 0.5


def unknown_words_line(data):
    """Returns a line where most words of a split are unknown to the vocabulary, else None.

    Args:
        data: `SplitData` of words.
    """
    if data.text.relation_types is not None:
        return None
    ids = data.tokens.packed_ids
    share = float((ids == UNK_ID).mean())
    if share <= _MANY:
        return None
    return (
        f"{data.records.split}: {share:.0%} of the words are unknown to the vocabulary of "
        f"{len(data.text.vocabulary)}. Lower --min_count, or write all splits in one language; "
        "sentences without spaces need --tokenizer=wordpiece"
    )


def chance_line(report):
    """Returns a line where retrieval is no better than chance, else None.

    Args:
        report: the content of `metrics.json`.
    """
    metrics = report["metrics"]
    num_images, num_sentences = report["num_images"], report["num_sentences"]
    fitting = [k for k in (10, 5, 1) if 4 * k <= num_images]
    directions = ("image_to_sentence", "sentence_to_image")
    if not fitting or not all(f"R@{fitting[0]}" in metrics.get(name, {}) for name in directions):
        return None
    k = fitting[0]
    of_images = k / num_images
    # Of an image any of its sentences counts.
    of_sentences = 1 - (1 - k / num_sentences) ** (num_sentences / num_images)
    chances = dict(zip(directions, (of_sentences, of_images)))
    for name, chance in chances.items():
        # Two standard deviations; sentences of one image are hardly more than one observation.
        above = chance + 2 * math.sqrt(chance * (1 - chance) / num_images)
        if metrics[name][f"R@{k}"] / 100 > above:
            return None
    return (
        f"This is chance level: R@{k} of {metrics['sentence_to_image'][f'R@{k}']:.1f} where "
        f"{100 * of_images:.1f} is chance. See that captions belong to their photographs; then try "
        "more photographs, more --num_epochs, a lower --learning_rate, or --start_from"
    )
