"""Image side of the alignment models: region features to the joint space (D eq. 1, F eq. 2)."""

import keras
from keras import ops

from vsa_tf.errors import check_choice
from vsa_tf.models.layers.vector_length import FEATURE_NORMALIZATIONS, scale_features


@keras.saving.register_keras_serializable("vsa_tf")
class RegionEncoder(keras.layers.Layer):
    """`v_i = W_m CNN(I_i) + b_m` (D eq. 1, F eq. 2), with options that the papers do not have.

    Args:
        units: width H of v.
        frame_context: add `W_f CNN(I_0)`, the whole frame's feature, to every region: the same as
            one matrix over the two features put end to end, at the cost of one product an image.
        region_geometry: add `W_g [ymin, xmin, ymax, xmax, height, width, area, dy, dx]` of the
            region's box; dy and dx are the squared distances of its centre from the frame's,
            without which no product could prefer the middle.
        hidden_size: width of a hidden layer beside that matrix, `W_2 f(W_1 CNN(I_i) + b_1)` is
            added, f is ReLU (Chen et al. 2021, Learning the best pooling strategy for visual
            semantic embedding); 0: none.
        feature_normalization: `none`, `l2` or `power`, see `scale_features`.
        dropout: rate of dropout on the features and the hidden layer.

    Call arguments:
        features: float `[B, R, D]`, region 0 the whole frame.
        boxes: float `[B, R, 4]`, normalised.

    Output shape: `[B, R, units]`.
    """

    def __init__(
        self,
        units,
        frame_context=False,
        region_geometry=False,
        hidden_size=0,
        feature_normalization="none",
        dropout=0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_choice("feature_normalization", feature_normalization, FEATURE_NORMALIZATIONS)
        self.units = units
        self.frame_context = frame_context
        self.region_geometry = region_geometry
        self.hidden_size = hidden_size
        self.feature_normalization = feature_normalization
        self.dropout_rate = dropout

        self.dropout = keras.layers.Dropout(dropout)
        self.projection = keras.layers.Dense(units, name="W_m")
        if frame_context:
            self.frame_projection = keras.layers.Dense(units, use_bias=False, name="W_f")
        if region_geometry:
            self.geometry_projection = keras.layers.Dense(units, use_bias=False, name="W_g")
        if hidden_size:
            self.hidden = keras.layers.Dense(hidden_size, activation="relu", name="W_1")
            self.hidden_projection = keras.layers.Dense(units, use_bias=False, name="W_2")

    def build(self, features_shape, boxes_shape=None):
        self.projection.build(features_shape)
        if self.frame_context:
            self.frame_projection.build(features_shape)
        if self.region_geometry:
            self.geometry_projection.build((*features_shape[:-1], 9))
        if self.hidden_size:
            self.hidden.build(features_shape)
            self.hidden_projection.build((*features_shape[:-1], self.hidden_size))

    def call(self, features, boxes, training=False):
        features = ops.cast(features, self.compute_dtype)
        features = scale_features(features, self.feature_normalization)
        features = self.dropout(features, training=training)
        v = self.projection(features)
        if self.frame_context:
            v = v + self.frame_projection(features[:, :1])
        if self.region_geometry:
            v = v + self.geometry_projection(self._geometry(boxes))
        if self.hidden_size:
            hidden = self.dropout(self.hidden(features), training=training)
            v = v + self.hidden_projection(hidden)
        return v

    def _geometry(self, boxes):
        boxes = ops.cast(boxes, self.compute_dtype)
        extent = boxes[..., 2:] - boxes[..., :2]
        area = ops.prod(extent, axis=-1, keepdims=True)
        off_center = ops.square((boxes[..., :2] + boxes[..., 2:]) / 2.0 - 0.5)
        return ops.concatenate([boxes, extent, area, off_center], axis=-1)

    def compute_output_shape(self, features_shape, boxes_shape=None):
        return (*features_shape[:-1], self.units)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "frame_context": self.frame_context,
            "region_geometry": self.region_geometry,
            "hidden_size": self.hidden_size,
            "feature_normalization": self.feature_normalization,
            "dropout": self.dropout_rate,
        }
