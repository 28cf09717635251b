"""The work of `vsa_tf.export`."""

import concurrent.futures
import contextlib
import functools
import itertools
import math
import pathlib
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from vsa_tf.data.record_split import RecordSplit
from vsa_tf.errors import VsaTfError, operation_reason
from vsa_tf.file_reading import is_count
from vsa_tf.files import partial_directory, read_sealed, rename_to_free
from vsa_tf.inference.answers import answer
from vsa_tf.inference.exported_model import ExportedModel
from vsa_tf.inference.graph_checks import require
from vsa_tf.inference.graph_photographs import GraphPhotographs
from vsa_tf.inference.graph_sentences import GraphRelations, GraphSentences
from vsa_tf.inference.local_model import LocalModel
from vsa_tf.inference.model_card import model_card, write_model_card
from vsa_tf.inference.photographs import read_photograph
from vsa_tf.inference.signatures import INTEGER_INPUTS, AnswerSettings, check_export
from vsa_tf.model_handles import check_in_graph
from vsa_tf.program import silent

LARGEST_DIFFERENCE = 1e-4
LARGEST_OF_BATCH = 1e-3
_STRINGS = tf.TensorSpec([None], tf.string)
_WARM_UP = "assets.extra/tf_serving_warmup_requests"


def export_model(
    model_dir,
    export_dir,
    image_encoder="",
    detector="",
    data_dir=None,
    split=None,
    num_examples=4,
    example_image=(),
    settings=AnswerSettings(),
    say=silent,
):
    """Writes a trained model as a SavedModel, once its answers are those of the model itself.

    Args:
        model_dir: directory that training wrote.
        export_dir: directory of the versions.
        image_encoder: the encoder of the model's records; empty to take the one that they name.
        detector: the detector, likewise.
        data_dir: records with examples to check the export; None: the training's.
        split: of the examples; None: the training's dev split.
        num_examples: that are compared.
        example_image: photographs to compare in place of the records' own.
        settings: the `AnswerSettings`.
        say: called with each line of progress.

    Returns:
        Directory of the new version, a `pathlib.Path`.

    Raises:
        VsaTfError: model, encoder, detector or examples cannot be used, or an answer differs.
    """
    check_export(settings, keras.backend.backend())
    check_in_graph("detector", detector)
    local = LocalModel(model_dir, image_encoder, detector, settings)
    training, data = local.trained.settings.training, local.trained.settings.data
    examples = read_examples(
        data_dir or data.data_dir,
        split or training.dev_split,
        num_examples,
        example_image,
        local.trained.settings.model.reads_dependencies,
    )
    if settings.max_caption_words == 1:
        examples = examples._replace(prefix="")
    export_dir = pathlib.Path(export_dir)
    export_dir.mkdir(parents=True, exist_ok=True)
    # Servers look for numbers only: they never see half of a version.
    with partial_directory(export_dir, "version") as temporary:
        say(f"writing version {_next_version(export_dir)}")
        graph = GraphModel(local)
        with _one_error(temporary):
            graph.save(temporary)
        say(f"comparing its answers to {len(examples.sentences)} examples")
        differences = answer_differences(local, ExportedModel(temporary), examples)
        check_differences(differences)
        with _one_error(temporary):
            has_warm_up = write_warm_up(temporary, training.model, local.signatures, examples)
        if not has_warm_up:
            say("left out warm-up requests: they need the package tensorflow-serving-api")
        metrics = _metrics(pathlib.Path(model_dir))
        card = model_card(local, graph.functions, metrics, differences, has_warm_up)
        write_model_card(temporary, card)
        numbers = itertools.count(_next_version(export_dir))
        target = rename_to_free(temporary, (export_dir / str(number) for number in numbers))
    for name, signature in card["signatures"].items():
        say(f"{name:16} largest difference {signature['largest_difference']:.1e}")
    say(f"wrote {target}")
    return target


@contextlib.contextmanager
def _one_error(path):
    """Turns what TensorFlow raises of a disk into an error of this project."""
    try:
        yield
    except tf.errors.OpError as error:
        reason = operation_reason(error.message)
        raise VsaTfError(f"{path} cannot be written: {reason}. Run the command again") from error


