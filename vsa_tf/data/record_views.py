"""A split seen otherwise: its phrases as captions, or its regions as images with captions."""

import dataclasses

import numpy as np

from vsa_tf.data.phrase_regions import region_overlaps


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
                f"{self.num_dropped} phrases, none with a box. Write the records with --entities "
                "or --dataset=regions; if they were, `skipped` in dataset_info.json says what the "
                "annotations lacked"
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


class RegionRecords:
    """A `RecordSplit` seen region by region: what the region captioner learns from.

    Every region that has a snippet is one image here, in the order of images and their regions; its
    snippets, in the order of the sentences, are its captions.

    Args:
        records: the `RecordSplit`.
        image_of_snippet: int `[S]`.
        region_of_snippet: int `[S]`.
        snippets: list of S str.
        whole_frame: each region's features are followed by the whole frame's, as a second region.

    Attributes:
        info: `records.info` with the number of regions that there are here, 1 or 2.
        split, num_images, num_captions, filenames, captions, image_of_caption, first_caption,
        region_boxes, region_mask: as of `RecordSplit`.
        phrases, objects: none.

    Raises:
        ValueError: there is no snippet.
    """

    def __init__(self, records, image_of_snippet, region_of_snippet, snippets, whole_frame=False):
        if not len(snippets):
            raise ValueError("Expected at least one snippet. Received: none")
        stored = records.info.num_regions
        place = np.asarray(image_of_snippet, np.int64) * stored + region_of_snippet
        places, region = np.unique(place, return_inverse=True)
        images, boxes = np.divmod(places, stored)
        self._show(records, images, boxes, boxes, region, snippets, whole_frame)

    def _show(self, records, images, boxes, names, region_of_caption, captions, whole_frame):
        """Shows the stored regions `boxes` of `images`, which `names` tell apart."""
        order = np.argsort(region_of_caption, kind="stable")
        self._records = records
        self._image = images
        self._regions = np.stack([boxes, np.zeros_like(boxes)], 1)[:, : 1 + whole_frame]
        self.info = dataclasses.replace(records.info, num_regions=self._regions.shape[1])
        self.split = records.split
        self.captions = [captions[caption] for caption in order]
        self.image_of_caption = region_of_caption[order].astype(np.int32)
        self.first_caption = np.searchsorted(self.image_of_caption, np.arange(len(images) + 1))
        self.region_boxes = records.region_boxes[images[:, None], self._regions]
        self.region_mask = records.region_mask[images[:, None], self._regions]
        self.filenames = [
            f"{records.filenames[image]}#{name}" for image, name in zip(images, names)
        ]
        self.phrases = self.objects = [()] * len(images)

    @property
    def num_images(self):
        return len(self._image)

    @property
    def num_captions(self):
        return len(self.captions)

    def read_region_features(self, image_indices, num_regions=None):
        """Returns float16 `[n, num_regions, D]` of regions, as of `RecordSplit`."""
        regions = self._regions[image_indices, :num_regions]
        # Several regions are of one photograph; of it no more is read than the last of them.
        images, place = np.unique(self._image[image_indices], return_inverse=True)
        features = self._records.read_region_features(images, int(regions.max(initial=0)) + 1)
        return features[place[:, None], regions]

    def read_encoded_images(self, image_indices):
        """Returns the encoded photographs that the regions are in, list of bytes."""
        return self._records.read_encoded_images(self._image[image_indices])

    def read_image(self, image_index):
        """Returns the pixels of one region, uint8 `[h, w, 3]`, at least one pixel each way."""
        picture = self._records.read_image(self._image[image_index])
        size = np.array(picture.shape[:2])
        low, high = self.region_boxes[image_index, 0].reshape(2, 2)
        first = np.minimum((low * size).astype(int), size - 1)
        last = np.maximum(np.ceil(high * size).astype(int), first + 1)
        return picture[first[0] : last[0], first[1] : last[1]]


