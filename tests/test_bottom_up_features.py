"""The whole way of features that others made: records, training, figures, pages, no export."""

import json
import pathlib

import pytest

from tests.tfrecords_tools.program_runs import run_program
from tfrecords_tools import write
from vsa_tf.errors import VsaTfError
from vsa_tf.evaluation.evaluate_model import evaluate_model
from vsa_tf.inference.export_model import export_model
from vsa_tf.reporting.write_report import write_report
from vsa_tf.settings import Settings
from vsa_tf.training.train_model import train_model

SAMPLES = pathlib.Path(__file__).parent / "testdata"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Returns a model directory, trained without a photograph, and its records."""
    folder = tmp_path_factory.mktemp("bottom_up")
    data_dir, model_dir = str(folder / "records"), str(folder / "model")
    run_program(
        write,
        "--dataset=flickr30k",
        f"--captions={SAMPLES / 'flickr30k' / 'texts'}",
        f"--entities={SAMPLES / 'flickr30k' / 'entities'}",
        f"--features=bottom_up:{SAMPLES / 'bottom_up'}",
        f"--output_dir={data_dir}",
        "--num_workers=0",
    )
    values = {"num_epochs": 1, "batch_size": 2, "joint_size": 8}
    train_model(Settings.of("alignment", data_dir=data_dir, model_dir=model_dir, **values))
    return pathlib.Path(model_dir), data_dir


def test_phrases_are_found_in_the_boxes_that_came_with_the_features(trained):
    model_dir, _ = trained
    found = evaluate_model(model_dir, split="train")["metrics"]["phrase_localization"]
    # Of six phrases with boxes in two photographs, two have the box of a region: 1001's man, its
    # left half, and the shirt. No region overlaps another phrase's by half.
    assert found["num_phrases"] == 6
    assert found["upper_bound"] == pytest.approx(100 * 2 / 6)


def test_a_report_is_written_of_it(trained, tmp_path):
    model_dir, _ = trained
    write_report(model_dir, output_dir=tmp_path / "report")
    pages = [path for path in (tmp_path / "report").rglob("*") if path.suffix in (".html", ".js")]
    assert any("A girl holds a kite" in path.read_text() for path in pages)
    assert not (tmp_path / "report" / "photographs").exists()


def test_an_export_could_not_read_photographs(trained, tmp_path):
    model_dir, _ = trained
    image = SAMPLES / "flickr30k" / "flickr30k-images" / "1001.jpg"
    for encoder in ("", "keras:VGG16"):
        with pytest.raises(VsaTfError, match=r"features that came with its records \(bottom_up\)"):
            export_model(
                model_dir, tmp_path / "export", image_encoder=encoder, example_image=[str(image)]
            )
    assert not (tmp_path / "export").exists()


def test_records_say_whose_features_they_hold(trained):
    model_dir, data_dir = trained
    info = json.loads((pathlib.Path(data_dir) / "dataset_info.json").read_text())
    assert info["encoder"] == {"spec": "given", "dataset": "bottom_up", "feature_size": 4}
    assert info["num_regions"] == 4 and not info["images_stored"]
    assert info["num_skipped"] == 1
