"""docs/tour.ipynb runs, and finds what its text says: the scenes are known, and tell."""

import ast
import json
import os
import re
import types

import numpy as np
import pytest

from tests.notebooks import read_cells, run_cell
from tests.source_imports import ROOT
from tfrecords_tools.sources.shape_scenes import ShapeScenes
from vsa_tf.boxes import box_overlap

NOTEBOOK = ROOT / "docs" / "tour.ipynb"


@pytest.fixture(scope="module")
def tour(tmp_path_factory):
    """Runs the notebook: its variables, the values of its cells, and the scenes of its test split.

    `values` is a list: of each cell with code the value of its last line, or None.
    """
    before, namespace = os.getcwd(), {}
    os.chdir(tmp_path_factory.mktemp("tour"))
    try:
        ran = [
            run_cell(source, namespace) for kind, source in read_cells(NOTEBOOK) if kind == "code"
        ]
    finally:
        os.chdir(before)
    counts = [int(count) for count in namespace["settings"].data.num_examples.split(",")]
    scenes = ShapeScenes(*counts, seed=namespace["settings"].training.seed)
    return types.SimpleNamespace(
        **namespace,
        printed="".join(printed for printed, _ in ran),
        values=[value for _, value in ran],
        scene=lambda number: scenes.scene("test", number),
    )


def _claims():
    """Returns the numbers of the text's `N times chance`, in their order."""
    text = " ".join(source for kind, source in read_cells(NOTEBOOK) if kind == "markdown")
    return [int(number) for number in re.findall(r"(\d+)\s+times\s+chance", text)]


def _shape_at(scene, box):
    """Returns the words of the shape that a box is around, such as `small red star`."""
    overlaps = box_overlap(np.float32([box]), np.float32(scene.boxes))
    assert overlaps.max() > 0.5
    shape = scene.shapes[int(overlaps.argmax())]
    return f"{shape.size} {shape.colour} {shape.shape}"


def _kept():
    """Returns what the notebook keeps of each cell with code, dicts by the kind of data."""
    cells = [cell for cell in json.loads(NOTEBOOK.read_text("utf-8"))["cells"] if "outputs" in cell]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    return [output["data"] for cell in cells for output in cell["outputs"]]


def test_sentences_find_their_scenes_as_often_as_it_says(tour):
    kept = ["".join(data["text/plain"]) for data in _kept()]
    kept = [ast.literal_eval(text) for text in kept if text.startswith("{")]
    of_scenes, of_phrases = _claims()
    for values in (tour.values, kept):
        found, localized = (value for value in values if isinstance(value, dict))
        assert found["R@1"] > of_scenes * 100 / tour.records.num_images
        assert localized["R@1"] > of_phrases * localized["chance"]


def test_words_are_aligned_to_the_shapes_that_they_are_about(tour):
    boxes = {word.text: word.box for word in tour.found.words}
    for shape in ("large yellow star", "large red square", "small purple heart"):
        assert _shape_at(tour.scene(4), boxes[shape.split()[-1]]) == shape


def test_a_phrase_is_found(tour):
    found = tour.model.localize(tour.records.read_image(10), "a small purple star")
    assert _shape_at(tour.scene(10), found.boxes[0].box) == "small purple star"


def test_a_search_finds_what_it_asks_for(tour):
    hits = tour.index.search(tour.model, "a small green circle", top_k=4)
    scenes = [tour.scene(int(re.findall(r"\d+", hit.entry)[-1])) for hit in hits]
    shown = [{(shape.colour, shape.shape) for shape in scene.shapes} for scene in scenes]
    # One of them may be another where a processor rounds otherwise.
    assert sum(("green", "circle") in shapes for shapes in shown) >= 3
    assert {hit.entry for hit in tour.hits} & set(tour.records.captions[45:50])


def test_the_export_answers_as_the_model_does(tour):
    assert tour.values[-2] is True
    assert tour.again.to_dict().keys() == tour.found.to_dict().keys()


def test_it_prints_nothing(tour):
    assert tour.printed == ""


def test_the_kept_outputs_are_small_and_of_no_machine():
    assert NOTEBOOK.stat().st_size < 300_000
    kept = _kept()
    assert sum("image/png" in data for data in kept) == 4
    assert not re.search(r"/\w", str([data["text/plain"] for data in kept]))
