"""What all caption generators share: a sentence, word by word, given an image."""

import keras
from keras import ops

from vsa_tf.errors import check_choice
from vsa_tf.models.captioning.sentence_cost import with_end, with_start, word_cost, word_log_probs
from vsa_tf.models.layers.pair_costs import own_rows
from vsa_tf.models.layers.sets import SetPooling
from vsa_tf.models.layers.vector_length import scale_features, scale_pooled
from vsa_tf.models.layers.words import AdditiveRecurrentCell, WordTable

IMAGE_CONTEXTS = ("frame", "mean", "attention")


class Captioner(keras.Model):
    """A recurrent network over the words so far, which sees an image and says the next word.

    A subclass writes the equations of one paper, for T words at a time:

        image_terms(feature [B, 1, D])       -> image, a dict of `[B, 1, .]`
        embed(token_ids [B, T], image)       -> words, a nest of `[B, T, .]`
        recurrent_input(words, image, first) -> `[B, T, .]`; first `[B, T, 1]` is 1 at t = 1
        logits(words, hidden, image)         -> `[B, T, vocabulary_size]`

    with the layers `word_table` (`make_word_table`), `recurrence` (`make_recurrence`) and
    `softmax`, which has a `bias`. Of `image_context="attention"` (`make_attention`), logits add

        c_t = sum_i a_ti V_R r_i,   a_t = softmax_i((Q h_t)^T K r_i / sqrt(width of h))

    of the recurrent state h_t and all regions r_i: `attended`. As the adaptive attention of Lu et
    al. 2017 the state that has read a word looks for the next one, so that the recurrence need not
    wait for what is seen.
    Training runs them over whole sentences, decoding over one word after the other (`step`): the
    same lines do both.

    Args:
        vocabulary_size: number of token ids, PAD = 0 included.
        train_word_vectors: whether `word_table` is trained.
        image_context: what is seen of an image: `frame`, the features of its regions put end to
            end; `mean`, region 0 beside the mean of the others (`SetPooling`, M Table 3);
            `attention`, region 0, and at every word the regions that it asks for, as above.
        feature_normalization: `none` (the papers), `l2` or `power`, see `scale_features`.
        dropout: rate of dropout on the image's features, the words, and the last hidden layer.
        weight_penalty: lambda of M eq. 6, `lambda ||theta||^2`.
        image_network: turns `images` into region features, see `AlignmentModel`; None where the
            batches hold `region_features`.

    Call arguments: a batch, a dict of
        region_features: `[B, R, D]`. Of `image_context="frame"` R is 1 where a sentence is about
            the whole frame or one box, 2 for a box in its frame; else region 0 is the frame.
            Or images `[B, S, S, 3]` and region_boxes `[B, R, 4]`.
        region_mask: bool `[B, R]`, False at padding; optional, and of no use to `frame`.
        token_ids: int `[B, W]`, words only, PAD on the right.

    Output shape: `[B, W + 1, vocabulary_size]`, the logits of the words and of END.
    """

    # Whether a sentence's recurrent states differ from image to image.
    image_in_recurrence = True
    # Of a batch that is spread over replicas: see `own_rows`.
    gather = staticmethod(own_rows)

    def __init__(
        self,
        vocabulary_size,
        train_word_vectors=True,
        image_context="frame",
        feature_normalization="l2",
        dropout=0.5,
        weight_penalty=0.0,
        image_network=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_choice("image_context", image_context, IMAGE_CONTEXTS)
        self.vocabulary_size = vocabulary_size
        self.train_word_vectors = train_word_vectors
        self.image_context = image_context
        self.feature_normalization = feature_normalization
        self.dropout_rate = dropout
        self.weight_penalty = weight_penalty
        self.image_network = image_network
        if image_context == "mean":
            self.regions_mean = SetPooling("mean", name="regions_mean")
        self.image_dropout = keras.layers.Dropout(dropout)
        self.word_dropout = keras.layers.Dropout(dropout)
        self.output_dropout = keras.layers.Dropout(dropout)

    def build(self, batch_shape):
        """Leaves the weights to the first call; Keras would run that on symbols before."""

    def encode_images(self, batch, training=False):
        """Returns what the images of a batch contribute, a nest of `[B, ...]`."""
        if self.image_network is None:
            features = ops.cast(batch["region_features"], self.compute_dtype)
        else:
            features = self.image_network(batch["images"], batch["region_boxes"], training=training)
        features = scale_features(features, self.feature_normalization)
        mask = batch.get("region_mask")
        if mask is None:
            mask = ops.ones(ops.shape(features)[:2], dtype="bool")
        if self.image_context == "mean":
            others = self.regions_mean(features[:, 1:], mask[:, 1:])
            others = scale_pooled(others, self.feature_normalization)
            features = ops.stack([features[:, 0], others], axis=1)
        features = self.image_dropout(features, training=training)
        if self.image_context == "attention":
            regions = self._region_terms(features, mask)
            return {**self.image_terms(features[:, :1]), "regions": regions}
        _, num_regions, size = features.shape
        return self.image_terms(ops.reshape(features, (-1, 1, num_regions * size)))

    def _region_terms(self, features, mask):
        keys = self.region_key(features)
        # Added to scores: padding is never looked at. Region 0, the frame, is always there.
        absent = ops.cast(ops.where(mask[:, None], 0.0, -1e9), keys.dtype)
        return {"keys": keys, "values": self.region_value(features), "absent": absent}

    def attended(self, query, image):
        """Returns `c_t`, what is seen of the regions that a state looks for, float `[B, T, .]`.

        Args:
            query: `Q h_t`, of the layer `region_query`, float `[B, T, .]`.
            image: of `encode_images`.
        """
        regions = image["regions"]
        scores = ops.matmul(query, ops.swapaxes(regions["keys"], 1, 2))
        scores = scores / query.shape[-1] ** 0.5 + regions["absent"]
        return ops.matmul(ops.softmax(scores, axis=-1), regions["values"])

    def call(self, batch, training=False):
        return self.sentence_logits(
            self.encode_images(batch, training), batch["token_ids"], training
        )

    def sentence_logits(self, image, token_ids, training=False):
        """Returns the logits of every next token of sentences, `[B, W + 1, vocabulary_size]`.

        Args:
            image: of `encode_images`.
            token_ids: int `[B, W]`, words only.
            training: whether dropout is in force.
        """
        inputs = with_start(token_ids)
        first = ops.zeros_like(inputs[:, 1:], dtype=self.compute_dtype)
        first = ops.expand_dims(ops.pad(first, [[0, 0], [1, 0]], constant_values=1.0), -1)
        words = self.embed(inputs, image, training)
        # No mask: PAD comes after the words, where nothing reads what it leaves.
        hidden = self.recurrence(self.recurrent_input(words, image, first), training=training)
        return self.logits(words, hidden, image, training)

    def sentence_log_probs(self, image, token_ids):
        """Returns `log P` of every word and END of sentences, float32 `[B, W + 1]`, 0 at PAD."""
        return word_log_probs(self.sentence_logits(image, token_ids), with_end(token_ids))

    def start(self, batch):
        """Returns the state before the first word, a nest of tensors with a row for each image."""
        image = self.encode_images(batch)
        batch_size = ops.shape(keras.tree.flatten(dict(batch))[0])[0]
        return {
            "image": image,
            "recurrent": self.recurrence.cell.get_initial_state(batch_size=batch_size),
            "first": ops.ones((batch_size, 1, 1), self.compute_dtype),
        }

    def step(self, token_ids, state):
        """Reads one token of every row and predicts the next: the step function of decoding.

        Args:
            token_ids: int `[N]`, START at first.
            state: of `start`, or of the step before.

        Returns:
            `(logits, state)`, logits float `[N, vocabulary_size]`.
        """
        words = self.embed(ops.expand_dims(token_ids, 1), state["image"])
        inputs = self.recurrent_input(words, state["image"], state["first"])
        hidden, recurrent = self.recurrence.cell(inputs[:, 0], state["recurrent"])
        logits = self.logits(words, ops.expand_dims(hidden, 1), state["image"])
        state = {**state, "recurrent": recurrent, "first": ops.zeros_like(state["first"])}
        return logits[:, 0], state

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        cost = word_cost(y_pred, with_end(x["token_ids"]), self.gather)
        if self.weight_penalty:
            squares = [ops.sum(ops.square(weight)) for weight in self.trainable_weights]
            cost = cost + self.weight_penalty * sum(squares)
        return cost

    def make_word_table(self, size):
        """Returns the table of the words' first vectors."""
        return WordTable(
            self.vocabulary_size, size, trainable=self.train_word_vectors, name="word_table"
        )

    def make_recurrence(self, cell, units):
        """Returns the recurrent layer over sentences; its `cell` takes one word."""
        if cell in ("relu", "rnn"):
            return keras.layers.RNN(
                AdditiveRecurrentCell(units), return_sequences=True, name="recurrence"
            )
        layer = {"gru": keras.layers.GRU, "lstm": keras.layers.LSTM}[cell]
        # cuDNN's kernels cannot be compiled by XLA.
        return layer(units, return_sequences=True, use_cudnn=False, name="recurrence")

    def make_attention(self, state_size, units):
        """Makes the layers of `image_context="attention"`: `Q` and `K` as wide as h, and `V_R`."""
        if self.image_context == "attention":
            self.region_query = keras.layers.Dense(state_size, use_bias=False, name="Q")
            self.region_key = keras.layers.Dense(state_size, use_bias=False, name="K")
            self.region_value = keras.layers.Dense(units, use_bias=False, name="V_R")

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "train_word_vectors": self.train_word_vectors,
            "image_context": self.image_context,
            "feature_normalization": self.feature_normalization,
            "dropout": self.dropout_rate,
            "weight_penalty": self.weight_penalty,
            "image_network": keras.saving.serialize_keras_object(self.image_network),
        }

    @classmethod
    def from_config(cls, config):
        network = keras.saving.deserialize_keras_object(config["image_network"])
        return cls(**{**config, "image_network": network})


class CaptionGenerator(keras.Model):
    """Writes captions for batches of images.

    A model only so that `predict_on_batch` compiles the whole search on every backend.

    Args:
        captioner: a `Captioner`, built.
        decoder: a decoder of `vsa_tf.decoding`, called with `(step, state, batch_size, prefix)`.

    Call arguments: a batch as of the captioner, without token_ids; `prefix` int `[B, P]` may hold
    words that the captions start with, PAD on the right.

    Returns: `Hypotheses`.
    """

    def __init__(self, captioner, decoder, **kwargs):
        # Of the captioner's precision, whatever that of the process: Keras casts what comes in.
        super().__init__(**{"dtype": captioner.dtype_policy, **kwargs})
        self.captioner = captioner
        self.decoder = decoder

    def call(self, batch):
        state = self.captioner.start(batch)
        batch_size = keras.ops.shape(state["first"])[0]
        return self.decoder(self.captioner.step, state, batch_size, prefix=batch.get("prefix"))
