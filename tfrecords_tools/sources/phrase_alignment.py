"""Carries annotated phrases over to captions whose order or wording differs."""

import difflib

from tfrecords_tools.sources.source import Phrase

# Below this share of common words two sentences say different things.
MIN_SIMILARITY = 0.6


def align_phrases(captions, sentences):
    """Finds each annotated sentence among the captions and counts its phrases in caption words.

    Flickr8K's token file and Flickr30K Entities hold the same sentences in another order, and some
    were corrected. A sentence goes to the caption with the same words; what is then left, to the
    most similar caption left. A phrase is carried over where both its ends can be told.

    Args:
        captions: sequence of strings.
        sentences: sequence of `EntitySentence`.

    Returns:
        `(phrases, problems)`: a tuple of `Phrase` in caption order, and a list of
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
            phrases.append(Phrase(index, start, end - start, chain, kind))
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
        if -similarity >= MIN_SIMILARITY and chosen[index] is None and number in free:
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
