"""What an alignment model of a model directory answers."""

import numpy as np

from vsa_tf.decoding.segment_alignment import segment_alignment, snippets
from vsa_tf.inference.live_fragments import LiveFragments
from vsa_tf.inference.sentence_reader import padded_strings


class LiveAlignment(LiveFragments):
    """The answers of an `AlignmentModel` of words, as `GraphAlignment` gives them in a SavedModel.

    Args:
        model: the `AlignmentModel`.
        photographs: turns a list of encoded images into a batch.
        sentences: the `LiveSentences`.
        smoothness: see `GraphAlignment`.
    """

    def __init__(self, model, photographs, sentences, smoothness):
        super().__init__(model, photographs, sentences)
        self._smoothness = smoothness

    def embed_sentence(self, sentences):
        batch = self._sentences(sentences)
        return {
            "words": self._words(batch),
            "tokens": batch["tokens"],
            "num_words": batch["num_words"],
        }

    def align(self, image_bytes, sentences):
        images, texts = self._photographs(image_bytes), self._sentences(sentences)
        regions, words = self._regions(images), self._words(texts)
        assigned = np.full(words.shape[:2], -1, np.int32)
        word_scores = np.zeros(words.shape[:2], np.float32)
        found = []
        for row, length in enumerate(texts["num_words"]):
            mask = images["region_mask"][row]
            scores = words[row, :length] @ regions[row].T
            beta = self._smoothness * float(np.abs(scores[:, mask].max(axis=1)).mean())
            assigned[row, :length] = segment_alignment(scores, beta, mask)
            word_scores[row, :length] = scores[np.arange(length), assigned[row, :length]]
            boxes = images["region_boxes"][row]
            found.append(snippets(assigned[row, :length], scores, boxes))
        return {
            "score": self._scores(images, texts),
            "tokens": texts["tokens"],
            "num_words": texts["num_words"],
            "word_regions": assigned,
            "word_scores": word_scores,
            "boxes": images["region_boxes"],
            **self._padded(found, texts["tokens"]),
        }

    def localize(self, image_bytes, phrases):
        images, texts = self._photographs(image_bytes), self._sentences(phrases)
        phrase = self._words(texts).sum(axis=1)
        return ranked_boxes(images, np.einsum("brh,bh->br", self._regions(images), phrase))

    def _padded(self, found, tokens):
        num_snippets = np.array([len(row) for row in found], np.int32)
        count = num_snippets.max()
        boxes = np.zeros((len(found), count, 4), np.float32)
        scores = np.zeros((len(found), count), np.float32)
        texts = []
        for index, row in enumerate(found):
            boxes[index, : len(row)] = [snippet.box for snippet in row]
            scores[index, : len(row)] = [snippet.score for snippet in row]
            texts.append(
                [
                    self._sentences.text.join(
                        tokens[index, snippet.first_word : snippet.last_word + 1]
                    )
                    for snippet in row
                ]
            )
        return {
            "snippets": padded_strings(texts, count),
            "snippet_boxes": boxes,
            "snippet_scores": scores,
            "num_snippets": num_snippets,
        }


def ranked_boxes(batch, scores):
    """Returns the answer of `localize`: the real regions of each row, best first.

    Args:
        batch: dict with region_boxes `[B, R, 4]` and region_mask `[B, R]`.
        scores: float `[B, R]`.
    """
    boxes, ranked = np.zeros_like(batch["region_boxes"]), np.zeros_like(scores)
    for row, mask in enumerate(batch["region_mask"]):
        real = np.flatnonzero(mask)
        order = real[np.argsort(-scores[row, real], kind="stable")]
        boxes[row, : len(order)] = batch["region_boxes"][row, order]
        ranked[row, : len(order)] = scores[row, order]
    num_boxes = batch["region_mask"].sum(axis=1, dtype=np.int32)
    return {"boxes": boxes, "scores": ranked, "num_boxes": num_boxes}