class GraphModel(tf.Module):
    """The answers of a `LocalModel` behind readers of bytes and strings, in core operations.

    Args:
        local: the `LocalModel`.

    Attributes:
        functions: dict of signature to concrete function, the main one first; inputs are `[B]`.

    Raises:
        VsaTfError: the detector cannot be part of a SavedModel.
    """

    def __init__(self, local):
        super().__init__()
        trained = local.trained
        self._photographs = GraphPhotographs(local.reader)
        read = GraphRelations if trained.settings.model.reads_dependencies else GraphSentences
        self._sentences = read(trained.text, trained.settings.data.max_words)
        # A list of plain variables: the SavedModel shall not know of Keras.
        self._variables = [variable.value for variable in trained.model.variables]
        reads = {
            "image_bytes": self._photographs,
            "prefixes": getattr(self._sentences, "prefixes", None),
        }
        # Functions of their own, by far the largest parts: traced once and kept once.
        traced = functools.cache(_traced_reader)
        self.functions = {}
        for name, inputs in local.signatures.items():
            readers = {
                key: tf.identity
                if key in INTEGER_INPUTS
                else traced(reads.get(key, self._sentences))
                for key in inputs
            }
            ask = functools.partial(answer, local.answers, name)
            self.functions[name] = _traced_answer(ask, readers)

    def save(self, path):
        """Writes the SavedModel; its default signature is the main one."""
        main = next(iter(self.functions.values()))
        tf.saved_model.save(self, str(path), {"serving_default": main, **self.functions})


def _traced_reader(read):
    return tf.function(read, input_signature=[_STRINGS], autograph=False).get_concrete_function()


def _traced_answer(ask, readers):
    """Returns the concrete function of a signature, given what reads each input of that name."""

    def function(*values):
        values = _of_as_many_rows(readers, values)
        return ask(*(read(value) for read, value in zip(readers.values(), values)))

    specification = [
        tf.TensorSpec([None], tf.int32 if name in INTEGER_INPUTS else tf.string, name=name)
        for name in readers
    ]
    traced = tf.function(function, input_signature=specification, autograph=False)
    return traced.get_concrete_function()


def _of_as_many_rows(names, values):
    """Returns inputs that are refused, when run, where they differ in their rows.

    Operations would repeat a single row, or answer some of them.
    """
    counts = [tf.size(value) for value in values]
    counted = ", ".join(f"{name}: {{}}" for name in names)
    message = f"Expected as many rows in each input. Received: {counted}"
    with require(tf.reduce_all(tf.equal(counts, counts[0])), tf.strings.format(message, counts)):
        return [tf.identity(value) for value in values]


def check_differences(differences):
    """Refuses answers that are too far apart.

    Args:
        differences: of `answer_differences`.

    Raises:
        VsaTfError: names the largest difference.
    """
    largest, name, output = max(
        (difference, name, output)
        for name, outputs in differences.items()
        for output, difference in outputs.items()
    )
    if largest > LARGEST_DIFFERENCE:
        amount = f"by {largest:.3g}" if math.isfinite(largest) else "in its text or shape"
        raise VsaTfError(
            f"The exported model is not the trained one: {output} of {name} differs {amount} "
            f"(allowed: {LARGEST_DIFFERENCE}). Nothing was written; please report this"
        )


def _next_version(export_dir):
    versions = [int(folder.name) for folder in export_dir.iterdir() if is_count(folder.name)]
    return max(versions, default=0) + 1


def _metrics(model_dir):
    path = model_dir / "metrics.json"
    return read_sealed(path) if path.is_file() else None


class Examples(NamedTuple):
    """N photographs with a sentence each.

    Attributes:
        image_bytes: list of N bytes.
        sentences: list of N str: plain text, or the relations of `RelationReader`.
        prefix: what captions may begin with.
    """

    image_bytes: list
    sentences: list
    prefix: str = "a"


def read_examples(data_dir, split, count, image_files=(), reads_dependencies=False):
    """Reads examples of a split.

    Args:
        data_dir: directory of records.
        split: name of the split.
        count: N, at most.
        image_files: photographs to take in the place of the records' own.
        reads_dependencies: whether the model reads dependency relations, not plain text.

    Returns:
        `Examples`.

    Raises:
        VsaTfError: records or photographs cannot be read, or there are none.
    """
    try:
        records = RecordSplit(data_dir, split, feature_cache_bytes=0)
        images = [read_photograph(file) for file in image_files]
    except (OSError, ValueError) as error:
        raise VsaTfError(f"no examples to check the export with: {error}") from error
    # An image without captions shows nothing of the text side.
    captioned = sorted(set(records.image_of_caption.tolist()))[: len(images) or count]
    if not images:
        if not records.info.contents["images_stored"]:
            raise VsaTfError(
                f"{data_dir} holds no images to check the export with: give --example_image=FILE"
            )
        images = records.read_encoded_images(captioned)
    captions = [records.captions[records.first_caption[image]] for image in captioned]
    if reads_dependencies:
        if not any(records.dependencies):
            raise VsaTfError(
                f"{data_dir} holds no parses to check the export with: give --data_dir of records "
                "with dependency relations"
            )
        parses = [records.dependencies[records.first_caption[image]] for image in captioned]
        captions = ["\n".join("\t".join(relation) for relation in parse) for parse in parses]
    images = images[:count]
    return Examples(images, [captions[i % len(captions)] for i in range(len(images))])


