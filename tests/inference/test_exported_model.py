"""Every signature of every kind of model: the graph gives what the model itself gives."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from tests.inference.small_models import (
    SENTENCES,
    make_model_dir,
    photographs,
    save_detector,
    save_encoder,
)
from tfrecords_tools.detectors import SourceProposals
from tfrecords_tools.image_decoding import decode_image
from vsa_tf.errors import VsaTfError
from vsa_tf.inference import export_model
from vsa_tf.inference.export_model import GraphModel
from vsa_tf.inference.exported_model import ExportedModel
from vsa_tf.inference.graph_sentences import GraphSentences
from vsa_tf.inference.local_model import LocalModel
from vsa_tf.inference.signatures import INTEGER_INPUTS, SIGNATURE_INPUTS, AnswerSettings
from vsa_tf.models.alignment.settings import AlignmentSettings
from vsa_tf.models.captioning.settings import DvsaRnnSettings, MRnnSettings
from vsa_tf.models.two_branch.settings import EmbeddingSettings, SimilaritySettings

ANSWERS = AnswerSettings(beam_size=3, num_captions=2, max_caption_words=6)
TWO_BRANCH = {"joint_size": 6, "hidden_size": 7, "text_hidden_size": 5, "recurrent_size": 4}
NETWORKS = {"image_encoder": "encoder", "detector": "detector", "num_regions": 4}
CASES = {
    "alignment": ("alignment", AlignmentSettings(joint_size=8), NETWORKS),
    "alignment of pooled features": (
        "alignment",
        AlignmentSettings(joint_size=8, similarity="sentence_cosine", word_activation="linear"),
        {**NETWORKS, "region_features": "pool"},
    ),
    "alignment of pixels by lengths": (
        "alignment",
        AlignmentSettings(joint_size=8, crop_size=16, cell="gru", length_normalization=True),
        {"detector": "grid", "num_regions": 4},
    ),
    "m-rnn": ("m_rnn", MRnnSettings(), {"image_encoder": "encoder"}),
    "dvsa": ("dvsa_rnn", DvsaRnnSettings(hidden_size=8, cell="lstm"), {"image_encoder": "encoder"}),
    "dvsa of regions": (
        "dvsa_rnn",
        DvsaRnnSettings(hidden_size=8, snippets="some", whole_frame=True),
        # The records of a captioner of regions in their frames hold two regions a row.
        {**NETWORKS, "num_regions": 2},
    ),
    "dvsa of regions of pixels": (
        "dvsa_rnn",
        DvsaRnnSettings(hidden_size=8, snippets="some", crop_size=16),
        {"detector": "grid"},
    ),
    **{
        f"embedding with {text}": (
            "embedding",
            EmbeddingSettings(text=text, **TWO_BRANCH),
            {"image_encoder": "encoder"},
        )
        for text in ("hglmm", "lstm")
    },
    "embedding with context": (
        "embedding",
        EmbeddingSettings(text="gru", regions_context=True, **TWO_BRANCH),
        NETWORKS,
    ),
    "similarity": (
        "similarity",
        SimilaritySettings(text="tf_idf", **TWO_BRANCH),
        {"image_encoder": "encoder"},
    ),
    **{
        f"{name} of regions": (
            name,
            settings(text="lstm", task="region_phrase", region_geometry=True, **TWO_BRANCH),
            NETWORKS,
        )
        for name, settings in (("embedding", EmbeddingSettings), ("similarity", SimilaritySettings))
    },
}
# Each way to read photographs; the others are given what these read.
READING = ("alignment", "alignment of pooled features", "alignment of pixels by lengths", "m-rnn")
MAIN = {
    "alignment": "align",
    "m-rnn": "caption",
    "dvsa": "caption",
    "dvsa of regions": "caption",
    "embedding with lstm": "score",
    "embedding of regions": "localize",
}


PHOTOGRAPHS = photographs(len(SENTENCES))


class GivenPhotographs(tf.Module):
    """A `GraphPhotographs` that has read `PHOTOGRAPHS` already: it traces and runs at once."""

    def __init__(self, reader):
        super().__init__()
        self._batch = reader.batch([(data, decode_image(data)) for data in PHOTOGRAPHS])

    def __call__(self, image_bytes):
        # A graph does not know the number of rows.
        return {
            name: tf.compat.v1.placeholder_with_default(value, (None, *value.shape[1:]))
            for name, value in self._batch.items()
        }


@pytest.fixture(scope="module")
def open_model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    networks = {
        "encoder": save_encoder(folder / "encoder"),
        "detector": save_detector(folder / "detector"),
    }

    @functools.cache
    def open_model(case):
        name, settings, inputs = CASES[case]
        inputs = {key: networks.get(value, value) for key, value in inputs.items()}
        path = make_model_dir(folder / case, name, settings, **inputs)
        return LocalModel(
            path, inputs.get("image_encoder", ""), inputs.get("detector", ""), ANSWERS
        )

    return open_model


@pytest.fixture(scope="module")
def graph_of(open_model):
    traced, plain = functools.cache(export_model._traced_reader), {}

    def read_sentences(text, max_words):
        # All have one vocabulary: sentences without features are read by one graph.
        if text.sentence_feature is None:
            return plain.setdefault(max_words, GraphSentences(text, max_words))
        return GraphSentences(text, max_words)

    @functools.cache
    def graph_of(case):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(export_model, "GraphSentences", read_sentences)
            patch.setattr(export_model, "_traced_reader", traced)
            if case not in READING:
                patch.setattr(export_model, "GraphPhotographs", GivenPhotographs)
            return GraphModel(open_model(case))

    return graph_of


@pytest.mark.parametrize("case", CASES)
def test_the_graph_answers_as_the_model_does(open_model, graph_of, case):
    local, graph = open_model(case), graph_of(case)
    questions = {
        "image_bytes": PHOTOGRAPHS,
        "sentences": SENTENCES,
        "phrases": SENTENCES,
        "num_beams": [0, 2, 0, 4],
        "num_captions": [0, 1, 0, 3],
        "prefixes": ["", "A zebra", "boys", ""],
    }
    assert list(graph.functions) == list(local.signatures)
    for name, inputs in local.signatures.items():
        asked = {key: questions[key] for key in inputs}
        expected = local.call(name, **asked)
        received = graph.functions[name](**{k: tf.constant(v) for k, v in asked.items()})
        assert received.keys() == expected.keys()
        for key, value in expected.items():
            array = received[key].numpy()
            assert array.shape == value.shape, (name, key)
            if value.dtype == object:
                array = np.vectorize(bytes.decode, otypes=[object])(array)
                np.testing.assert_array_equal(array, value, err_msg=f"{name} {key}")
            else:
                assert array.dtype == value.dtype, (name, key)
                np.testing.assert_allclose(
                    array, value, rtol=1e-4, atol=2e-5, err_msg=f"{name} {key}"
                )


@pytest.mark.parametrize("case", ["similarity", "dvsa"])
@pytest.mark.parametrize("counts", [(1, 3), (3, 1)])
def test_inputs_of_unequal_rows_are_refused_with_their_counts(graph_of, case, counts):
    values = {name: tf.constant([0] * 3) for name in INTEGER_INPUTS}
    refused = 0
    for name, function in graph_of(case).functions.items():
        inputs = SIGNATURE_INPUTS[name]
        if len(inputs) < 2:
            continue
        rows = {key: counts[place > 0] for place, key in enumerate(inputs)}
        asked = {key: values.get(key, tf.constant(PHOTOGRAPHS))[: rows[key]] for key in inputs}
        counted = ", ".join(f"{key}: {count}" for key, count in rows.items())
        with pytest.raises(
            tf.errors.InvalidArgumentError,
            match=f"Expected as many rows in each input. Received: {counted}",
        ):
            function(**asked)
        refused += 1
    assert refused


@pytest.mark.parametrize("case", MAIN)
def test_the_main_signature_is_the_first(open_model, case):
    assert next(iter(open_model(case).signatures)) == MAIN[case]


def test_a_detector_that_is_no_graph_is_refused(open_model, monkeypatch):
    local = open_model("alignment of pixels by lengths")
    monkeypatch.setattr(local.reader, "detector", SourceProposals())
    with pytest.raises(VsaTfError, match="keras_hub:PRESET, grid, .*Received: proposals"):
        GraphModel(local)


@pytest.mark.parametrize("name", ["saved_model.pb", "variables.index", "variables.data"])
def test_an_export_of_empty_files_is_one_error(tmp_path, name):
    module = tf.Module()
    module.scale = tf.Variable([1.0, 2.0])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def answer(image_bytes):
        return {"embedding": tf.fill([tf.size(image_bytes), 2], module.scale[0])}

    tf.saved_model.save(module, str(tmp_path), signatures={"embed_image": answer})
    assert list(ExportedModel(tmp_path).signatures) == ["embed_image"]
    (path,) = [path for path in tmp_path.rglob("*") if path.name.startswith(name)]
    path.write_bytes(b"")
    with pytest.raises(VsaTfError, match="cannot be loaded: .*Export the model again"):
        ExportedModel(tmp_path)
