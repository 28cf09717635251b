"""One branch of a two-branch network: features of one modality to the joint space."""

import keras
from keras import ops

from vsa_tf.errors import check_choice
from vsa_tf.models.layers.vector_length import unit_length

BATCH_NORM_PLACES = ("first", "last")


@keras.saving.register_keras_serializable("vsa_tf")
class Branch(keras.layers.Layer):
    """FC -> BatchNorm -> ReLU -> Dropout -> FC -> L2 normalisation (T section 3.2.1).

    Args:
        units: width of the joint space.
        hidden_size: width of the first FC layer.
        linear_branches: keep one FC layer, of `units`, and the L2 normalisation alone. The paper
            keeps its first layer: there `units` is the width of that one.
        batch_norm_at: BatchNorm after the `first` FC layer, as in the authors' code, or after the
            `last`, as in the paper.
        dropout: rate of dropout on the hidden layer.
        input_dropout: rate of dropout on the features. The paper has none.

    Call arguments:
        features: float `[..., D]`.
        feature_mask: bool `[...]`, True where BatchNorm counts the row in its statistics; None
            for all. Of training alone.

    Output shape: `[..., units]`, rows of length 1.
    """

    def __init__(
        self,
        units,
        hidden_size=2048,
        linear_branches=False,
        batch_norm_at="first",
        dropout=0.0,
        input_dropout=0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_choice("batch_norm_at", batch_norm_at, BATCH_NORM_PLACES)
        self.units = units
        self.hidden_size = hidden_size
        self.linear_branches = linear_branches
        self.batch_norm_at = batch_norm_at
        self.dropout_rate = dropout
        self.input_dropout_rate = input_dropout

        self.input_dropout = keras.layers.Dropout(input_dropout)
        self.output_projection = keras.layers.Dense(units, name="output_projection")
        if not linear_branches:
            self.hidden_projection = keras.layers.Dense(hidden_size, name="hidden_projection")
            self.batch_norm = keras.layers.BatchNormalization(
                momentum=0.9, epsilon=1e-5, name="batch_norm"
            )
            self.dropout = keras.layers.Dropout(dropout)

    @property
    def first_projection(self):
        """The layer that reads the features."""
        return self.output_projection if self.linear_branches else self.hidden_projection

    def build(self, features_shape, feature_mask_shape=None):
        size = features_shape[-1]
        if not self.linear_branches:
            self.hidden_projection.build((None, size))
            size = self.hidden_size
            width = size if self.batch_norm_at == "first" else self.units
            self.batch_norm.build((None, width))
        self.output_projection.build((None, size))

    def call(self, features, feature_mask=None, training=False):
        features = ops.cast(features, self.compute_dtype)
        # Of two axes: a layer is then one matrix product.
        rows = ops.reshape(features, (-1, features.shape[-1]))
        rows = self.input_dropout(rows, training=training)
        if feature_mask is not None:
            feature_mask = ops.reshape(feature_mask, (-1,))
        rows = unit_length(self._project(rows, feature_mask, training))
        return ops.reshape(rows, (*ops.shape(features)[:-1], self.units))

    def _project(self, rows, mask, training):
        if self.linear_branches:
            return self.output_projection(rows)
        hidden = self.hidden_projection(rows)
        if self.batch_norm_at == "first":
            hidden = self.batch_norm(hidden, training=training, mask=mask)
        outputs = self.output_projection(self.dropout(ops.relu(hidden), training=training))
        if self.batch_norm_at == "last":
            outputs = self.batch_norm(outputs, training=training, mask=mask)
        return outputs

    def compute_output_shape(self, features_shape, feature_mask_shape=None):
        return (*features_shape[:-1], self.units)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "hidden_size": self.hidden_size,
            "linear_branches": self.linear_branches,
            "batch_norm_at": self.batch_norm_at,
            "dropout": self.dropout_rate,
            "input_dropout": self.input_dropout_rate,
        }
