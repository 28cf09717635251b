"""Models of dependency relations: the graph gives what the model itself gives."""

import functools
import json

import numpy as np
import pytest
import tensorflow as tf

from tests.data.small_records import set_dependencies, write_records
from tests.inference.small_models import make_model_dir, photographs, save_detector, save_encoder
from vsa_tf.data import schema
from vsa_tf.errors import InputError, VsaTfError
from vsa_tf.inference import export_model as export_module
from vsa_tf.inference.export_model import GraphModel, export_model
from vsa_tf.inference.exported_model import ExportedModel, as_arrays
from vsa_tf.inference.graph_photographs import GraphPhotographs
from vsa_tf.inference.graph_sentences import GraphRelations
from vsa_tf.inference.local_model import LocalModel, RelationReader
from vsa_tf.models.alignment.settings import AlignmentSettings, DeFragSettings
from vsa_tf.search_index.model_probe import probe

CASES = {
    "defrag": ("defrag", DeFragSettings(joint_size=8, smoothing=3.0)),
    "alignment": ("alignment", AlignmentSettings(fragments="dependencies", joint_size=8)),
    "alignment by lengths": (
        "alignment",
        AlignmentSettings(
            fragments="dependencies",
            joint_size=8,
            similarity="sentence_cosine",
            word_activation="linear",
            length_normalization=True,
        ),
    ),
}
SENTENCES = [
    "amod\tdog\tred\ndet\tdog\tA\nnsubj\tplays\tDog",
    "",
    # An unknown type and word; blank lines and line ends of Windows; a quotation mark; nine
    # relations, of which the model reads seven.
    '\nvocative\tzebra\tred\r\n \nnsubj\t"\tdog\n' + "det\tdog\tthe\n" * 8,
    "amod\tMan's\tbrown",
]


@pytest.fixture(scope="module")
def open_model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    encoder, detector = save_encoder(folder / "encoder"), save_detector(folder / "detector")

    @functools.cache
    def open_model(case):
        name, settings = CASES[case]
        networks = {"image_encoder": encoder, "detector": detector}
        make_model_dir(folder / case, name, settings, num_regions=4, **networks)
        return LocalModel(folder / case, encoder, detector)

    return open_model


def _made_once(make):
    made = []

    def once(*arguments):
        if not made:
            made.append(make(*arguments))
        return made[0]

    return once


@pytest.fixture(scope="module")
def graph_of(open_model):
    traced = functools.cache(export_module._traced_reader)
    with pytest.MonkeyPatch.context() as patch:
        # All are of the same networks, words and relations: what reads for them is traced once.
        for make in (GraphPhotographs, GraphRelations):
            patch.setattr(export_module, make.__name__, _made_once(make))
        patch.setattr(export_module, "_traced_reader", traced)
        yield functools.cache(lambda case: GraphModel(open_model(case)))


def test_sentences_are_read_as_they_are_written(open_model):
    trained = open_model("defrag").trained
    batch = RelationReader(trained.text, 7)(SENTENCES)
    assert batch["num_fragments"].tolist() == [3, 0, 7, 1]
    types, vocabulary = trained.text.relation_types, trained.text.vocabulary
    ids = types.encode(["amod", "det", "nsubj"])
    assert batch["relations"].tolist() == [
        ids + [0] * 4,
        [0] * 7,
        [1] + [ids[1]] * 6,
        [ids[0]] + [0] * 6,
    ]
    heads = vocabulary.encode(["dog", "plays", "<unk>", "man"])
    assert batch["heads"][:, 0].tolist() == [heads[0], 0, heads[2], heads[3]]
    assert batch["heads"][0, 2] == vocabulary.encode(["plays"])[0]


