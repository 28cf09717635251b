import json

import pytest

from vsa_tf.errors import VsaTfError
from vsa_tf.metrics.caption_scores import CaptionScorer
from vsa_tf.metrics.score_captions import score_captions

IDS = (31, 7, 12)
RESULTS = ["A dog runs on grass", "two men", "a cat"]
REFERENCES = [["A dog runs on grass.", "Dogs run"], ["Two men sit."], ["A cat sleeps", "cats"]]


def _score(results, references):
    return score_captions(results, references, meteor=False)


def _write(path, content):
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.fixture
def files(tmp_path):
    """COCO's files of results and references; the references come in another order."""
    results = [{"image_id": key, "caption": text} for key, text in zip(IDS, RESULTS)]
    annotations = [
        {"image_id": key, "caption": text, "id": number}
        for key, texts in reversed(list(zip(IDS, REFERENCES)))
        for number, text in enumerate(texts)
    ]
    content = {"annotations": annotations, "images": [{"id": key} for key in IDS]}
    return _write(tmp_path / "results.json", results), _write(tmp_path / "captions.json", content)


def test_lists_dicts_and_files_have_the_scores_of_the_scorer(files):
    expected, skipped = CaptionScorer(REFERENCES).score(RESULTS, meteor=False)
    # By hand: all 5 + 2 + 2 words are in the references, whose nearest lengths are 5 + 3 + 1.
    assert expected["Bleu_1"] == pytest.approx(1)
    turned = dict(zip(reversed(IDS), reversed(REFERENCES)))
    for results, references in (
        (RESULTS, REFERENCES),
        (dict(zip(IDS, RESULTS)), turned),
        files,
        (str(files[0]), turned),
        (dict(zip(IDS, RESULTS)), str(files[1])),
    ):
        scores = _score(results, references)
        assert scores.pop("skipped") == skipped == {"METEOR": "not asked for"}
        assert scores == pytest.approx(expected)


@pytest.mark.parametrize(
    ("results", "references", "message"),
    [
        (RESULTS[:2], REFERENCES, "references of photographs without a result, 1 of them: 2$"),
        (RESULTS, REFERENCES[:1], "results for photographs without references, 2 .*: 1, 2$"),
        ({1: "a"}, {"1": ["a"]}, "results for photographs without references, 1 of them: 1$"),
        ([], [], "references for one image or more. Received: none"),
        (["a"], [[]], "one or more references for each image. Received: references"),
        (["a"], ["a dog"], "one or more references for each image. Received: references"),
        ([None], [["a dog"]], "Received: .*None"),
        (["a"], [[None]], "Received: .*None"),
        ([3], [["a dog"]], "Received: .*3"),
    ],
)
def test_what_does_not_fit_is_one_line(results, references, message):
    with pytest.raises(VsaTfError, match=message) as refused:
        _score(results, references)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([{"image_id": 1, "caption": "a"}] * 2, "holds two captions of photograph 1$"),
        ([{"image_id": 1}], "to hold COCO's JSON, .* Received: no entry 'caption'"),
        ([{"caption": "a"}], "Received: no entry 'image_id'"),
        ([{"image_id": [1], "caption": "a"}], "Received: unhashable"),
        ([{"image_id": 1, "caption": None}], "Received: .*None"),
        ({"captions": []}, "Received: no entry 'annotations'"),
        ([1], "Received: .*not subscriptable"),
        (3, "Received: .*not iterable"),
    ],
)
def test_files_that_are_not_coco_s_are_one_line(tmp_path, content, message):
    results = _write(tmp_path / "results.json", content)
    with pytest.raises(VsaTfError, match=message) as refused:
        _score(results, {1: ["a dog"]})
    assert "\n" not in str(refused.value)
    with pytest.raises(VsaTfError):
        _score({1: "a dog"}, _write(tmp_path / "references.json", [{"image_id": 1}]))


def test_files_that_cannot_be_read_are_named_as_arguments_and_as_flags(tmp_path):
    path = tmp_path / "missing.json"
    with pytest.raises(VsaTfError, match=f"^results={path}: No such file") as refused:
        _score(path, REFERENCES)
    assert refused.value.of_flags.startswith(f"--results={path}")
    path.write_text("no JSON")
    with pytest.raises(VsaTfError, match=f"^Expected references={path} to hold COCO's JSON"):
        _score(RESULTS, path)
