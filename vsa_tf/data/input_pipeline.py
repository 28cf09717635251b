"""Batches of a split: put together as numpy arrays, then fed as `tf.data.Dataset`s."""

import copy
import os

import numpy as np
import tensorflow as tf

from vsa_tf.boxes import WHOLE_FRAME
from vsa_tf.data.batch_plan import choose_bucket_widths
from vsa_tf.data.image_input import ENCODED_IMAGES, Pixels, RegionFeatures

_DTYPES = {
    "region_features": tf.float16,
    "images": tf.uint8,
    ENCODED_IMAGES: tf.string,
    "region_boxes": tf.float32,
    "region_mask": tf.bool,
    "token_ids": tf.int32,
    "relations": tf.int32,
    "heads": tf.int32,
    "dependents": tf.int32,
    "image_id": tf.int32,
    "sentence_id": tf.int32,
    "sentence_features": tf.float16,
    "phrase_id": tf.int32,
    "phrase_boxes": tf.float32,
    "text_id": tf.int32,
    "teacher_scores": tf.float32,
    # Of `Augmentation.draw`; they never leave the pipeline.
    "mirrored": tf.bool,
    "operations": tf.int32,
    "directions": tf.float32,
    "erased": tf.float32,
}


class BatchAssembler:
    """Puts together batches of images, of sentences, and of pairs.

    n is the number of rows asked for, W the width of a row of tokens, T the size of a sentence
    feature.

    Args:
        record_split: a `RecordSplit`, or anything with its `image_of_caption`.
        token_store: the `TokenStore` or `FragmentStore` of its captions; None where only images are
            read.
        images: the `RegionFeatures` or `Pixels` of its images.
        sentence_features: float16 [M, T] of all captions; None: batches have none.
        phrase_regions: the `PhraseRegions` whose entries take the place of an image's regions in
            the batches of training steps; None: whole images are paired.

    Attributes:
        teachers: `scores(images, sentences)` gives what stands in the batches of training steps as
            `teacher_scores`; None: nothing does.

    Raises:
        ValueError: the token store is of other captions.
    """

    def __init__(
        self, record_split, token_store, images, sentence_features=None, phrase_regions=None
    ):
        num_captions = len(record_split.image_of_caption)
        if token_store is not None and len(token_store) != num_captions:
            raise ValueError(
                f"Expected the tokens of {num_captions} captions. Received: a token store of "
                f"{len(token_store)}. Make it from the captions of the same split."
            )
        self.record_split = record_split
        self.token_store = token_store
        self.images = images
        self.sentence_features = sentence_features
        self.phrase_regions = phrase_regions
        self.teachers = None

    def image_batch(self, image_indices):
        """Returns a batch of images.

        Args:
            image_indices: int [n].

        Returns:
            dict of the `entries` of `images`; image_id int32 [n].
        """
        image_indices = np.asarray(image_indices, np.int32)
        return {**self.images.entries(image_indices), "image_id": image_indices}

    def sentence_batch(self, caption_indices, width):
        """Returns a batch of sentences.

        Args:
            caption_indices: int [n].
            width: W.

        Returns:
            dict of the store's entries, int32 [n, W]: token_ids, words only, or relations, heads
            and dependents, padded with 0 on the right; image_id int32 [n]; sentence_id int32 [n];
            sentence_features float16 [n, T], if there are any.
        """
        batch = {
            **self.token_store.entries(caption_indices, width),
            "image_id": self.record_split.image_of_caption[caption_indices],
            "sentence_id": np.asarray(caption_indices, np.int32),
        }
        if self.sentence_features is not None:
            batch["sentence_features"] = self.sentence_features[caption_indices]
        return batch

    def pair_batch(self, caption_indices, width):
        """Returns a batch of sentences and their images: the entries of both batches."""
        image_indices = self.record_split.image_of_caption[caption_indices]
        return self.image_batch(image_indices) | self.sentence_batch(caption_indices, width)

    def assemble_batch(self, plan, step):
        """Returns the batch of a training step.

        Args:
            plan: the `BatchPlan` of the split's captions, or a `HostPlan` of it.
            step: from 0, counted through all epochs.

        Returns:
            dict as of `pair_batch`, of `PhraseRegions.of` if there are any, and `teacher_scores`,
            float32 [n, B], if there are teachers.
        """
        width, caption_indices = plan.batch(step)
        batch = self.pair_batch(caption_indices, width)
        whole, rows = plan.whole_batch(step)
        if self.phrase_regions is not None:
            batch |= self.phrase_regions.of(whole, step, batch, rows)
        if self.teachers is not None:
            images = self.record_split.image_of_caption[whole]
            batch["teacher_scores"] = self.teachers.scores(images, whole)[rows]
        return batch


