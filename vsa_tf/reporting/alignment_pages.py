"""The pages of an alignment model, of words or of dependency relations."""

import collections
import itertools

import numpy as np

from vsa_tf.metrics.magnitude import word_magnitude_table
from vsa_tf.reporting.phrase_pages import (
    NUM_REGIONS,
    PhraseCards,
    frequent_snippets,
    phrase_pages,
    query_page,
    snippet_answers,
)
from vsa_tf.reporting.report_page import Card, ReportPage, html_table, region_cards
from vsa_tf.reporting.retrieval_pages import RetrievalPages, split_neighbor_page
from vsa_tf.scoring.embedded_split import aligned_snippets
from vsa_tf.scoring.region_queries import best_regions, regions_by_magnitude
from vsa_tf.text.vocabulary import OTHER_RELATION, UNK_ID

_RETRIEVED = (
    "The first sentence of an image is the one of the whole split that scores highest for it, ✓ "
    "where it is its own; below are those that people wrote of it. "
)
_OF_WORDS = (
    "Each is cut into snippets, each of the region that its words score highest for; grey words "
    "go to the whole frame. "
)
_OF_RELATIONS = (
    "Behind each stand its dependency relations, relation(head, dependent), each in the colour of "
    "the region that it scores highest for; those without a colour go to the whole frame. "
)
_USE = (
    "Point at words or boxes, or go from image to image with the Tab key and along a sentence with "
    "the arrow keys. A rank is that of the image among all images of the split, for the sentence, "
    "✓ where it is the first."
)
# Of largest magnitude.
_NUM_REGIONS = 40
# Of words that have no place in a photograph, in either of the usual namings.
_OF_FUNCTION_WORDS = {"aux", "auxpass", "case", "cc", "cop", "det", "mark", "prep", "punct"}


def alignment_pages(model, evaluation, data, photographs, options):
    """Yields the pages of an alignment model, each a `ReportPage`.

    Args:
        model: a `FragmentModel`.
        evaluation: its `Evaluation` on the split.
        data: the `SplitData`.
        photographs: `PhotographFolder`.
        options: `ReportOptions`.
    """
    records, embedded = data.records, evaluation.embedded
    aligned = AlignedSentences(embedded, data, options.smoothness)
    retrieval = RetrievalPages(evaluation.scores, records, photographs, aligned.parts)
    rows = aligned.align(records.image_of_caption, np.arange(records.num_captions))
    images = np.arange(len(options.shown(range(records.num_images))))
    aligned.align(images, retrieval.best[images])
    aligned.align(*retrieval.annotations())
    if data.text.relation_types is None:
        frequent = frequent_snippets(
            _spoken_snippets(rows, embedded, data), options.num_frequent_queries
        )
        queries = [*options.query, *map(data.text.join, frequent)]
        answers = snippet_answers(model, queries, embedded, data)
        introduction = _RETRIEVED + _OF_WORDS + _USE
    else:
        answers = relation_answers(embedded, data, options.num_frequent_queries)
        introduction = _RETRIEVED + _OF_RELATIONS + _USE
    yield from retrieval.image_pages(introduction, options)
    if answers:
        yield query_page(answers, data, photographs)
    yield magnitude_page(embedded, data, photographs)
    yield from retrieval.pages()
    # The whole frame comes first.
    yield split_neighbor_page(embedded.regions[:, 0], records, photographs, options)
    if evaluation.ranked_phrases:
        phrases = [
            (image, _words_of(records, image, phrase))
            for image, own in enumerate(records.phrases)
            for phrase in own
        ]
        cards = PhraseCards(phrases, evaluation.ranked_phrases, records, photographs)
        yield from phrase_pages(cards, options)


def _spoken_snippets(snippets, embedded, data):
    """Yields the tokens of snippets that are of a place, without quiet words at their ends."""
    magnitudes = np.linalg.norm(embedded.words, axis=1)
    is_loud, starts = magnitudes >= np.median(magnitudes), embedded.starts
    for sentence, region, first, last in snippets:
        loud = np.flatnonzero(is_loud[starts[sentence] + first : starts[sentence] + last])
        if region and loud.size:  # region 0 is the whole frame
            yield data.caption_tokens[sentence][first + loud[0] : first + loud[-1] + 1]


def relation_answers(embedded, data, count):
    """Returns the most frequent dependency relations and their best regions.

    Those of function words, or of words that the model does not know, are left out.

    Args:
        embedded: the `EmbeddedSplit`.
        data: its `SplitData`, of relations.
        count: how many.

    Returns:
        List of `(text, list of RegionHit)`, the most frequent first; of equally frequent ones the
        first met.
    """
    names, first = data.text.relation_types.names, {}
    counts = collections.Counter()
    for place, (relation, *words) in enumerate(data.tokens.packed_ids.tolist()):
        kind = names[relation].partition(":")[0]
        if relation != OTHER_RELATION and UNK_ID not in words and kind not in _OF_FUNCTION_WORDS:
            counts[relation, *words] += 1
            first.setdefault((relation, *words), place)
    answers = []
    for fragment, _ in counts.most_common(count):
        vector = embedded.words[first[fragment]][None]
        hits = best_regions(vector, embedded.regions, embedded.region_mask, NUM_REGIONS)
        answers.append((data.text.decode_fragments([fragment])[0], hits))
    return answers


def _words_of(records, image, phrase):
    words = records.captions[records.first_caption[image] + phrase.caption_index].split()
    return " ".join(words[phrase.first_word : phrase.first_word + phrase.num_words])