@pytest.mark.parametrize("case", CASES)
def test_the_graph_answers_as_the_model_does(open_model, graph_of, case):
    local, graph = open_model(case), graph_of(case)
    assert (
        list(graph.functions)
        == list(local.signatures)
        == ["score", "embed_image", "embed_sentence"]
    )
    questions = {"image_bytes": photographs(len(SENTENCES)), "sentences": SENTENCES}
    for name, inputs in local.signatures.items():
        asked = {key: questions[key] for key in inputs}
        expected = local.call(name, **asked)
        received = graph.functions[name](**{k: tf.constant(v) for k, v in asked.items()})
        received = as_arrays(received)
        assert received.keys() == expected.keys()
        for key, value in expected.items():
            array = received[key]
            assert (array.shape, array.dtype) == (value.shape, value.dtype), (name, key)
            if value.dtype == object:
                np.testing.assert_array_equal(array, value)
                continue
            np.testing.assert_allclose(array, value, rtol=1e-4, atol=2e-5, err_msg=f"{name} {key}")


def test_scores_follow_from_the_embeddings(open_model):
    local = open_model("defrag")
    images, sentences = photographs(len(SENTENCES)), SENTENCES
    regions = local.call("embed_image", image_bytes=images)
    texts = local.call("embed_sentence", sentences=sentences)
    scores = local.call("score", image_bytes=images, sentences=sentences)["score"]
    for row, score in enumerate(scores):
        v = regions["regions"][row, : regions["num_regions"][row]]
        s = texts["fragments"][row, : texts["num_fragments"][row]]
        expected = np.maximum(v @ s.T, 0).sum() / (len(v) * (len(s) + 3))
        np.testing.assert_allclose(score, expected, rtol=1e-4, atol=1e-6)
    assert scores[1] == 0 and scores[0] > 0


@pytest.mark.parametrize(
    "line", ["A red dog plays", "det\tdog", "det\tdog\tthe\tmore", "\tdog\tthe", "det\t \tthe"]
)
def test_a_line_that_is_no_relation_is_an_input_error(open_model, graph_of, line):
    local = open_model("defrag")
    sentences = ["det\tdog\tthe", f"det\tdog\tthe\n{line}"]
    with pytest.raises(InputError, match="one a line: relation<TAB>head<TAB>dependent"):
        local.call("embed_sentence", sentences=sentences)
    with pytest.raises(tf.errors.InvalidArgumentError, match="relation<TAB>head<TAB>dependent"):
        graph_of("defrag").functions["embed_sentence"](sentences=tf.constant(sentences))


def test_an_index_of_such_a_model_is_refused(open_model):
    with pytest.raises(VsaTfError, match="models that read plain sentences. Expected dependency"):
        probe(open_model("defrag"), "sentences")


def test_an_exported_model_takes_relations(open_model, graph_of, tmp_path, monkeypatch):
    images = photographs(3)

    def edit(image, values):
        values[schema.IMAGE_ENCODED] = [images[image]]
        set_dependencies(values, [(("amod", "dog", "red"), ("det", "dog", "A"))[:image]] * 5)

    (tmp_path / "data").mkdir()
    write_records(tmp_path / "data", 3, 1, "dev", images_stored=True, edit=edit)
    local, graph = open_model("defrag"), graph_of("defrag")
    monkeypatch.setattr(export_module, "LocalModel", lambda *_: local)
    monkeypatch.setattr(export_module, "GraphModel", lambda _: graph)
    where = {"split": "dev", "num_examples": 3}
    version = export_model(
        tmp_path / "model", tmp_path / "exported", data_dir=tmp_path / "data", **where
    )
    card = json.loads((version / "model_card.json").read_text())
    assert card["default_signature"] == "score" and "relation<TAB>head" in card["sentences"]
    assert "relation<TAB>head<TAB>dependent" in (version / "README.md").read_text()
    exported = ExportedModel(version)
    asked = {"image_bytes": photographs(len(SENTENCES)), "sentences": SENTENCES}
    np.testing.assert_allclose(
        exported.call("score", **asked)["score"],
        local.call("score", **asked)["score"],
        rtol=1e-4,
        atol=1e-6,
    )
    with pytest.raises(InputError, match="one a line"):
        exported.call("embed_sentence", sentences=["A red dog"])
    (tmp_path / "unparsed").mkdir()
    write_records(tmp_path / "unparsed", 3, 1, "dev", images_stored=True)
    with pytest.raises(VsaTfError, match="no parses to check the export with"):
        export_model(
            tmp_path / "model", tmp_path / "exported", data_dir=tmp_path / "unparsed", **where
        )
