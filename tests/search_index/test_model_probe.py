import numpy as np
import pytest

from tests.inference.given_model import GivenModel
from tests.inference.small_models import make_model_dir
from tests.search_index.given_embeddings import hashed_source
from vsa_tf.errors import VsaTfError
from vsa_tf.inference.local_model import LocalModel
from vsa_tf.models.alignment.settings import AlignmentSettings
from vsa_tf.models.two_branch.settings import EmbeddingSettings, SimilaritySettings
from vsa_tf.search_index.model_probe import find_score, probe, same_model


def _find(model):
    return find_score(model, probe(model, "images"), probe(model, "sentences"))


@pytest.mark.parametrize(
    ("name", "settings", "score"),
    [
        ("alignment", AlignmentSettings(crop_size=16, joint_size=8), "max_sum"),
        (
            "alignment",
            AlignmentSettings(crop_size=16, joint_size=8, length_normalization=True),
            "max_mean",
        ),
        ("embedding", EmbeddingSettings(text="gru", crop_size=16), "distance"),
        (
            "embedding",
            EmbeddingSettings(text="gru", crop_size=16, task="region_phrase"),
            "distance",
        ),
    ],
)
def test_a_models_own_scores_tell_how_its_vectors_are_compared(tmp_path, name, settings, score):
    model_dir = make_model_dir(tmp_path / "model", name, settings, detector="grid", num_regions=4)
    assert _find(LocalModel(str(model_dir))) == score


def test_a_network_of_pairs_has_no_vectors_to_compare(tmp_path):
    settings = SimilaritySettings(text="gru", crop_size=16)
    model = LocalModel(str(make_model_dir(tmp_path / "model", "similarity", settings)))
    with pytest.raises(VsaTfError, match="by a network of its own"):
        _find(model)


@pytest.mark.parametrize(
    "options",
    [{"score": "regions"}, {"score": "both"}]
    + [{"region_pooling": pooling} for pooling in ("log_sum_exp", "attention")],
)
def test_an_index_of_scores_that_it_cannot_follow_is_refused(tmp_path, options):
    settings = AlignmentSettings(crop_size=16, joint_size=8, **options)
    model_dir = make_model_dir(
        tmp_path / "model", "alignment", settings, detector="grid", num_regions=4
    )
    with pytest.raises(VsaTfError, match="another score, region_pooling or word_pooling"):
        _find(LocalModel(str(model_dir)))


def test_the_same_model_is_known_by_its_vectors():
    summaries = {
        seed: probe(hashed_source(seed).open(), "sentences").summaries()[0] for seed in (0, 1)
    }
    assert same_model(summaries[0].tolist(), summaries[0] * np.float32(1.0001))
    assert not same_model(summaries[0], summaries[1])
    assert not same_model(summaries[0], summaries[0][:-1])


def test_the_picture_is_one_that_every_decoder_reads_alike():
    seen = []

    def embed(image_bytes):
        seen.extend(image_bytes)
        return {"embedding": np.ones((1, 2), np.float32)}

    model = GivenModel({"embed_image": embed})
    probe(model, "images")
    probe(model, "images")
    assert seen[0] == seen[1] and seen[0].startswith(b"\x89PNG")
