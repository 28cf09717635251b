"""The whole way with presets: records, some steps, an export that is checked, answers."""

import sys

import numpy as np
import pytest

pytest.importorskip("keras_hub", reason="Keras Hub, an extra, is not installed")

from tests import keras_hub_presets
from tests.inference.small_models import photographs
from tests.tfrecords_tools.program_runs import run_program
from tfrecords_tools import write
from vsa_tf.errors import VsaTfError
from vsa_tf.inference.export_model import export_model
from vsa_tf.inference.model import open_model
from vsa_tf.settings import Settings
from vsa_tf.training.train_model import train_model

SENTENCES = ["a red dog", "two zebras, and a blue circle"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Records by ResNet and RetinaNet, and a model of them that reads sentences by CLIP."""
    folder = tmp_path_factory.mktemp("presets")
    resnet, retinanet, clip = (
        f"keras_hub:{keras_hub_presets.save(name, folder / name)}"
        for name in ("resnet", "retinanet", "clip")
    )
    run_program(
        write,
        "--dataset=shape_scenes",
        "--num_examples=4,2,2",
        f"--output_dir={folder / 'data'}",
        f"--image_encoder={resnet}",
        f"--detector={retinanet}",
        "--num_crops=10",
        "--num_regions=3",
        "--num_workers=0",
    )
    settings = Settings.of(
        "embedding",
        data_dir=folder / "data",
        model_dir=folder / "model",
        text=clip,
        num_epochs=1,
        batch_size=4,
        joint_size=4,
        hidden_size=4,
        text_hidden_size=4,
        num_pictures=0,
    )
    train_model(settings)
    networks = {"image_encoder": resnet, "detector": retinanet}
    # It compares the export's answers with the model's own.
    export_model(folder / "model", folder / "export", **networks, data_dir=str(folder / "data"))
    return folder


def test_an_export_answers_without_keras_hub(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    (version,) = (folder / "export").iterdir()
    exported = open_model(version)
    images, sentences = exported.embed_images(photographs(2)), exported.embed_sentences(SENTENCES)
    assert np.shape(images) == np.shape(sentences) == (2, 4)
    for vectors in (images, sentences):
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-4)
        assert np.abs(np.subtract(*np.asarray(vectors))).max() > 1e-4


def test_records_name_their_presets_which_must_be_given_again(folder):
    with pytest.raises(VsaTfError, match="reads what resnet makes of an image; give its directory"):
        open_model(folder / "model").embed_images(photographs(1))
