"""What models of image regions and sentence fragments share."""

import keras
from keras import ops

from vsa_tf.models.alignment.region_encoder import RegionEncoder
from vsa_tf.models.alignment.relation_encoder import RelationEncoder
from vsa_tf.models.alignment.word_encoder import WordEncoder
from vsa_tf.models.layers.pair_costs import own_rows
from vsa_tf.models.layers.sets import drop_from_batch


class FragmentModel(keras.Model):
    """Embeds regions of images and fragments of sentences in one space; a base class.

    The fragments of a sentence are its words, or the dependency relations between them. A model is
    a subclass: it gives `score`, `call` and `compute_loss`, and says by `score_name` and
    `score_options` which function scores a whole split (`EmbeddedSplit`); no name: `score` does.

    Args:
        vocabulary_size: number of token ids, PAD = 0 included.
        joint_size: H, the width of region and fragment vectors.
        num_relations: number of relation ids, PAD = 0 included; 0: fragments are words.
        word_embedding_size: width of the word table.
        train_word_vectors: whether the word table is trained.
        word_activation: f of s, the vector of a word or relation.
        cell: of `WordEncoder`, where fragments are words.
        frame_context, region_geometry, feature_normalization: see `RegionEncoder`.
        region_hidden_size: its `hidden_size`.
        dropout: rate of dropout in the encoders of both sides.
        region_dropping: probability with which each region but the first, the whole frame, is left
            out of an image in training.
        word_dropping: the same of the words or relations of a sentence, before they are read; at
            least one stays.
        image_network: turns `images` into region features, a layer called with
            `(images [B, S, S, 3], boxes [B, R, 4])` that returns `[B, R, D]`; None where the
            batches hold `region_features`.

    A batch is a dict of
        region_features: `[B, R, D]`, or images: `[B, S, S, 3]`,
        region_boxes: `[B, R, 4]`, region_mask: bool `[B, R]`,
        token_ids: int `[B, W]`, words, PAD = 0 on the right; or, of relations, relations: int
            `[B, W]`, ids of relation types, PAD = 0 on the right (a sentence may have none), heads
            and dependents: int `[B, W]`, token ids.
    """

    # Of a batch that is spread over replicas: see `own_rows`.
    gather = staticmethod(own_rows)

    def __init__(
        self,
        vocabulary_size,
        joint_size=512,
        num_relations=0,
        word_embedding_size=300,
        train_word_vectors=True,
        word_activation="linear",
        cell="relu",
        frame_context=True,
        region_geometry=False,
        region_hidden_size=0,
        feature_normalization="l2",
        dropout=0.2,
        region_dropping=0.0,
        word_dropping=0.0,
        image_network=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.joint_size = joint_size
        self.num_relations = num_relations
        self.word_embedding_size = word_embedding_size
        self.train_word_vectors = train_word_vectors
        self.word_activation = word_activation
        self.cell = cell
        self.frame_context = frame_context
        self.region_geometry = region_geometry
        self.region_hidden_size = region_hidden_size
        self.feature_normalization = feature_normalization
        self.dropout = dropout
        self.region_dropping = region_dropping
        self.word_dropping = word_dropping
        self.image_network = image_network
        of_words = {
            "word_embedding_size": word_embedding_size,
            "word_activation": word_activation,
            "dropout": dropout,
            "train_word_vectors": train_word_vectors,
        }
        if num_relations:
            self.sentence_encoder = RelationEncoder(
                joint_size, vocabulary_size, num_relations, **of_words
            )
        else:
            self.sentence_encoder = WordEncoder(joint_size, vocabulary_size, cell=cell, **of_words)
        self.region_encoder = RegionEncoder(
            joint_size,
            frame_context=frame_context,
            region_geometry=region_geometry,
            hidden_size=region_hidden_size,
            feature_normalization=feature_normalization,
            dropout=dropout,
        )
        # A weight of the model, not the optimiser's counter, which JAX's step cannot see.
        self.steps_trained = self.add_weight(
            name="steps_trained", shape=(), initializer="zeros", trainable=False, dtype="int32"
        )
        if region_dropping or word_dropping:
            # A variable of the model, saved with it: a resumed run draws what it would have drawn.
            self.seed_generator = keras.random.SeedGenerator()

    def build(self, batch_shape):
        """Leaves the weights to the first call; Keras would run that on symbols before."""

    @property
    def word_table(self):
        return self.sentence_encoder.word_table

    def embed_images(self, batch, training=False):
        """Returns v, float `[B, R, joint_size]`."""
        boxes = batch["region_boxes"]
        if self.image_network is None:
            features = batch["region_features"]
        else:
            features = self.image_network(batch["images"], boxes, training=training)
        return self.region_encoder(features, boxes, training=training)

    def embed_sentences(self, batch, training=False):
        """Returns s, float `[B, W, joint_size]`; what `sentence_mask` masks means nothing."""
        if not self.num_relations:
            return self.sentence_encoder(batch["token_ids"], training=training)
        return self.sentence_encoder(
            batch["relations"], batch["heads"], batch["dependents"], training=training
        )

    def sentence_mask(self, batch):
        """Returns which of a batch's fragments are real, bool `[B, W]`."""
        return ops.not_equal(batch[self._fragment_ids], 0)

    @property
    def _fragment_ids(self):
        return "relations" if self.num_relations else "token_ids"

    def drop(self, batch, training):
        """Returns a batch without the regions and fragments that are left out in training."""
        if not training or not (self.region_dropping or self.word_dropping):
            return batch
        rates = self.region_dropping, self.word_dropping
        return drop_from_batch(batch, *rates, self.seed_generator, self._fragment_ids)

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "joint_size": self.joint_size,
            "num_relations": self.num_relations,
            "word_embedding_size": self.word_embedding_size,
            "train_word_vectors": self.train_word_vectors,
            "word_activation": self.word_activation,
            "cell": self.cell,
            "frame_context": self.frame_context,
            "region_geometry": self.region_geometry,
            "region_hidden_size": self.region_hidden_size,
            "feature_normalization": self.feature_normalization,
            "dropout": self.dropout,
            "region_dropping": self.region_dropping,
            "word_dropping": self.word_dropping,
            "image_network": keras.saving.serialize_keras_object(self.image_network),
        }

    @classmethod
    def from_config(cls, config):
        network = keras.saving.deserialize_keras_object(config["image_network"])
        return cls(**{**config, "image_network": network})
