import io
import json

import numpy as np
import pytest

from tests.inference.given_model import write_files
from tests.inference.small_models import make_model_dir, photographs
from tests.search_index.given_embeddings import hashed_source
from vsa_tf.inference.local_model import LiveModel
from vsa_tf.inference.model_source import ModelSource
from vsa_tf.models.captioning.settings import AlignmentSettings
from vsa_tf.program import ProgramError
from vsa_tf.search_index.answer_query import answer_query
from vsa_tf.search_index.build_index import build_index

SENTENCES = ["a red dog plays", "boys play football", "a man rides a bicycle"]


def _lines(index, source, query, is_image, target, top_k=10, **options):
    output = io.StringIO()
    answer_query(index, source, query, is_image, target, top_k, output=output, **options)
    return [json.loads(line) for line in output.getvalue().splitlines()]


@pytest.fixture(scope="module")
def aligned(tmp_path_factory):
    """An index of a small alignment model: photographs and sentences."""
    folder = tmp_path_factory.mktemp("aligned")
    settings = AlignmentSettings(crop_size=16, joint_size=8)
    make_model_dir(folder / "model", "alignment", settings, detector="grid", num_regions=4)
    source = ModelSource(str(folder / "model"))
    paths = write_files(folder, photographs(4))
    build_index(folder / "index", source, paths, SENTENCES)
    return folder / "index", source, paths


def test_texts_find_images_as_the_model_scores_them_and_their_boxes(aligned):
    index, source, paths = aligned
    model = LiveModel(source.model_dir)
    lines = _lines(index, source, "a red dog", False, "images")
    scores = {
        path: model.call("score", image_bytes=[image], sentences=["a red dog"])["score"][0]
        for path, image in zip(paths, photographs(4))
    }
    assert [line["rank"] for line in lines] == [1, 2, 3, 4]
    assert {line["path"]: line["score"] for line in lines} == pytest.approx(scores, abs=1e-4)
    assert np.all(np.diff([line["score"] for line in lines]) <= 0)
    for line in lines:
        image = photographs(4)[paths.index(line["path"])]
        best = model.call("localize", image_bytes=[image], phrases=["a red dog"])
        assert line["box"] == pytest.approx(best["boxes"][0, 0].tolist(), abs=1e-5)


def test_images_find_sentences_as_the_model_scores_them(aligned):
    index, source, paths = aligned
    lines = _lines(index, source, paths[1], True, "sentences")
    expected = LiveModel(source.model_dir).call(
        "score", image_bytes=photographs(4)[1:2] * 3, sentences=SENTENCES
    )["score"]
    assert {line["sentence"]: line["score"] for line in lines} == pytest.approx(
        dict(zip(SENTENCES, expected)), abs=1e-4
    )


def test_images_and_sentences_find_themselves(aligned):
    index, source, paths = aligned
    for path in paths:
        (best,) = _lines(index, source, path, True, "images", top_k=1)
        assert best == {"rank": 1, "path": path, "score": pytest.approx(1, abs=1e-5)}
    for sentence in SENTENCES:
        (best,) = _lines(index, source, sentence, False, "sentences", top_k=1)
        assert best == {"rank": 1, "sentence": sentence, "score": pytest.approx(1, abs=1e-5)}


def test_another_model_is_refused(aligned):
    index, _, _ = aligned
    with pytest.raises(ProgramError, match="Received: stranger, which embeds sentences otherwise"):
        _lines(index, hashed_source(0, "stranger"), "a red dog", False, "images")


def test_approximate_search_is_for_texts_and_single_vectors(aligned, tmp_path):
    index, source, paths = aligned
    with pytest.raises(ProgramError, match="images of .* are searched exactly by images"):
        _lines(index, source, paths[0], True, "images", approximate=True)
    with pytest.raises(ProgramError, match="sentences of .* are searched exactly by sentences"):
        _lines(index, source, "a dog", False, "sentences", approximate=True)
    pytest.importorskip("faiss", reason="faiss is an extra")
    build_index(tmp_path / "index", hashed_source(), sentences=SENTENCES, approximate=True)
    (best,) = _lines(
        tmp_path / "index", hashed_source(), SENTENCES[2], False, "sentences", 1, approximate=True
    )
    # A distance of 0 is the root of 1e-4, see `losses.pairwise_distances`.
    assert best == {"rank": 1, "sentence": SENTENCES[2], "score": pytest.approx(-0.01, abs=1e-3)}