class InputPipeline:
    """Feeds a split to a model, always in the same order, read ahead of the steps.

    Batches are dicts. B is the batch size, R the regions of an image, D the size of a feature, S
    the side of an image, W one of a few widths:

    | key | |
    | --- | --- |
    | region_features | float16 [B, R, D], when `image_size` is 0; padding is 0 |
    | images | uint8 [B, S, S, 3], when `image_size` is S; or crops of regions, see `Crops` |
    | region_boxes | float32 [B, R, 4], normalised `ymin, xmin, ymax, xmax`; padding is 0 |
    | region_mask | bool [B, R], False is padding |
    | token_ids | int32 [B, W], words only, padded with PAD on the right |
    | relations, heads, dependents | int32 [B, W] each, in place of token_ids; padding is 0 |
    | image_id | int32 [B], position of the image in the split |
    | sentence_id | int32 [B], position of the caption in the split |
    | sentence_features | float16 [B, T], where the pipeline is given any |
    | teacher_scores | float32 [B, B], of images and sentences, where training is given teachers |

    With `phrase_regions`, training batches have S regions of each row's image, those of
    `PhraseRegions.of`, and its other entries.

    No batch holds strings. Every tensor of a batch has a static shape; the specification of the
    dataset leaves W open, and B where a last batch is smaller.

    Args:
        record_split: a `RecordSplit`.
        token_store: the `TokenStore` or `FragmentStore` of its captions; None where only images are
            read.
        sentence_features: float16 [M, T] of its captions; None: batches have none.
        phrase_regions: the `PhraseRegions` of training batches; None: whole images are paired.
        image_size: S to read images, 0 to read region features.
        num_regions: R, the first of each image; 0: all that there are.
        image_cache_bytes: see `Pixels`.
        num_parallel_calls: batches put together at a time; None chooses.
        prefetch: batches that may wait for the model.
        progress: `progress(done, total)` while images are decoded for the cache.

    Raises:
        ValueError: the records lack the features, or the images, that are asked for.
    """

    def __init__(
        self,
        record_split,
        token_store=None,
        sentence_features=None,
        phrase_regions=None,
        image_size=0,
        num_regions=0,
        image_cache_bytes=2 * 1024**3,
        num_parallel_calls=None,
        prefetch=4,
        progress=None,
    ):
        self.record_split = record_split
        self.token_store = token_store
        self.image_size = int(image_size)
        if self.image_size:
            self.images = Pixels(
                record_split, self.image_size, num_regions, image_cache_bytes, progress
            )
        else:
            self.images = RegionFeatures(record_split, num_regions)
        self.num_parallel_calls = num_parallel_calls
        self.prefetch = prefetch
        self.assembler = BatchAssembler(
            record_split, token_store, self.images, sentence_features, phrase_regions
        )

    @property
    def has_regions(self):
        """Whether training batches have other boxes than the whole frame of each image."""
        records, count = self.record_split, self.images.num_regions
        boxes = records.region_boxes[:, :count][records.region_mask[:, :count]]
        return self.assembler.phrase_regions is not None or bool((boxes != WHOLE_FRAME).any())

    def taught_by(self, teachers):
        """Returns the pipeline whose training batches hold `teacher_scores` by these teachers."""
        taught = self._copy()
        taught.assembler.teachers = teachers
        return taught

    def with_tokens(self, token_store):
        """Returns the pipeline of the same images with other captions, as many, a `TokenStore`."""
        changed = self._copy()
        changed.token_store = changed.assembler.token_store = token_store
        changed._check_captions(len(self.record_split.image_of_caption))
        return changed

    def _copy(self):
        copied = copy.copy(self)
        copied.assembler = copy.copy(self.assembler)
        return copied

    def training_batches(self, plan, start_step=0, num_steps=None, augmentation=None, crop=None):
        """Returns the batches of training steps.

        Args:
            plan: the `BatchPlan` of the split's captions, or a `HostPlan` of it.
            start_step: the first step, counted through all epochs from 0. The batches from there
                on are those of a run that began at 0.
            num_steps: number of steps; None goes on for ever.
            augmentation: the `Augmentation` that changes their images; None: they stay.
            crop: a `RegionCrop` whose crops the batches hold as images, if regions are the same in
                every step, without augmentation and `phrase_regions`, and there is room for all
                (see `Pixels.cropped`); else, or None: they hold whole images.

        Returns:
            `tf.data.Dataset` of dicts with every key of the class's table.

        Raises:
            ValueError: the plan is of other captions, or there is no token store.
        """
        self._check_captions(plan.num_captions)
        self.images.prepare()
        assembler, images = copy.copy(self.assembler), self.images
        if crop and augmentation is None and assembler.phrase_regions is None:
            assembler.images = images = images.cropped(crop)
        stop_step = np.iinfo(np.int64).max if num_steps is None else start_step + num_steps
        rows = None if plan.has_smaller_batch else plan.batch_size
        width = plan.widths[0] if len(plan.widths) == 1 else None
        steps = tf.data.Dataset.range(start_step, stop_step)
        shapes = (
            images.shapes(rows) | self._sentence_shapes(rows, width) | self._phrase_shapes(rows)
        )
        if assembler.teachers is not None:
            shapes["teacher_scores"] = [rows, rows and len(plan.whole_batch(start_step)[0])]

        def assemble(step):
            return assembler.assemble_batch(plan, step)

        def draw(step):
            captions, rows = plan.whole_batch(step)
            images = self.record_split.image_of_caption[captions]
            whole = {"image_id": images, "sentence_id": captions}
            return augmentation.draw(assemble(step), step, whole, rows)

        if augmentation is None:
            return self._dataset(steps, assemble, shapes, images=images)
        return self._dataset(steps, draw, shapes | augmentation.shapes(rows), augmentation.apply)

    def image_batches(self, batch_size, images=None):
        """Returns every image of the split once, in order; the last batch may be smaller.

        Args:
            batch_size: images in a batch.
            images: int [n], these alone, in their order; None: all.

        Returns:
            `tf.data.Dataset` of dicts without token_ids.
        """
        self.images.prepare()
        if images is None:
            images = np.arange(self.record_split.num_images)
        rows = batch_size if len(images) % batch_size == 0 else None
        return self._dataset(
            tf.data.Dataset.range(0, len(images), batch_size),
            lambda first: self.assembler.image_batch(images[first : first + batch_size]),
            self.images.shapes(rows) | {"image_id": [rows]},
        )

    def sentence_batches(self, batch_size, widths=None, captions=None):
        """Returns every caption of the split once, in order; the last batch may be smaller.

        Args:
            batch_size: captions in a batch.
            widths: ascending widths, the last at least the longest caption; a batch has the
                smallest that holds it. None chooses.
            captions: int [n], these alone, in their order; None: all.

        Returns:
            `tf.data.Dataset` of dicts of what the table says of captions.

        Raises:
            ValueError: there is no token store, or `widths` are too small.
        """
        num_captions = self.record_split.num_captions
        self._check_captions(num_captions)
        # A sentence without fragments has a row, too.
        lengths = np.maximum(self.token_store.lengths, 1)
        widths = tuple(widths) if widths else choose_bucket_widths(lengths)
        if widths[-1] < lengths.max():
            raise ValueError(
                f"Expected widths up to at least {lengths.max()}, the longest caption. Received: "
                f"widths={widths}."
            )

        if captions is None:
            captions = np.arange(num_captions)

        def assemble(first):
            rows = captions[first : first + batch_size]
            width = widths[np.searchsorted(widths, lengths[rows].max())]
            return self.assembler.sentence_batch(rows, width)

        rows = batch_size if len(captions) % batch_size == 0 else None
        positions = tf.data.Dataset.range(0, len(captions), batch_size)
        return self._dataset(positions, assemble, self._sentence_shapes(rows, None))

    def _dataset(self, positions, assemble, shapes, finish=None, images=None):
        images = images or self.images
        keys, dtypes = list(shapes), _DTYPES | images.dtypes

        def assemble_values(position):
            batch = assemble(int(position))
            return [batch[key] for key in keys]

        @tf.autograph.experimental.do_not_convert
        def make_batch(position):
            values = tf.numpy_function(
                assemble_values, [position], [dtypes[key] for key in keys], stateful=False
            )
            batch = {
                key: tf.ensure_shape(value, shapes[key])
                for key, value in zip(keys, values, strict=True)
            }
            batch = images.decode(batch)
            return finish(batch) if finish else batch

        options = tf.data.Options()
        options.deterministic = True
        # Putting arrays together holds Python's lock; what the graph does runs on every core.
        calls = os.cpu_count() if images.decodes or finish else 2
        dataset = positions.map(make_batch, self.num_parallel_calls or calls)
        return dataset.prefetch(self.prefetch).with_options(options)

    def _sentence_shapes(self, rows, width):
        shapes = {name: [rows, width] for name in self.token_store.entry_names}
        shapes |= {"image_id": [rows], "sentence_id": [rows]}
        features = self.assembler.sentence_features
        if features is not None:
            shapes["sentence_features"] = [rows, features.shape[1]]
        return shapes

    def _phrase_shapes(self, rows):
        regions = self.assembler.phrase_regions
        if regions is None:
            return {}
        return {
            **self.images.shapes(rows, regions.num_slots),
            "phrase_id": [rows],
            "phrase_boxes": [rows, 4],
            "text_id": [rows],
        }

    def _check_captions(self, num_captions):
        stored = None if self.token_store is None else len(self.token_store)
        if stored != num_captions or num_captions == 0:
            raise ValueError(
                f"Expected the tokens of {num_captions} captions, at least one. Received: a token "
                f"store of {stored}. Make the token store and the plan from the same split."
            )
