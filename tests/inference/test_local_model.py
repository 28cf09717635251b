"""What a model directory answers beyond what a SavedModel does: boxes, prefixes, samples."""

import numpy as np
import pytest

from tests.inference.small_models import make_model_dir, photographs
from vsa_tf.errors import VsaTfError
from vsa_tf.inference.model import open_model
from vsa_tf.inference.photograph_reader import PhotographReader
from vsa_tf.models.alignment.settings import AlignmentSettings
from vsa_tf.models.captioning.settings import DvsaRnnSettings, MRnnSettings

SHORT = {"beam_size": 3, "num_captions": 2, "max_caption_words": 5}


@pytest.fixture(scope="module")
def model_dirs(tmp_path_factory):
    """Returns model directories, by name."""
    folder = tmp_path_factory.mktemp("models")
    # The frame's feature is added to every region's: the frame must be there to be added.
    # Roots of features near zero make much of what rounding leaves of them.
    aligner = AlignmentSettings(
        crop_size=16, joint_size=8, frame_context=True, feature_normalization="l2"
    )
    make_model_dir(folder / "aligner", "alignment", aligner, detector="grid", num_regions=4)
    make_model_dir(folder / "captioner", "m_rnn", MRnnSettings(crop_size=16))
    # The records of a captioner of regions in their frames hold two regions a row.
    regions = DvsaRnnSettings(hidden_size=8, snippets="some", whole_frame=True, crop_size=16)
    make_model_dir(folder / "regions", "dvsa_rnn", regions, detector="grid", num_regions=2)
    return folder


@pytest.fixture(scope="module")
def aligner(model_dirs):
    return open_model(model_dirs / "aligner")


@pytest.fixture(scope="module")
def photograph():
    (photograph,) = photographs(1)
    return photograph


def test_boxes_of_ones_own_score_as_the_same_boxes_of_the_detector(aligner, photograph):
    found = aligner.localize(photograph, "a red dog").boxes
    expected = {ranked.box: ranked.score for ranked in found if ranked.box != (0, 0, 1, 1)}
    assert len(expected) == 3
    own = aligner.localize(photograph, "a red dog", list(expected)).boxes
    assert {ranked.box: ranked.score for ranked in own} == pytest.approx(expected, abs=1e-5)
    scores = [ranked.score for ranked in own]
    assert scores == sorted(scores, reverse=True)


def test_overlapping_boxes_and_the_frame_are_kept_where_they_were_given(aligner, photograph):
    own = [
        [0, 0, 1, 1],
        [0.125, 0.125, 0.875, 0.875],
        [0.125, 0.125, 0.875, 0.75],
        [0, 0, 0.25, 0.25],
        [0.5, 0.5, 1, 1],
        [0, 0.5, 0.5, 1],
    ]
    for boxes in (own, np.float32(own)):
        found = aligner.localize([photograph] * 2, "a red dog", boxes)
        for each in found:
            assert sorted(list(ranked.box) for ranked in each.boxes) == sorted(own)


def test_the_regions_of_an_image_are_found_once_for_all_phrases(aligner, monkeypatch):
    read, times = PhotographReader.batch, []
    monkeypatch.setattr(
        PhotographReader, "batch", lambda self, *args: times.append(1) or read(self, *args)
    )
    images = photographs(2, seed=1)
    for phrase in ("a red dog", "a cat", "a dog"):
        aligner.localize(images, phrase)
    aligner.align(images, "a red dog")
    aligner.embed_images(images)
    assert len(times) == 1


def test_captions_are_their_tokens_and_as_likely_as_these_best_first(model_dirs, photograph):
    best, second = open_model(model_dirs / "captioner", **SHORT).caption(photograph, 2).captions
    assert best.log_prob >= second.log_prob
    for caption in (best, second):
        assert caption.text == " ".join(caption.tokens)
        assert sum(caption.token_log_probs) == pytest.approx(caption.log_prob, abs=1e-4)


@pytest.mark.parametrize("settings", [{}, {"beam_size": 1}, {"sample": True}])
def test_captions_continue_a_prefix_even_of_unknown_words(model_dirs, photograph, settings):
    settings = {"max_caption_words": 6, "prefix": "A zebra", **settings}
    model = open_model(model_dirs / "captioner", **settings)
    for caption in model.caption(photograph).captions:
        assert caption.text.startswith("a zebra")
        assert caption.tokens[:2] == ["a", "<unk>"]
        assert sum(caption.token_log_probs) == pytest.approx(caption.log_prob, abs=1e-4)
    text = model.opened.trained.text
    assert text.known_words("A zebra rides, a quagga") == (["zebra", "quagga"], 3)


def test_a_prefix_without_room_for_a_caption_is_refused(model_dirs):
    with pytest.raises(VsaTfError, match="^prefix has 5 words, which leaves no room .* at most 5"):
        open_model(model_dirs / "captioner", **SHORT, prefix="a b c d e")


def test_samples_are_the_same_for_a_seed(model_dirs, photograph):
    first, second, other = (
        open_model(model_dirs / "captioner", sample=True, seed=seed).caption(photograph, 5)
        for seed in (1, 1, 2)
    )
    assert first == second != other
    log_probs = [caption.log_prob for caption in first.captions]
    assert log_probs == sorted(log_probs, reverse=True)


def test_a_captioner_of_regions_writes_captions_for_boxes(model_dirs, photograph):
    model = open_model(model_dirs / "regions", detector="grid", **SHORT)
    found = model.caption(photograph, 2)
    assert found.captions == []
    boxes = [region.box for region in found.regions]
    # The grid's boxes: as many as detectors commonly keep, not the two of a row.
    assert boxes[0] == (0, 0, 1, 1) and len(boxes) > 2 and len(set(boxes)) == len(boxes)
    assert all(len(region.captions) == 2 for region in found.regions)
    # One photograph is captioned as it is among others, however many regions those have.
    other = model.caption([*photographs(2, seed=1), photograph], 2)[2]
    for region, same in zip(found.regions, other.regions, strict=True):
        assert region.box == same.box
        assert [each.text for each in region.captions] == [each.text for each in same.captions]


def test_more_captions_than_beams_are_refused_before_the_model_is_opened(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(VsaTfError, match="^num_captions=3 needs as many beams: raise beam_size"):
        open_model(tmp_path, beam_size=2, num_captions=3)