class DescribedRegions(RegionRecords):
    """A `RecordSplit` seen by the regions that people have described.

    Every coreference chain with a box and a phrase is one image here, and its phrases are its
    captions. What the model sees of it is the given box, or in its place the region of the records
    that overlaps it most.

    Args:
        records: the `RecordSplit`.
        boxes: `given` or `detected`; empty: given, where the records hold what is seen of them.
        least_overlap: intersection over union from which a region stands for a given box; those
            that none overlaps so much are left out.
        whole_frame: as of `RegionRecords`.

    Attributes:
        boxes: `given` or `detected`.
        least_overlap: as the argument; 1 of given boxes.
        num_described: described regions of the split, those that are left out among them.
        overlaps: float32 `[num_images]`, with what is seen of each.
        And those of `RegionRecords`; `filenames` end with the chain.

    Raises:
        ValueError: no phrase has a box, the records hold no features of given boxes, or no region
            overlaps one so much.
    """

    def __init__(self, records, boxes="", least_overlap=0.5, whole_frame=False):
        phrases = PhraseRecords(records)
        # Pixels have any box.
        are_seen = records.info.object_features or records.info.region_feature_size == 0
        self.boxes = boxes or ("given" if are_seen else "detected")
        is_given = self.boxes == "given"
        if is_given and not are_seen:
            raise ValueError(
                f"--region_boxes=given needs features of given boxes, which {records.info.data_dir}"
                " lacks. Write the records with --object_features, or take --region_boxes=detected"
            )
        chains, region = np.unique(phrases.phrase_chains, return_inverse=True)
        images = np.searchsorted(records.first_chain, chains, side="right") - 1
        self.num_described, self.least_overlap = len(chains), 1.0 if is_given else least_overlap
        if is_given:
            stored, self.overlaps = (
                np.zeros(len(chains), np.int64),
                np.ones(len(chains), np.float32),
            )
        else:
            overlaps = region_overlaps(
                records, images, phrases.chain_boxes[chains], records.info.num_regions
            )
            stored, self.overlaps = overlaps.argmax(axis=1), overlaps.max(axis=1)
        is_shown = self.overlaps >= self.least_overlap
        if not is_shown.any():
            raise ValueError(
                f"Expected a region of IoU {least_overlap:g} or more with one of "
                f"{len(chains)} described regions of split {records.split}. Received: at most "
                f"{self.overlaps.max():.2f}"
            )
        self.overlaps = self.overlaps[is_shown]
        kept = is_shown[region]
        firsts = records.first_chain[images]
        names = [
            records.chains[image][chain - first].name
            for image, chain, first in zip(images, chains, firsts)
        ]
        self._show(
            records,
            images[is_shown],
            stored[is_shown],
            [name for name, shown in zip(names, is_shown) if shown],
            (np.cumsum(is_shown) - 1)[region[kept]],
            [caption for caption, keep in zip(phrases.captions, kept) if keep],
            whole_frame,
        )
        self._chains = chains if is_given else None
        if is_given:
            self.region_boxes[:, 0] = phrases.chain_boxes[chains]

    def read_region_features(self, image_indices, num_regions=None):
        """Returns float16 `[n, num_regions, D]`, as of `RegionRecords`."""
        if self._chains is None:
            return super().read_region_features(image_indices, num_regions)
        features = self._records.read_chain_features(self._chains[image_indices])[:, None]
        if self._regions[:, :num_regions].shape[1] == 1:
            return features
        frames = super().read_region_features(image_indices, num_regions)[:, 1:]
        return np.concatenate([features, frames], axis=1)

    def summary(self):
        """Returns what is said of the regions beside the scores of their captions, a dict."""
        return {
            "boxes": self.boxes,
            "least_overlap": float(self.least_overlap),
            "num_described": self.num_described,
            "num_captioned": self.num_images,
            "mean_overlap": float(self.overlaps.mean()),
        }
