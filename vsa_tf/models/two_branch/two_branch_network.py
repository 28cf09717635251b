"""What the embedding and the similarity network share: two branches and the batches they read."""

import keras
from keras import ops

from vsa_tf.errors import check_choice
from vsa_tf.models.layers.pair_costs import own_rows
from vsa_tf.models.layers.sets import SetPooling, drop_from_batch
from vsa_tf.models.layers.vector_length import scale_features, scale_pooled
from vsa_tf.models.two_branch.branch import Branch
from vsa_tf.models.two_branch.pair_masks import (
    NEGATIVE_PHRASES,
    image_sentence_masks,
    region_phrase_masks,
)
from vsa_tf.models.two_branch.sentence_recurrence import CELLS, SentenceRecurrence

TASKS = ("image_sentence", "region_phrase")
# What of a batch tells which of its rows match.
_COMPARED = ("image_id", "sentence_id", "phrase_id", "text_id") + (
    "region_boxes",
    "region_mask",
    "phrase_boxes",
)


class TwoBranchNetwork(keras.Model):
    """A branch for images or their regions, and one for sentences or phrases (T section 3).

    Args:
        task: `image_sentence`: row b of a batch pairs region 0 of an image, the whole frame, with
            a sentence. `region_phrase`: it pairs region 0 with a phrase; further regions of the
            row are proposals of the same image, see `region_phrase_masks`.
        text: `lstm` or `gru`: the text side reads `token_ids` by a `SentenceRecurrence`; another
            name: it reads `sentence_features`.
        joint_size: width of both branches' outputs.
        hidden_size: width of the image branch's hidden layer.
        text_hidden_size: the same of the text branch.
        linear_branches, batch_norm_at, dropout, input_dropout: of both branches, see `Branch`.
        vocabulary_size: number of token ids, PAD = 0 included; of a recurrence alone, as are
        word_embedding_size, train_word_vectors, recurrent_size, bidirectional, word_pooling,
            word_dropout: see `SentenceRecurrence`.
        regions_context: of the image-sentence task: append the image's other regions, pooled, to
            the whole frame's feature.
        regions_pooling: of these, see `SetPooling`.
        regions_size: width of a linear layer that maps each of them before they are pooled, with
            `input_dropout` on what it reads, the same numbers of all regions; 0: no layer.
        region_dropping: probability with which each of these is left out of an image in training;
            the frame stays.
        word_dropping: the same of the words that a recurrence reads; at least one stays.
        region_geometry: append a region's box `ymin, xmin, ymax, xmax` and its area to its feature.
        feature_normalization: of region features, `none`, `l2` or `power`, see `scale_features`.
        text_normalization: the same of `sentence_features`.
        negative_overlap: of the region-phrase task, see `region_phrase_masks`.
        positive_overlap: of the region-phrase task, see `region_phrase_masks`; 0: none.
        negative_phrases: of the region-phrase task, see `region_phrase_masks`.
        image_network: turns `images` into region features, see `AlignmentModel`; None where the
            batches hold `region_features`.

    Attributes:
        has_joint_space: whether vectors of one side can be compared with each other as well.

    Call arguments: a batch, a dict of
        region_features: `[B, R, D]`, or images: `[B, S, S, 3]` and region_boxes: `[B, R, 4]`,
        sentence_features: float `[B, T]`, or token_ids: int `[B, W]`, PAD on the right,
        image_id: int `[B]`; and of the image-sentence task, optional,
        sentence_id: int `[B]`, equal where a batch holds a sentence twice.
        Of the region-phrase task:
        region_boxes: `[B, R, 4]`, phrase_id: int `[B]`, the coreference chain;
        optional: region_mask: bool `[B, R]`, phrase_boxes: `[B, 4]`, text_id: int `[B]`, see
        `region_phrase_masks`.

    Raises:
        ValueError: for another task.
    """

    has_joint_space = True
    # Of a batch that is spread over replicas: see `own_rows`.
    gather = staticmethod(own_rows)

    def __init__(
        self,
        task="image_sentence",
        text="tf_idf",
        joint_size=512,
        hidden_size=2048,
        text_hidden_size=2048,
        linear_branches=False,
        batch_norm_at="first",
        dropout=0.5,
        input_dropout=0.0,
        vocabulary_size=0,
        word_embedding_size=300,
        train_word_vectors=True,
        recurrent_size=512,
        bidirectional=False,
        word_pooling="last",
        word_dropout=0.0,
        regions_context=True,
        regions_pooling="mean",
        regions_size=0,
        region_dropping=0.0,
        word_dropping=0.0,
        region_geometry=False,
        feature_normalization="l2",
        text_normalization="none",
        negative_overlap=0.3,
        positive_overlap=0.7,
        negative_phrases="unmatched",
        image_network=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_choice("task", task, TASKS)
        check_choice("negative_phrases", negative_phrases, NEGATIVE_PHRASES)
        self.task = task
        self.text = text
        self.joint_size = joint_size
        self.vocabulary_size = vocabulary_size
        self.regions_context = regions_context
        self.regions_pooling = regions_pooling
        self.regions_size = regions_size
        self.region_dropping = region_dropping
        self.word_dropping = word_dropping
        self.region_geometry = region_geometry
        self.feature_normalization = feature_normalization
        self.text_normalization = text_normalization
        self.negative_overlap = negative_overlap
        self.positive_overlap = positive_overlap
        self.negative_phrases = negative_phrases
        self.image_network = image_network
        # Both branches are made alike, but for the width of their hidden layers.
        self._branch_settings = {
            "linear_branches": linear_branches,
            "batch_norm_at": batch_norm_at,
            "dropout": dropout,
            "input_dropout": input_dropout,
        }
        self._recurrence_settings = {
            "word_embedding_size": word_embedding_size,
            "train_word_vectors": train_word_vectors,
            "recurrent_size": recurrent_size,
            "bidirectional": bidirectional,
            "word_pooling": word_pooling,
            "word_dropout": word_dropout,
        }
        self.image_branch = Branch(
            joint_size, hidden_size, **self._branch_settings, name="image_branch"
        )
        self.text_branch = Branch(
            joint_size, text_hidden_size, **self._branch_settings, name="text_branch"
        )
        self.sentence_recurrence = None
        if text in CELLS:
            self.sentence_recurrence = SentenceRecurrence(
                vocabulary_size, cell=text, **self._recurrence_settings
            )
        self._shows_regions = regions_context and task == "image_sentence"
        if self._shows_regions:
            self.pooling = SetPooling(regions_pooling, name="pooling")
        if self._shows_regions and regions_size:
            # An image's regions lose the same numbers: that draws one row, not twenty.
            self.regions_dropout = keras.layers.Dropout(input_dropout, noise_shape=(None, 1, None))
            self.regions_projection = keras.layers.Dense(regions_size, name="regions_projection")
        if region_dropping or word_dropping:
            # A variable of the model, saved with it: a resumed run draws what it would have drawn.
            self.dropping_seed = keras.random.SeedGenerator()

    def build(self, batch_shape):
        """Leaves the weights to the first call; Keras would run that on symbols before."""

    @property
    def word_table(self):
        """The `WordTable`; None where the text side reads `sentence_features`."""
        return self.sentence_recurrence and self.sentence_recurrence.word_table

    def embed_images(self, batch, training=False):
        """Returns the embedding of region 0 of every row, float `[B, joint_size]`."""
        return self.image_branch(self.image_inputs(batch, training), training=training)

    def embed_regions(self, batch, training=False):
        """Returns the embeddings of all regions, float `[B, R, joint_size]`."""
        return self.image_branch(
            self.region_inputs(batch, training),
            feature_mask=batch.get("region_mask"),
            training=training,
        )

    def image_inputs(self, batch, training=False):
        """Returns what the image branch reads of region 0 of every row, float `[B, P]`."""
        if self._shows_regions:
            features = self._region_features(batch, training)
            others = self._pooled(features[:, 1:], batch.get("region_mask"), training)
            return ops.concatenate([features[:, 0], others], axis=-1)
        names = ("region_features", "region_boxes", "region_mask")
        first = {name: batch[name][:, :1] for name in names if name in batch}
        return self.region_inputs({**batch, **first}, training)[:, 0]

    def region_inputs(self, batch, training=False):
        """Returns what the image branch reads of all regions, float `[B, R, P]`."""
        features = self._region_features(batch, training)
        if self.region_geometry:
            boxes = ops.cast(batch["region_boxes"], features.dtype)
            area = ops.prod(boxes[..., 2:] - boxes[..., :2], axis=-1, keepdims=True)
            features = ops.concatenate([features, boxes, area], axis=-1)
        return features

    def _region_features(self, batch, training):
        if self.image_network is None:
            features = ops.cast(batch["region_features"], self.compute_dtype)
        else:
            features = self.image_network(batch["images"], batch["region_boxes"], training=training)
        return scale_features(features, self.feature_normalization)

    def _pooled(self, others, region_mask, training):
        """Regions 1 and on as one feature, scaled like them; zeros where there are none."""
        if region_mask is None:
            mask = ops.ones(ops.shape(others)[:2], dtype="bool")
        else:
            mask = ops.cast(region_mask[:, 1:], "bool")
        if self.regions_size:
            others = self.regions_projection(self.regions_dropout(others, training=training))
        return scale_pooled(self.pooling(others, mask), self.feature_normalization)

    def embed_sentences(self, batch, training=False):
        """Returns the embeddings of sentences or phrases, float `[B, joint_size]`."""
        return self.text_branch(self.text_inputs(batch, training), training=training)

    def text_inputs(self, batch, training=False):
        """Returns what the text branch reads of sentences or phrases, float `[B, Q]`."""
        if self.sentence_recurrence is not None:
            return self.sentence_recurrence(batch["token_ids"], training=training)
        features = ops.cast(batch["sentence_features"], self.compute_dtype)
        return scale_features(features, self.text_normalization)

    def embed_batch(self, batch, training=False):
        """Returns `(regions [B, R, joint_size], texts [B, joint_size])`, what the task pairs."""
        if training and (self.region_dropping or self.word_dropping):
            rates = self.region_dropping, self.word_dropping
            batch = drop_from_batch(batch, *rates, self.dropping_seed)
        if self.task == "image_sentence":
            regions = ops.expand_dims(self.embed_images(batch, training), 1)
        else:
            regions = self.embed_regions(batch, training)
        return regions, self.embed_sentences(batch, training)

    def masks(self, batch):
        """Returns the `PairMasks` of a batch: of its B R regions, row after row, and B texts."""
        batch = self.gather({name: batch[name] for name in _COMPARED if name in batch})
        if self.task == "image_sentence":
            return image_sentence_masks(batch["image_id"], batch.get("sentence_id"))
        return region_phrase_masks(
            batch["image_id"],
            batch["phrase_id"],
            batch["region_boxes"],
            region_mask=batch.get("region_mask"),
            phrase_boxes=batch.get("phrase_boxes"),
            text_id=batch.get("text_id"),
            negative_overlap=self.negative_overlap,
            positive_overlap=self.positive_overlap or None,
            negative_phrases=self.negative_phrases,
        )

    def get_config(self):
        return {
            **super().get_config(),
            "task": self.task,
            "text": self.text,
            "joint_size": self.joint_size,
            "hidden_size": self.image_branch.hidden_size,
            "text_hidden_size": self.text_branch.hidden_size,
            **self._branch_settings,
            "vocabulary_size": self.vocabulary_size,
            **self._recurrence_settings,
            "regions_context": self.regions_context,
            "regions_pooling": self.regions_pooling,
            "regions_size": self.regions_size,
            "region_dropping": self.region_dropping,
            "word_dropping": self.word_dropping,
            "region_geometry": self.region_geometry,
            "feature_normalization": self.feature_normalization,
            "text_normalization": self.text_normalization,
            "negative_overlap": self.negative_overlap,
            "positive_overlap": self.positive_overlap,
            "negative_phrases": self.negative_phrases,
            "image_network": keras.saving.serialize_keras_object(self.image_network),
        }

    @classmethod
    def from_config(cls, config):
        network = keras.saving.deserialize_keras_object(config["image_network"])
        return cls(**{**config, "image_network": network})