def answer_differences(model, other, examples):
    """Compares the answers to every signature.

    Args:
        model: a `LocalModel`, asked row by row.
        other: an `ExportedModel`, asked row by row and all rows at once.
        examples: `Examples`.

    Returns:
        dict of signature to dict of output to the largest difference of a number: relative for
        numbers above 1, infinite where texts, shapes or names differ. Between rows alone and at
        once one up to `LARGEST_OF_BATCH` is none: products of other sizes round otherwise.
    """

    def compared(name):
        rows = _inputs(model.signatures[name], examples)
        together = other.call(name, **rows)
        found = dict.fromkeys(together, 0.0)
        for index in range(len(examples.sentences)):
            row = {key: values[index : index + 1] for key, values in rows.items()}
            expected, alone = (asked.call(name, **row) for asked in (model, other))
            for output in expected.keys() | alone.keys() | together.keys():
                difference = np.inf
                if output in expected and output in alone and output in together:
                    of_batch = _difference(alone[output][0], together[output][index])
                    difference = _difference(expected[output][0], alone[output][0])
                    if of_batch > LARGEST_OF_BATCH:
                        difference = max(difference, of_batch)
                found[output] = max(found.get(output, 0.0), difference)
        return found

    # The first answer to each waits until TensorFlow has optimised its graph, on one core.
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return dict(zip(model.signatures, pool.map(compared, model.signatures)))


def _inputs(names, examples):
    def alternating(*values):
        return [values[row % 2] for row in range(len(examples.sentences))]

    rows = {
        "image_bytes": examples.image_bytes,
        # What is open, and what is asked for.
        "num_beams": alternating(0, 3),
        "num_captions": alternating(0, 2),
        "prefixes": alternating("", examples.prefix),
    }
    return {name: rows.get(name, examples.sentences) for name in names}


def _difference(expected, received):
    """Of a row's output; among other rows it may be padded further."""
    expected, received = np.asarray(expected), np.asarray(received)
    fits = expected.ndim == received.ndim and expected.dtype.kind == received.dtype.kind
    if not fits or any(np.less(received.shape, expected.shape)):
        return np.inf
    received = received[tuple(slice(size) for size in expected.shape)]
    differs = expected != received
    if not differs.any():
        return 0.0
    if expected.dtype.kind not in "fi":
        return np.inf
    expected, received = (values[differs].astype(np.float64) for values in (expected, received))
    difference = np.abs(expected - received) / np.maximum(np.abs(expected), 1.0)
    return float(np.where(np.isfinite(difference), difference, np.inf).max())


def write_warm_up(path, model_name, signatures, examples):
    """Writes a request for every signature into a SavedModel's directory.

    Without them the first request of a client waits until TensorFlow has optimised the graph.

    Args:
        path: the directory, a `pathlib.Path`.
        model_name: name of the model in the requests.
        signatures: dict of name to the names of its inputs.
        examples: `Examples`; the first is taken.

    Returns:
        Whether they were written: they need the package tensorflow-serving-api.
    """
    try:
        from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
    except ImportError:
        return False
    (path / _WARM_UP).parent.mkdir()
    with tf.io.TFRecordWriter(str(path / _WARM_UP)) as writer:
        for name, inputs in signatures.items():
            request = predict_pb2.PredictRequest()
            request.model_spec.name = model_name
            request.model_spec.signature_name = name
            for key, values in _inputs(inputs, examples).items():
                request.inputs[key].CopyFrom(tf.make_tensor_proto(values[:1]))
            log = prediction_log_pb2.PredictLog(request=request)
            entry = prediction_log_pb2.PredictionLog(predict_log=log)
            writer.write(entry.SerializeToString())
    return True
