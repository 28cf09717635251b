"""Photographs with their sentences, words and boxes coloured by their alignment."""

import numpy as np

from vsa_tf.reporting.card import Card
from vsa_tf.reporting.snippet_parts import snippet_parts


class AlignedCards:
    """Makes the card of an image of a split that an alignment model has seen.

    Args:
        embedded: the `EmbeddedSplit`.
        data: its `SplitData`.
        snippets: of `aligned_snippets`.
        ranks: int `[M]`, of each sentence's image among all images.
        photographs: `PhotographFolder`.
    """

    def __init__(self, embedded, data, snippets, ranks, photographs):
        self._embedded = embedded
        self._data = data
        self._snippets = snippets
        self._first = np.searchsorted(snippets[:, 0], np.arange(data.records.num_captions + 1))
        self._starts = embedded.starts
        self._ranks = ranks
        self._photographs = photographs

    def card(self, image):
        """Returns the `Card` of an image."""
        records = self._data.records
        card = Card(self._photographs.photograph(image), records.filenames[image])
        for sentence in range(*records.first_caption[image : image + 2]):
            card.add_line(self._parts(card, image, sentence), note=f"rank {self._ranks[sentence]}")
        return card

    def _parts(self, card, image, sentence):
        caption = self._data.records.captions[sentence]
        rows = self._snippets[self._first[sentence] : self._first[sentence + 1]]
        parts = snippet_parts(
            caption, self._data.text.token_boundaries(caption), [(a, b) for _, _, a, b in rows]
        )
        found = []
        for text, snippet in parts:
            if snippet is None:
                found.append(Card.part(text))
                continue
            _, region, first, last = rows[snippet]
            start = self._starts[sentence]
            words = self._embedded.words[start + first : start + last]
            score = float(words.sum(axis=0) @ self._embedded.regions[image, region])
            boxes = card.add_box(self._data.records.region_boxes[image, region])
            found.append(Card.part(text, boxes, f"{score:.2f}"))
        return found
