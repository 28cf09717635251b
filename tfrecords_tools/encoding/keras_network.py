"""Networks of keras.applications."""

import hashlib

import numpy as np

from vsa_tf.file_reading import reason_of

# Where Keras keeps what it has downloaded.
_KERAS_WEIGHTS = "~/.keras/models, or KERAS_HOME"


class KerasNetwork:
    """A network of keras.applications."""

    def __init__(self, name, weights="imagenet"):
        import keras

        module = next(
            (
                getattr(keras.applications, module)
                for module in sorted(dir(keras.applications))
                if hasattr(getattr(keras.applications, module), "preprocess_input")
                and hasattr(getattr(keras.applications, module), name)
            ),
            None,
        )
        if module is None:
            raise ValueError(
                f"Expected keras:NAME to name a network of keras.applications, for example "
                f"keras:EfficientNetB0. Received: keras:{name}"
            )
        constructor = getattr(module, name)
        file = None if weights in ("imagenet", "random") else weights
        try:
            self.network = constructor(
                include_top=False, weights="imagenet" if weights == "imagenet" else None
            )
        except Exception as error:  # Keras raises `Exception` where it cannot download
            if "URL fetch failure" not in str(error):
                raise
            raise ValueError(
                f"The weights of keras:{name} cannot be downloaded: {reason_of(error)}. "
                f"Run it where there is a network, once (they are kept in {_KERAS_WEIGHTS}), copy "
                "that folder, or give a SavedModel directory"
            ) from error
        if file:
            self.network.load_weights(file)
        self.preprocess = module.preprocess_input
        self.name, self.weights = name, weights
        self.feature_size = self.map_channels = self.network.output_shape[-1]
        self.fixed_size = None
        # The default input size is only stated by a network that is built with its top.
        self.own_size = 299 if name in ("Xception", "InceptionV3", "InceptionResNetV2") else 224

    @property
    def tracked(self):
        # Plain variables: the SavedModel shall not know of Keras.
        return [variable.value for variable in self.network.variables]

    def describe(self):
        return {
            "spec": f"keras:{self.name}",
            "sha256": weights_checksum(self.network),
            "feature_size": self.feature_size,
        }

    def vectors(self, images):
        return self.maps(images).mean(axis=(1, 2))

    def maps(self, images):
        batch = self.preprocess(images.astype(np.float32))
        return np.asarray(self.network(batch, training=False))

    def graph_vectors(self, images):
        from keras import ops

        return ops.mean(self.graph_maps(images), axis=(1, 2))

    def graph_maps(self, images):
        from keras import ops

        return self.network(self.preprocess(ops.cast(images, "float32")), training=False)


def weights_checksum(model):
    """Returns the sha256 of a Keras model's weights."""
    digest = hashlib.sha256()
    for weight in model.get_weights():
        digest.update(np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()
