"""Model directories as training leaves them, small and untrained, and networks to read images."""

import io

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from tfrecords_tools.detectors import make_detector
from tfrecords_tools.encoders import make_encoder
from vsa_tf.data.caption_text import CaptionText
from vsa_tf.model_dir.checkpoint import save_checkpoint
from vsa_tf.model_dir.trained_model import save_text
from vsa_tf.models.model_table import make_model
from vsa_tf.sentence_features.bag_of_words import MeanVector, TfIdf
from vsa_tf.sentence_features.fisher_vector import FisherVector
from vsa_tf.sentence_features.word_vector_table import WordVectorTable
from vsa_tf.settings import DataSettings, OptimizerSettings, Settings, TrainingSettings
from vsa_tf.text.vocabulary import RelationTypes

CAPTIONS = (
    "A brown dog runs on the grass .",
    "Two dogs play with a red ball",
    "A man rides a bicycle",
    "the man 's dog sleeps",
    "A girl in a red dress",
    "Boys play football on the grass",
)
RELATION_TYPES = ("det", "amod", "nsubj")
SENTENCES = ["A red dog plays .", "...", "the zebra rides a red bicycle " * 4, "Boys"]


class TinyEncoder(tf.Module):
    """An image-feature-vector network: one convolution and global pooling."""

    def __init__(self, size=None):
        super().__init__()
        self.kernel = tf.Variable(tf.random.stateless_normal([3, 3, 3, 6], [0, 1]))
        specification = tf.TensorSpec([None, size, size, 3], tf.float32, name="inputs")
        self.signature = tf.function(self._vectors, input_signature=[specification])

    def _vectors(self, inputs):
        feature_map = tf.nn.relu(tf.nn.conv2d(inputs, self.kernel, 2, "SAME"))
        return {"default": tf.reduce_mean(feature_map, [1, 2])}


class TinyDetector(tf.Module):
    """An object detector whose boxes and scores depend on the image's colours."""

    @tf.function(input_signature=[tf.TensorSpec([1, None, None, 3], tf.uint8, name="image")])
    def __call__(self, image):
        colors = tf.reduce_mean(tf.cast(image, tf.float32), [0, 1, 2]) / 255.0
        corners = tf.reshape(tf.range(12, dtype=tf.float32), (6, 2)) / 15.0 * colors[:2]
        sides = tf.stack([colors[2] * 0.4, 0.3]) + tf.range(6, dtype=tf.float32)[:, None] / 20.0
        boxes = tf.concat([corners, corners + sides], axis=1)
        scores = tf.sin(tf.range(6, dtype=tf.float32) * 2.0 + colors[0])
        return {
            "detection_boxes": boxes[None],
            "detection_scores": scores[None],
            "num_detections": tf.constant([5.0]),
        }


def save_encoder(path, size=None):
    """Writes a `TinyEncoder` for images of `size` pixels, or any; returns its directory."""
    module = TinyEncoder(size)
    tf.saved_model.save(module, str(path), signatures=module.signature)
    return str(path)


def save_detector(path):
    """Writes a `TinyDetector`; returns its directory."""
    module = TinyDetector()
    tf.saved_model.save(module, str(path), signatures=module.__call__)
    return str(path)


def make_model_dir(
    path,
    name,
    model,
    image_encoder="pixels",
    region_features="crop",
    detector="none",
    num_regions=1,
):
    """Writes a model directory.

    Args:
        path: the directory, made here.
        name: of the model.
        model: its settings.
        image_encoder, region_features, detector: specs of what its records were made with.
        num_regions: regions of an image.

    Returns:
        The directory.
    """
    path.mkdir()
    found_by = make_detector(detector)
    encoder = make_encoder(image_encoder, region_features, 24, detector=found_by)
    settings = Settings(
        DataSettings(data_dir=str(path), image_size=32, max_words=7, min_count=1),
        OptimizerSettings(),
        TrainingSettings(model=name, model_dir=str(path)),
        model,
    )
    text = CaptionText.learn(CAPTIONS, settings.data)
    if model.reads_sentence_features:
        text.sentence_feature = _sentence_feature(model.text, text)
    if model.reads_dependencies:
        text.relation_types = RelationTypes.from_relations(RELATION_TYPES)
    inputs = {
        "num_regions": num_regions,
        "region_feature_size": encoder.feature_size if encoder else 0,
        "sentence_feature_size": text.sentence_feature.dimension if text.sentence_feature else 0,
        "encoder": encoder.describe() if encoder else {"spec": "pixels"},
        "detector": found_by.describe(),
        **text.fingerprints(),
    }
    if text.relation_types is not None:
        inputs["num_relations"] = len(text.relation_types)
    keras.utils.set_random_seed(0)
    model = make_model(settings, inputs, len(text.vocabulary))
    rng = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign(weight + rng.normal(scale=0.3, size=weight.shape))
    save_checkpoint(path / "checkpoint_best.npz", model.variables, {"step": 1})
    save_text(path, text)
    (path / "config.json").write_text(settings.to_json(inputs))
    return path


def photographs(count=4, seed=0):
    """Returns `count` encoded images of different sizes and formats, list of bytes."""
    rng = np.random.default_rng(seed)
    formats = ("JPEG", "PNG", "JPEG", "WEBP")
    encoded = []
    for index in range(count):
        height, width = (int(side) for side in rng.integers(20, 90, 2))
        low = Image.fromarray(rng.integers(0, 256, (4, 5, 3)).astype(np.uint8))
        file = io.BytesIO()
        low.resize((width, height)).save(file, formats[index % 4])
        encoded.append(file.getvalue())
    return encoded


def _sentence_feature(name, text):
    sentences = [text.tokenize(caption) for caption in CAPTIONS]
    words = sorted({word for sentence in sentences for word in sentence})
    vectors = WordVectorTable(words, np.random.default_rng(0).normal(size=(len(words), 3)))
    if name == "hglmm":
        return FisherVector.fit(sentences, vectors, num_centers=2, dimension=4)
    return TfIdf.fit(sentences) if name == "tf_idf" else MeanVector.fit(sentences, vectors)
