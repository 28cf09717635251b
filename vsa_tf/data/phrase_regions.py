"""The regions that stand beside each phrase in a training batch (T Algorithm 1)."""

import numpy as np

from vsa_tf.boxes import box_overlap

_BLOCK = 4096


class PhraseRegions:
    """Chooses the regions of region-phrase batches, a pure function of (seed, step).

    Slot 0 of a row is the phrase's own region: its annotated box, where the records hold its
    feature (`write --object_features`) or pixels; else the proposal that overlaps it most. Then,
    with `positive_overlap`, random proposals that overlap the phrase's box so much (step 2): one
    for triplets, all for the pairs of the similarity network. The other slots are random proposals
    that overlap it less than `negative_overlap` (step 3b). Each kind is fewer where there are.

    Args:
        records: a `PhraseRecords`.
        num_negatives: slots of the last kind; never more than an image has regions.
        positive_overlap: intersection over union; None: no such slots.
        num_positives: slots of that kind; never more than an image has regions.
        negative_overlap: intersection over union.
        num_regions: regions of each image that are proposals; None: all.
        from_pixels: batches hold images, so that any box can be cropped.
        seed: whole number of at least 0.

    Attributes:
        num_slots: S, regions of a row.
        has_region: bool `[P]`, phrases that have a region for slot 0: all, or where features of
            annotated boxes are missing those with a proposal of overlap 0.5. The others' slot 0
            is masked: they serve as other regions' negatives alone.
    """

    def __init__(
        self,
        records,
        num_negatives,
        positive_overlap=None,
        negative_overlap=0.3,
        num_positives=1,
        num_regions=None,
        from_pixels=False,
        seed=0,
    ):
        num_regions = num_regions or records.info.num_regions
        self._records = records
        self._num_negatives = min(num_negatives, num_regions)
        self._num_positives = 0 if positive_overlap is None else min(num_positives, num_regions)
        self._positive_overlap = positive_overlap
        self._negative_overlap = negative_overlap
        self._seed = seed
        self._from_pixels = from_pixels
        self._annotated = from_pixels or records.info.object_features
        self.num_slots = 1 + self._num_positives + self._num_negatives
        self._overlaps = region_overlaps(
            records, records.image_of_caption, records.phrase_boxes, num_regions
        )
        self._best = self._overlaps.argmax(axis=1)
        self.has_region = self._annotated | (self._overlaps.max(axis=1) >= 0.5)
        # The sampler compares words, not token ids: two unknown words are not the same.
        self._text_ids = np.unique(records.captions, return_inverse=True)[1].astype(np.int32)

    def of(self, phrases, step, batch, rows=slice(None)):
        """Returns the entries of a batch that depend on the phrases' regions.

        Args:
            phrases: int `[N]`, those of the batch of all hosts.
            step: from 0, counted through all epochs.
            batch: dict as of `BatchAssembler.pair_batch`, all regions of each image of n phrases.
            rows: slice of `phrases`, the n of the batch. Their draws are those of their places
                among all N.

        Returns:
            dict of region_features float16 `[n, S, D]` (unless the batch holds images),
            region_boxes float32 `[n, S, 4]`, region_mask bool `[n, S]`, phrase_id int32 `[n]`,
            phrase_boxes float32 `[n, 4]`, text_id int32 `[n]`.
        """
        records = self._records
        generator = np.random.Generator(np.random.PCG64([self._seed, step]))
        slots, mask = self._choose(phrases, rows, generator)
        phrases = phrases[rows]
        places = np.arange(len(phrases))[:, None]
        boxes = batch["region_boxes"][places, slots] * mask[..., None]
        chains = records.phrase_chains[phrases]
        regions = {}
        if not self._from_pixels:
            features = batch["region_features"][places, slots] * mask[..., None]
            if self._annotated:
                features[:, 0] = records.read_chain_features(chains)
            regions["region_features"] = features
        if self._annotated:
            boxes[:, 0] = records.chain_boxes[chains]
        return {
            **regions,
            "region_boxes": boxes,
            "region_mask": mask,
            "phrase_id": chains,
            "phrase_boxes": records.chain_boxes[chains],
            "text_id": self._text_ids[phrases],
        }

    def _choose(self, phrases, rows, generator):
        """Returns the regions of the rows' slots, int `[n, S]`, and which there are."""
        num_phrases, phrases = len(phrases), phrases[rows]
        overlaps = self._overlaps[phrases]

        def draw(allowed, count):
            noise = generator.random((num_phrases, allowed.shape[1]), np.float32)
            return _first(allowed, count, noise[rows])

        drawn = [(self._best[phrases, None], self.has_region[phrases, None])]
        if self._num_positives:
            close = overlaps >= self._positive_overlap
            drawn.append(draw(close, self._num_positives))
        # Padding overlaps by -1: it is neither close nor far.
        far = (overlaps >= 0) & (overlaps < self._negative_overlap)
        drawn.append(draw(far, self._num_negatives))
        slots, mask = zip(*drawn)
        return np.concatenate(slots, axis=1), np.concatenate(mask, axis=1)


def _first(allowed, count, noise):
    """Returns the `count` allowed columns of least noise of each row, and which there are."""
    columns = np.argsort(noise + ~allowed, axis=1, kind="stable")[:, :count]
    return columns, np.arange(count) < allowed.sum(axis=1, keepdims=True)


def region_overlaps(records, images, boxes, num_regions):
    """Computes the intersection over union of boxes with the regions of their images.

    Args:
        records: the `RecordSplit`.
        images: int `[P]`, of each box.
        boxes: float `[P, 4]`.
        num_regions: R, the first of each image.

    Returns:
        float32 `[P, R]`; -1 where an image has no such region.
    """
    overlaps = np.empty((len(boxes), num_regions), np.float32)
    for start in range(0, len(overlaps), _BLOCK):
        rows = slice(start, start + _BLOCK)
        regions = records.region_boxes[images[rows], :num_regions]
        overlaps[rows] = box_overlap(regions, boxes[rows, None])
        overlaps[rows][~records.region_mask[images[rows], :num_regions]] = -1
    return overlaps
