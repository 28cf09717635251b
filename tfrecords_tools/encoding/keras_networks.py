"""Image networks of Keras: of keras.applications, and of Keras Hub's presets.

Of Keras Hub: classifiers' backbones, CLIP, SigLIP, DINOv2.
"""

import hashlib
import math

import keras
import numpy as np
from keras import ops

from vsa_tf.errors import meant
from vsa_tf.file_reading import reason_of
from vsa_tf.model_handles import import_keras_hub, load_preset, recorded_spec

# Where Keras keeps what it has downloaded.
_KERAS_WEIGHTS = "~/.keras/models, or KERAS_HOME"
# Of networks of presets that take any size where neither they nor their preset say one.
_USUAL_SIZE = 224


class KerasNetwork:
    """A network of keras.applications."""

    def __init__(self, name, weights="imagenet"):
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
            names = [each for each in dir(keras.applications) if each[0].isupper()]
            raise ValueError(
                "Expected keras:NAME to name a network of keras.applications, for example "
                f"keras:EfficientNetB0. Received: keras:{name}"
                f"{meant(name, names, 'keras:', otherwise='')}"
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
        return ops.mean(self.graph_maps(images), axis=(1, 2))

    def graph_maps(self, images):
        return self.network(self.preprocess(ops.cast(images, "float32")), training=False)


class KerasHubNetwork:
    """The image part of a preset, whose vector is its pooled output.

    That is the projected embedding of CLIP, the class token of a vision transformer, else the mean
    of the last feature map. Maps of a transformer are its last tokens in their grid. Pixels are
    scaled as the preset's image converter scales them.

    Args:
        preset: a name or a directory.

    Raises:
        ValueError: it is not there, or has no image part of a known form.
    """

    def __init__(self, preset):
        self.name = recorded_spec(f"keras_hub:{preset}")
        keras_hub = import_keras_hub(self.name)
        # First the converter, which is small: a text model has none.
        try:
            converter = load_preset(keras_hub.layers.ImageConverter, preset)
        except ValueError as error:
            raise ValueError(f"Expected --image_encoder of a model of images. {error}") from error
        backbone = load_preset(keras_hub.models.Backbone, preset, dtype="float32")
        self._scale = _constant(converter.scale, 1.0)
        self._offset = _constant(converter.offset, 0.0)
        shape = _image_shape(backbone, self.name)
        self.fixed_size = shape[0]
        self.own_size = shape[0] or (converter.image_size or [_USUAL_SIZE])[0]
        self.network = _image_network(backbone, self.own_size, self.name)
        outputs = self.network.output
        self.feature_size = outputs["vectors"].shape[-1]
        self.map_channels = outputs["maps"].shape[-1]
        size = self.fixed_size
        self._run = compiled(self._outputs, (None, size, size, 3))

    @property
    def tracked(self):
        # Plain variables: the SavedModel shall not know of Keras.
        return [variable.value for variable in self.network.variables]

    def describe(self):
        return {
            "spec": self.name,
            "sha256": weights_checksum(self.network),
            "feature_size": self.feature_size,
        }

    def vectors(self, images):
        return ops.convert_to_numpy(self._run(images)["vectors"])

    def maps(self, images):
        return ops.convert_to_numpy(self._run(images)["maps"])

    def graph_vectors(self, images):
        return self._outputs(images)["vectors"]

    def graph_maps(self, images):
        return self._outputs(images)["maps"]

    def _outputs(self, images):
        pixels = ops.cast(images, "float32") * self._scale + self._offset
        return self.network(pixels, training=False)


def compiled(function, shape):
    """Returns a function of uint8 images of a shape, a graph where Keras runs on TensorFlow."""
    if keras.backend.backend() != "tensorflow":
        return function
    import tensorflow as tf

    signature = [tf.TensorSpec(shape, tf.uint8)]
    return tf.function(function, input_signature=signature, autograph=False)


def _constant(value, default):
    return np.asarray(default if value is None else value, np.float32)


def _image_shape(backbone, name):
    """Returns height, width and channels of the images that a backbone takes; None: any."""
    inputs = getattr(backbone, "vision_encoder", backbone).inputs
    if len(inputs) != 1 or len(inputs[0].shape) != 4:
        raise _no_images(backbone, name)
    shape = inputs[0].shape[1:]
    if shape[0] != shape[1]:
        raise ValueError(
            f"Expected a network of square images. Received: {name} of {shape[:2]} pixels"
        )
    return shape


def _no_images(backbone, name):
    return ValueError(
        "Expected --image_encoder of a network of images with feature maps or tokens at its end. "
        f"Received: {name}, a {type(backbone).__name__}"
    )


def _image_network(backbone, own_size, name):
    """Returns the Keras model from pixels `[b, s, s, 3]` to `vectors` and `maps`."""
    if hasattr(backbone, "get_vision_embeddings"):
        encoder = backbone.vision_encoder
        images = keras.Input(_image_shape(backbone, name))
        vectors = backbone.get_vision_embeddings(images)
        tokens = encoder({"images": images})
        if len(tokens.shape) == 2:
            # SigLIP's, before its head pools them.
            inner = keras.Model(encoder.inputs, encoder.post_layer_norm.output)
            tokens = inner(images)
    else:
        images = keras.Input(_image_shape(backbone, name))
        inputs = backbone.input
        tokens = backbone(dict.fromkeys(inputs, images) if isinstance(inputs, dict) else images)
        if isinstance(tokens, dict) and hasattr(backbone, "stage_names"):
            tokens = tokens[backbone.stage_names[-1]]
        vectors = None
    rank = 0 if isinstance(tokens, dict) else len(tokens.shape)
    if rank == 4:
        maps, vectors = tokens, ops.mean(tokens, axis=(1, 2))
    elif rank == 3:
        grid, maps = _grid(tokens, getattr(backbone, "vision_encoder", backbone), own_size)
        if vectors is None:
            has_class_token = tokens.shape[1] > grid**2
            vectors = tokens[:, 0] if has_class_token else ops.mean(tokens, axis=1)
    else:
        raise _no_images(backbone, name)
    return keras.Model(images, {"vectors": vectors, "maps": maps})


def _grid(tokens, encoder, own_size):
    """Returns how many patches a side has, and a transformer's tokens in their places.

    Class, distillation and register tokens stand before those of the patches. Swin's are fewer
    than its patches, which it merges, and nothing stands before them.
    """
    _, count, channels = tokens.shape
    patch = encoder.patch_size
    side = own_size // (patch if isinstance(patch, int) else patch[0])
    if side**2 > count:
        side = math.isqrt(count)
    return side, ops.reshape(tokens[:, -(side**2) :], (-1, side, side, channels))


def weights_checksum(model):
    """Returns the sha256 of a Keras model's weights."""
    digest = hashlib.sha256()
    for weight in model.get_weights():
        digest.update(np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()
