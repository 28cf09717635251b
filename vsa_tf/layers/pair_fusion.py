"""The similarity of a pair from the element-wise product of its two vectors."""

import keras
from keras import ops

NUM_LAYERS = (1, 2, 3)


@keras.saving.register_keras_serializable("vsa_tf")
class PairFusion(keras.layers.Layer):
    """`p = FC(ReLU(FC(ReLU(FC(x * y)))))`, the fusion layers of the similarity network (T 3.3).

    For vectors of width H the three layers are H -> H, H -> H / 2, H / 2 -> 1: the paper's
    512-512, 512-256, 256-1. Of two layers, the paper gives no widths: here H -> H / 2 -> 1. One
    layer is H -> 1.

    Args:
        num_layers: 1, 2 or 3 (the paper's best).

    Call arguments: images and texts, float `[..., H]` of equal rank, of shapes that broadcast.
    Output shape: `[...]`, the logits p.
    """

    def __init__(self, num_layers=3, **kwargs):
        super().__init__(**kwargs)
        if num_layers not in NUM_LAYERS:
            raise ValueError(
                f"Expected num_layers to be one of {NUM_LAYERS}. "
                f"Received: num_layers={num_layers!r}"
            )
        self.num_layers = num_layers

    def build(self, images_shape, texts_shape):
        size = images_shape[-1]
        hidden = [size, max(size // 2, 1)][3 - self.num_layers :]
        self.fusion_layers = [
            keras.layers.Dense(units, activation="relu", name=f"fusion_{index}")
            for index, units in enumerate(hidden)
        ]
        self.fusion_layers.append(keras.layers.Dense(1, name=f"fusion_{len(hidden)}"))
        for layer in self.fusion_layers:
            layer.build((None, size))
            size = layer.units

    def call(self, images, texts):
        product = images * texts
        # Of two axes: a layer is then one matrix product, and so is its gradient.
        outputs = ops.reshape(product, (-1, product.shape[-1]))
        for layer in self.fusion_layers:
            outputs = layer(outputs)
        return ops.reshape(outputs, ops.shape(product)[:-1])

    def compute_output_shape(self, images_shape, texts_shape):
        sizes = zip(images_shape[:-1], texts_shape[:-1], strict=True)
        return tuple(other if size == 1 else size for size, other in sizes)

    def get_config(self):
        return {**super().get_config(), "num_layers": self.num_layers}
