import io
import json
import types

import pytest
from PIL import Image
from vsa_tf.inference.caption_photographs import caption_photographs

from vsa_tf.errors import VsaTfError
from vsa_tf.evaluation.generated_scenes import generate_data
from vsa_tf.models.alignment.settings import AlignmentSettings
from vsa_tf.models.captioning.settings import DvsaRnnSettings, MRnnSettings
from vsa_tf.settings import DataSettings, OptimizerSettings, Settings, TrainingSettings
from vsa_tf.training.train_model import train_model


@pytest.fixture(scope="module")
def without_java():
    """METEOR, which takes seconds to start, has tests of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vsa_tf.metrics.caption_scores.shutil.which", lambda _: None)
        yield


@pytest.fixture(scope="module")
def train(tmp_path_factory, without_java):
    """Trains a tiny model on generated scenes; returns its model_dir."""
    folder = tmp_path_factory.mktemp("captions")

    def train(name, model, num_regions=1):
        settings = Settings(
            DataSettings(
                data_dir=str(folder / "data"),
                dataset="shape_scenes",
                num_examples="6,3,3",
                min_count=1,
                num_regions=num_regions,
                image_size=32,
                batch_size=15,
            ),
            OptimizerSettings(optimizer="adam"),
            TrainingSettings(
                model=name, model_dir=str(folder / name), num_epochs=1, num_pictures=0
            ),
            model,
        )
        generate_data(settings)
        train_model(settings)
        return folder / name

    return train


@pytest.fixture(scope="module")
def captioner(train):
    return train("m_rnn", MRnnSettings(crop_size=16))


def _caption(model_dir, paths, **changes):
    options = {
        "model_dir": model_dir,
        "image_encoder": "",
        "detector": "",
        "num_captions": 2,
        "beam_size": 3,
        "length_normalization": False,
        "max_words": 5,
        "prefix": "",
        "sample": False,
        "temperature": 1.0,
        "top_k": 0,
        "top_p": 1.0,
        "seed": 0,
    }
    output = io.StringIO()
    try:
        caption_photographs(types.SimpleNamespace(**options | changes), paths, output)
    finally:
        lines = [json.loads(line) for line in output.getvalue().splitlines()]
    return lines


@pytest.fixture
def photograph(tmp_path):
    path = tmp_path / "photograph.jpg"
    Image.new("RGB", (40, 30), (200, 30, 30)).save(path)
    return path


def test_a_line_a_file_with_captions_best_first(captioner, photograph):
    (line,) = _caption(captioner, [photograph])
    assert line["image"] == str(photograph)
    best, second = line["captions"]
    assert best["log_prob"] >= second["log_prob"]
    assert best["text"] == " ".join(best["tokens"])
    assert sum(best["token_log_probs"]) == pytest.approx(best["log_prob"], abs=1e-4)


def test_captions_continue_a_prefix_even_of_unknown_words(captioner, photograph, capsys):
    (line,) = _caption(captioner, [photograph], prefix="a zebra")
    assert all(caption["text"].startswith("a zebra") for caption in line["captions"])
    assert "does not know zebra" in capsys.readouterr().err


def test_a_prefix_without_room_for_a_caption_is_refused(captioner, photograph):
    with pytest.raises(VsaTfError, match="raise --max_words"):
        _caption(captioner, [photograph], prefix="a b c d e")


def test_samples_are_the_same_for_a_seed(captioner, photograph):
    first, second, other = (
        _caption(captioner, [photograph], sample=True, seed=seed) for seed in (1, 1, 2)
    )
    assert first == second != other


def test_bad_files_are_reported_when_the_others_are_done(captioner, photograph, tmp_path, capsys):
    (tmp_path / "bad.jpg").write_text("no image")
    output = io.StringIO()
    options = dict(
        model_dir=captioner,
        image_encoder="",
        detector="",
        num_captions=1,
        beam_size=1,
        length_normalization=False,
        max_words=5,
        prefix="",
        sample=False,
    )
    with pytest.raises(VsaTfError, match="1 of 2 images could not be read"):
        caption_photographs(
            types.SimpleNamespace(**options), [tmp_path / "bad.jpg", photograph], output
        )
    bad, good = map(json.loads, output.getvalue().splitlines())
    assert "not an image" in bad["error"]
    assert good["captions"]


def test_the_region_captioner_writes_captions_for_boxes(train, photograph):
    aligner = train("alignment", AlignmentSettings(crop_size=16, joint_size=8), num_regions=0)
    regions = train(
        "dvsa_rnn", DvsaRnnSettings(snippets=str(aligner), whole_frame=True, crop_size=16)
    )
    (line,) = _caption(regions, [photograph], detector="grid")
    boxes = [region["box"] for region in line["regions"]]
    assert boxes[0] == [0, 0, 1, 1]
    assert len(boxes) > 1
    assert all(len(region["captions"]) == 2 for region in line["regions"])
