"""Trains a tiny captioner of the regions that people described, and evaluates others by them."""

import json

import pytest

from tests.data.small_records import caption_text, write_records
from vsa_tf.errors import VsaTfError
from vsa_tf.evaluation.evaluate_model import evaluate_model
from vsa_tf.evaluation.evaluation import CaptionOptions
from vsa_tf.model_dir.trained_model import TrainedModel
from vsa_tf.settings import Settings
from vsa_tf.text.vocabulary import SPECIAL_TOKENS
from vsa_tf.training.train_model import train_model

NUM_IMAGES = 6
# Of each image one region, and of it the first word of the third caption.
DESCRIPTIONS = [caption_text(5 * image + 2).split()[0] for image in range(NUM_IMAGES)]


def _train(folder, name, **values):
    settings = Settings.of(
        "dvsa_rnn",
        data_dir=str(folder),
        model_dir=str(folder / name),
        num_epochs=1,
        batch_size=3,
        min_count=1,
        dev_split="train",
        test_split="train",
        hidden_size=3,
        word_embedding_size=3,
        max_caption_words=3,
        beam_size=1,
        **values,
    )
    return train_model(settings)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Records with features of given boxes, and a captioner of regions and one of images."""
    folder = tmp_path_factory.mktemp("regions")
    write_records(folder, NUM_IMAGES, object_features=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "")  # no Java: METEOR is slow, and not everywhere
        report = _train(folder, "of_regions", snippets="records", whole_frame=True)
        (folder / "report.json").write_text(json.dumps(report))
        _train(folder, "of_images")
        yield folder


def test_what_people_say_of_regions_is_learnt_and_scored(folder):
    report = json.loads((folder / "report.json").read_text())
    assert (report["num_images"], report["num_sentences"]) == (NUM_IMAGES, NUM_IMAGES)
    assert report["metrics"]["described_regions"] == {
        "boxes": "given",
        "least_overlap": 1.0,
        "num_described": NUM_IMAGES,
        "num_captioned": NUM_IMAGES,
        "mean_overlap": 1.0,
    }
    assert "described_regions" in report["protocol"]
    results = json.loads((folder / "of_regions" / "captions.json").read_text())
    assert [row["file_name"] for row in results] == [f"image{i}.png#7" for i in range(NUM_IMAGES)]


def test_the_words_of_descriptions_are_learnt_and_no_others(folder):
    tokens = TrainedModel(folder / "of_regions").text.vocabulary.tokens
    assert sorted(tokens[len(SPECIAL_TOKENS) :]) == sorted(DESCRIPTIONS)


@pytest.mark.parametrize("model", ["of_regions", "of_images"])
def test_a_detected_box_stands_for_a_given_one(folder, model):
    # The given box is 0.25 to 0.75, 0 to 0.5. Images 2 and 5 have a region from 0.25 to the lower
    # end, IoU 0.25 / 0.75; those of the others, from higher up, overlap less.
    lines, captions = [], CaptionOptions(region_boxes="detected", region_overlap=0.3)
    report = evaluate_model(folder / model, split="train", captions=captions, say=lines.append)
    found = report["metrics"]["described_regions"]
    assert (found["num_captioned"], found["num_described"]) == (2, NUM_IMAGES)
    assert found["mean_overlap"] == pytest.approx(1 / 3)
    assert (report["num_images"], report["num_sentences"]) == (2, 2)
    expected = (
        "2 of 6 described regions are captioned by the detected box that overlaps theirs most, IoU "
        "0.3 or more, in the mean 0.33"
    )
    assert expected in lines


def test_a_captioner_of_images_is_evaluated_by_given_boxes(folder):
    lines, captions = [], CaptionOptions(("nearest_cider",), num_neighbors=2, region_boxes="given")
    output = folder / "of_boxes" / "metrics.json"
    output.parent.mkdir()
    report = evaluate_model(
        folder / "of_images", captions=captions, split="train", output=output, say=lines.append
    )
    assert report["metrics"]["described_regions"]["boxes"] == "given"
    assert "6 of 6 described regions are captioned by their given boxes" in lines
    # The nearest caption is of the described regions of the training split, among which is the
    # region itself. The model has learnt whole captions, of which few are one word.
    assert report["metrics"]["captions_by_method"]["nearest_cider"]["novel"] > 80
    closest = {
        row["closest_training_caption"]
        for row in json.loads((output.parent / "captions.json").read_text())
    }
    assert closest and closest <= {caption_text(number) for number in range(5 * NUM_IMAGES)}


def test_boxes_that_none_overlaps_are_refused_in_words(folder):
    captions = CaptionOptions(region_boxes="detected", region_overlap=0.9)
    with pytest.raises(VsaTfError, match="IoU 0.9 or more with one of 6 .*: at most 0.33"):
        evaluate_model(folder / "of_regions", split="train", captions=captions)
