import numpy as np
import pytest

from tests.evaluation.small_pairs import make_network
from vsa_tf.baselines.canonical_correlation import CanonicalCorrelation
from vsa_tf.evaluation.correlation_baseline import CorrelationBaseline

RNG = np.random.default_rng(0)
BATCH = {
    "region_features": RNG.normal(size=(5, 3, 4)).astype("float16"),
    "region_boxes": RNG.random((5, 3, 4)).astype("float32"),
    "region_mask": np.ones((5, 3), bool),
    "sentence_features": RNG.normal(size=(5, 6)).astype("float16"),
}


def _baseline(width, task="image_sentence", **settings):
    x, y = RNG.normal(size=(30, width)), RNG.normal(size=(30, 6))
    correlation = CanonicalCorrelation.fit(x, y, dimensions=3)
    return CorrelationBaseline(make_network(task, **settings), correlation), correlation


def test_frames_and_sentences_are_projected():
    baseline, correlation = _baseline(4)
    images, sentences = baseline.embed_images(BATCH), baseline.embed_sentences(BATCH)
    np.testing.assert_allclose(
        images, correlation.project_x(BATCH["region_features"][:, 0]), rtol=1e-5
    )
    np.testing.assert_allclose(
        sentences, correlation.project_y(BATCH["sentence_features"]), rtol=1e-5
    )
    cosines = correlation.similarity(BATCH["region_features"][:, 0], BATCH["sentence_features"])
    np.testing.assert_allclose(baseline.score(images, sentences), cosines, rtol=1e-4, atol=1e-6)


def test_all_regions_are_projected():
    baseline, correlation = _baseline(4, "region_phrase")
    assert baseline.task == "region_phrase"
    regions = baseline.embed_regions(BATCH)
    assert regions.shape == (5, 3, 3)
    for region in range(3):
        np.testing.assert_allclose(
            regions[:, region],
            correlation.project_x(BATCH["region_features"][:, region]),
            rtol=1e-5,
        )


@pytest.mark.parametrize(
    ("settings", "width"), [({"geometry": True}, 9), ({"regions_context": True}, 8)]
)
def test_what_the_network_adds_to_the_features_is_projected_too(settings, width):
    baseline, correlation = _baseline(width, **settings)
    frames = BATCH["region_features"][:, 0].astype("float32")
    boxes = BATCH["region_boxes"][:, 0]
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    added = {
        "geometry": np.concatenate([boxes, area[:, None]], axis=1),
        "regions_context": BATCH["region_features"][:, 1:].astype("float32").mean(axis=1),
    }
    (name,) = settings
    inputs = np.concatenate([frames, added[name]], axis=1)
    np.testing.assert_allclose(
        baseline.embed_images(BATCH), correlation.project_x(inputs), rtol=1e-3, atol=1e-5
    )
