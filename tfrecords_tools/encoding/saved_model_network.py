"""Networks that are SavedModels with the image-feature-vector signature of TF Hub."""

import functools

# What a network expects of its pixels: mean and deviation by which those of 0..255 are normalised.
ENCODER_INPUTS = {
    "0..1": (0.0, 255.0),
    "-1..1": (127.5, 127.5),
    "0..255": (0.0, 1.0),
    "imagenet": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    # Blue first, as OpenCV reads them.
    "caffe": ((103.939, 116.779, 123.68), 1.0),
}


class SavedModelNetwork:
    """A network with the TF-Hub image-feature-vector signature: images `[b, s, s, 3]` to `[b, D]`.

    Args:
        handle: directory or TF-Hub handle.
        encoder_input: see `make_encoder`.
    """

    def __init__(self, handle, encoder_input=""):
        from tfrecords_tools.saved_model import SavedModel, SavedModelError

        self.model = SavedModel(handle)
        self.name = self.model.name
        outputs = self.model.signature.structured_outputs
        self.output = "default" if "default" in outputs else next(iter(outputs))
        shape = outputs[self.output].shape
        if len(outputs) > 1 and self.output != "default" or len(shape) != 2 or shape[1] is None:
            raise SavedModelError(
                f"Expected an image-feature-vector signature with one output [b, D]. Received: "
                f"{handle!r} with outputs { {k: tuple(v.shape) for k, v in outputs.items()} }"
            )
        takes = self.model.input_spec
        self.own_input = {"float32": "0..1", "uint8": "0..255"}.get(takes.dtype.name)
        if self.own_input is None or not takes.shape.is_compatible_with((None, None, None, 3)):
            raise SavedModelError(
                "Expected an encoder of float32 or uint8 images [b, s, s, 3]. Received: "
                f"{handle!r}, which takes {takes.dtype.name} {takes.shape}"
            )
        self.encoder_input = encoder_input or self.own_input
        if takes.dtype.is_integer and self.encoder_input != "0..255":
            raise SavedModelError(
                f"Expected --encoder_input=0..255 for {handle!r}, which takes uint8. "
                f"Received: --encoder_input={encoder_input}"
            )
        self.feature_size = shape[1]
        self.map_channels = self.feature_size
        self.fixed_size = takes.shape[1]
        self.own_size = self.fixed_size or 224
        self.tracked = self.model.module

    def describe(self):
        description = {
            "spec": self.name,
            "sha256": self.model.checksum,
            "feature_size": self.feature_size,
        }
        if self.encoder_input != self.own_input:
            # Else as in the records of before there was this choice, which so stay valid.
            description["encoder_input"] = self.encoder_input
        return description

    def normalized(self, images):
        """uint8 `[n, s, s, 3]` to the tensor that the network expects; in a graph too."""
        import tensorflow as tf

        images = tf.cast(images, self.model.input_spec.dtype)
        if images.dtype.is_integer:
            return images
        mean, deviation = ENCODER_INPUTS[self.encoder_input]
        if self.encoder_input == "caffe":
            images = images[..., ::-1]
        return (images - mean) / deviation

    def vectors(self, images):
        return self.graph_vectors(images).numpy()

    def maps(self, images):
        return self.graph_maps(images).numpy()

    def graph_vectors(self, images):
        return self.model(self.normalized(images))[self.output]

    def graph_maps(self, images):
        return self.map_function(self.normalized(images))

    @functools.cached_property
    def map_function(self):
        """The function from what the network expects to the feature maps."""
        function = self.model.feature_maps(self.feature_size)
        if function is None:
            raise ValueError(
                "--region_features=pool and both need a network with a feature map of "
                f"{self.feature_size} channels before its output. Received: {self.name}, which has "
                "none; use crop"
            )
        return function
