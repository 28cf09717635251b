"""Phrases of a split as if each were a caption of its photograph."""

import numpy as np


class PhraseRecords:
    """A `RecordSplit` seen phrase by phrase: what phrase localization learns from.

    Each mention of an entity whose coreference chain has a box is a caption here, in the order of
    the images and of their phrases. Everything else is the `RecordSplit`'s, by its own names.

    Args:
        records: the `RecordSplit`.

    Attributes:
        captions: list of P str, the words of each phrase.
        image_of_caption: int32 `[P]`.
        first_caption: int64 `[N + 1]`, as of `RecordSplit`.
        phrase_types: list of P str.
        phrase_chains: int32 `[P]`, row of `chain_boxes`.
        chain_boxes: float32 `[C, 4]`, the smallest box around all boxes of each chain that has a
            phrase or none, image after image, normalised `ymin, xmin, ymax, xmax`.
        sentence_of_phrase: int64 `[P]`, index into `records.captions`.
        num_dropped: phrases whose chain has no box.

    Raises:
        ValueError: no phrase has a box.
    """

    def __init__(self, records):
        self._records = records
        rows, self.captions, self.phrase_types, self.num_dropped = [], [], [], 0
        for image, phrases in enumerate(records.phrases):
            chains = {
                chain.name: records.first_chain[image] + row
                for row, chain in enumerate(records.chains[image])
            }
            for phrase in phrases:
                if phrase.chain not in chains:
                    self.num_dropped += 1
                    continue
                sentence = records.first_caption[image] + phrase.caption_index
                words = records.captions[sentence].split()
                last = phrase.first_word + phrase.num_words
                self.captions.append(" ".join(words[phrase.first_word : last]))
                self.phrase_types.append(phrase.type)
                rows.append((image, chains[phrase.chain], sentence))
        if not rows:
            raise ValueError(
                f"Expected phrases with boxes in split {records.split!r}. Received: "
                f"{self.num_dropped} phrases, none with a box. Write the records with --entities; "
                "if they were, `skipped` in dataset_info.json says what the annotations lacked"
            )
        images, chains, sentences = np.array(rows, np.int64).T
        self.image_of_caption, self.phrase_chains = images.astype(np.int32), chains.astype(np.int32)
        self.sentence_of_phrase = sentences
        self.first_caption = np.searchsorted(images, np.arange(records.num_images + 1))
        boxes = [chain.box for chains in records.chains for chain in chains]
        self.chain_boxes = np.array(boxes, np.float32).reshape(-1, 4)

    def __getattr__(self, name):
        if name.startswith("__"):  # copying and pickling ask before there are records
            raise AttributeError(name)
        return getattr(self._records, name)

    @property
    def num_captions(self):
        return len(self.captions)

    @property
    def phrase_boxes(self):
        """float32 `[P, 4]`, the true box of each phrase."""
        return self.chain_boxes[self.phrase_chains]