class AlignedSentences:
    """Makes lines of sentences whose snippets, or relations, point at their regions in an image.

    Args:
        embedded: the `EmbeddedSplit`.
        data: its `SplitData`.
        smoothness: beta of the chain that cuts sentences into snippets. Each relation stands for
            itself: those that stand side by side need not be about one thing.
    """

    def __init__(self, embedded, data, smoothness):
        self._embedded = embedded
        self._data = data
        self._smoothness = smoothness
        self._rows = {}

    def align(self, images, sentences):
        """Aligns sentences with images, all together, which is quicker than one by one.

        Args:
            images: int `[P]`.
            sentences: int `[P]`.

        Returns:
            int `[S, 4]`, as of `aligned_snippets`.
        """
        images, sentences = np.asarray(images), np.asarray(sentences)
        if self._data.text.relation_types is None:
            rows = aligned_snippets(self._embedded, images, self._smoothness, sentences)
        else:
            rows = np.array(list(self._best_regions(images, sentences)), np.int64).reshape(-1, 4)
        bounds = np.searchsorted(rows[:, 0], np.arange(len(images) + 1))
        for place, pair in enumerate(zip(images.tolist(), sentences.tolist())):
            self._rows[pair] = rows[bounds[place] : bounds[place + 1], 1:].tolist()
        return rows

    def _best_regions(self, images, sentences):
        embedded = self._embedded
        for place, (image, sentence) in enumerate(zip(images, sentences)):
            scores = embedded.words_of(sentence) @ embedded.regions[image].T
            scores[:, ~embedded.region_mask[image]] = -np.inf
            for fragment, region in enumerate(scores.argmax(axis=1)):
                yield place, region, fragment, fragment + 1

    def parts(self, card, image, sentence):
        """Returns the parts of a sentence's line, whose boxes are added to a card of the image."""
        image, sentence = int(image), int(sentence)
        if (image, sentence) not in self._rows:
            self.align([image], [sentence])
        rows = self._rows[image, sentence]
        found = []
        for text, place in self._texts(sentence, [(first, last) for _, first, last in rows]):
            if place is None:
                found.append(Card.part(text))
                continue
            region, first, last = rows[place]
            words = self._embedded.words_of(sentence)[first:last]
            score = float(words.sum(axis=0) @ self._embedded.regions[image, region])
            boxes = card.add_box(self._data.records.region_boxes[image, region])
            found.append(Card.part(text, boxes, f"{score:.2f}"))
        return found

    def _texts(self, sentence, tokens):
        """Returns `(text, place in tokens)` of the parts of a sentence; place is None of others."""
        caption, text = self._data.records.captions[sentence], self._data.text
        if text.relation_types is None:
            return snippet_parts(caption, text.token_boundaries(caption), tokens)
        names = self._data.fragment_names(sentence)
        parts = [(name, place) for place, name in enumerate(names)]
        return [(f"{caption} —" if parts else caption, None), *parts]


def snippet_parts(caption, boundaries, snippets):
    """Gives each word of a caption to the snippet that its first token is in.

    Words without a token, such as a full stop, stay with the word before them.

    Args:
        caption: str.
        boundaries: word i of `caption.split()` has tokens boundaries[i] to boundaries[i + 1] - 1.
        snippets: list of `(first, last)`, the first token of each and the one after its last.

    Returns:
        List of `(text, snippet)` in the order of the words; snippet is None where words are in
        none.

    Example:

    >>> snippet_parts("A dog , running .", [0, 1, 2, 2, 3, 3], [(0, 2), (2, 3)])
    [('A dog ,', 0), ('running .', 1)]
    """
    owners = []
    for word in range(len(caption.split())):
        token = boundaries[word]
        owner = next(
            (index for index, (first, last) in enumerate(snippets) if first <= token < last), None
        )
        if token == boundaries[word + 1]:
            owner = owners[-1] if owners else None
        owners.append(owner)
    pairs = zip(owners, caption.split())
    return [
        (" ".join(word for _, word in run), owner)
        for owner, run in itertools.groupby(pairs, key=lambda pair: pair[0])
    ]


def magnitude_page(embedded, data, photographs):
    """Returns the page of magnitudes (D section 1 of the supplement).

    Args:
        embedded: the `EmbeddedSplit`.
        data: its `SplitData`.
        photographs: `PhotographFolder`.

    Returns:
        `ReportPage`.
    """
    ids, unit, names = data.tokens.packed_ids, "word", data.text.vocabulary.tokens
    if data.text.relation_types is not None:
        ids, unit, names = ids[:, 0], "relation", data.text.relation_types.names
    tables = [
        html_table(
            f"{unit.capitalize()}s of {name} magnitude",
            (unit, "magnitude", "count"),
            [(row["word"], f"{row['magnitude']:.2f}", row["count"]) for row in rows],
        )
        for name, rows in word_magnitude_table(embedded.words, ids, names).items()
    ]
    hits = regions_by_magnitude(embedded.regions, embedded.region_mask, _NUM_REGIONS)
    regions = ReportPage.group(
        "Regions of largest magnitude", region_cards(hits, data, photographs), small=True
    )
    return ReportPage(
        "magnitudes",
        f"Magnitudes of {unit}s and regions",
        "A score is a sum of inner products, so that a short vector hardly counts in it. The "
        f"magnitude of a {unit} is the mean length of its vectors in the split.",
        [regions],
        f'<div class="tables">{"".join(tables)}</div>\n',
        "Magnitudes",
    )
