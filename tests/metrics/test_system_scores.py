import json
import shutil

import numpy as np
import pytest

import vsa_tf.score_captions
from tests.without_tensorflow import refusal, run_without_tensorflow
from vsa_tf.errors import VsaTfError
from vsa_tf.metrics.caption_scores import BLEU_NAMES, CaptionScorer
from vsa_tf.metrics.system_scores import compare_captions, score_captions

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
        assert {name: scores[name] for name in expected} == pytest.approx(expected)


@pytest.mark.parametrize(
    ("results", "references", "message"),
    [
        (
            RESULTS[:2],
            REFERENCES,
            "references of photographs without a result, 1 of them: 2. allow",
        ),
        (RESULTS, REFERENCES[:1], "results for photographs without references, 2 .*: 1, 2. allow"),
        (
            {1: "a"},
            {"1": ["a"]},
            "results for photographs without references, 1 .*: 1; references are of 1$",
        ),
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
        ([{"image_id": 1}], "COCO's JSON, .* Received: an entry without caption: it has image_id$"),
        ([{"caption": "a"}], "Received: an entry without image_id: it has caption$"),
        ([{"image_id": [1], "caption": "a"}], "Received: unhashable"),
        ([{"image_id": 1, "caption": None}], "Received: .*None"),
        ({"images": []}, "Received: images without annotations"),
        ({"a.jpg": []}, "holds no caption of photograph a.jpg"),
        ([], "Expected captions in results=.* Received: none"),
        ([1], "Received: the entry 1$"),
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
    with pytest.raises(VsaTfError, match=f"^Expected JSON in {path}. Received: a file that"):
        _score(RESULTS, path)


# Of each photograph a caption of four words; the references have four words, too.
TRUTH = {1: ["a b c d"], 2: ["e f g h"], 3: ["i j k l"]}
RIGHT = {1: "a b c d", 2: "e f g h", 3: "i j k l"}
WRONG = {3: "x x x x", 2: "e f g h", 1: "x x x x"}


def _compare(systems, **options):
    return compare_captions(systems, TRUTH, meteor=False, **options)


def test_systems_are_scored_on_the_same_photographs_whatever_their_order():
    systems = _compare({"right": RIGHT, "wrong": WRONG})["systems"]
    # 12 of 12 words, and 4 of 12.
    assert systems["right"]["Bleu_1"] == pytest.approx(1)
    assert systems["wrong"]["Bleu_1"] == pytest.approx(4 / 12)
    for name, captions in (("right", RIGHT), ("wrong", WRONG)):
        alone = _score(captions, TRUTH)
        assert systems[name] == alone
        assert (systems[name]["words"], systems[name]["closest_reference_words"]) == (4, 4)
    assert [systems[name]["distinct"] for name in systems] == [3, 2]
    assert systems["right"]["novel"] is None and "intervals" not in systems["right"]


def test_novelty_is_of_the_words_of_the_training_captions(tmp_path):
    (tmp_path / "training.txt").write_text("A b c d\nz\n")
    for training in (["A b, c d!", "z"], tmp_path / "training.txt", [tmp_path / "training.txt"]):
        scores = _compare({"right": RIGHT}, training_captions=training)["systems"]["right"]
        assert scores["novel"] == pytest.approx(2 / 3)


def test_images_have_their_own_scores_as_the_coco_tool_has_them():
    comparison = _compare({"right": RIGHT, "wrong": WRONG}, per_image=True)
    first = comparison["images"][0]
    assert (first["image_id"], len(comparison["images"])) == (1, 3)
    assert first["systems"]["right"]["Bleu_4"] == pytest.approx(1)
    assert first["systems"]["wrong"] == pytest.approx(
        {"caption": "x x x x"} | dict.fromkeys((*BLEU_NAMES, "ROUGE_L", "CIDEr"), 0), abs=1e-9
    )
    alone = score_captions(RIGHT, TRUTH, meteor=False, per_image=True)
    assert alone["images"][2] == {"image_id": 3, **comparison["images"][2]["systems"]["right"]}


def test_intervals_and_tests_are_those_of_resampled_photographs():
    comparison = _compare({"right": RIGHT, "wrong": WRONG, "same": WRONG}, num_resamples=50, seed=5)
    drawn = np.random.default_rng(5).multinomial(3, np.full(3, 1 / 3), size=50)
    # BLEU-1 of a resample is the share of draws of photograph 2, the only one that is right.
    shares = drawn[:, 1] / 3
    systems = comparison["systems"]
    low, high = np.percentile(shares, [2.5, 97.5])
    assert systems["wrong"]["intervals"]["Bleu_1"] == pytest.approx([low, high])
    assert systems["right"]["intervals"]["Bleu_1"] == pytest.approx([1, 1])
    assert set(systems["right"]["intervals"]) == {*BLEU_NAMES, "ROUGE_L", "CIDEr"}
    assert [each["systems"] for each in comparison["comparisons"]] == [
        ["right", "wrong"],
        ["right", "same"],
        ["wrong", "same"],
    ]
    found = comparison["comparisons"][0]["Bleu_1"]
    assert found["difference"] == pytest.approx(4 / 12 - 1)
    assert found["interval"] == pytest.approx([low - 1, high - 1])
    # Only where photograph 2 alone was drawn are they alike.
    assert found["p"] == pytest.approx(2 * (np.count_nonzero(shares == 1) + 1) / 51)
    alike = comparison["comparisons"][2]
    assert all(alike[name]["p"] == 1 for name in alike if name != "systems")


def test_photographs_without_a_result_are_left_out_where_that_is_allowed():
    fewer = {2: "e f g h", 3: "x x x x"}
    message = "without a result of b, 1 of them: 1. allow_missing leaves them out$"
    with pytest.raises(VsaTfError, match=message):
        _compare({"a": RIGHT, "b": fewer})
    comparison = _compare({"a": RIGHT, "b": fewer}, allow_missing=True, per_image=True)
    assert (comparison["num_images"], comparison["missing"]) == (2, [1])
    # Both systems on the two that both have: 8 of 8 words, and 4.
    assert comparison["systems"]["a"]["Bleu_1"] == pytest.approx(1)
    assert comparison["systems"]["b"]["Bleu_1"] == pytest.approx(1 / 2)
    with pytest.raises(VsaTfError, match="results of b for photographs without references, 4"):
        _compare({"a": RIGHT, "b": dict.fromkeys((5, 6, 8, 9), "a")}, allow_missing=True)
    with pytest.raises(VsaTfError, match="references of photographs without a result of b, 3"):
        _compare({"a": RIGHT, "b": {}}, allow_missing=True)
    with pytest.raises(VsaTfError, match="same photographs. Received: none that all have"):
        _compare({"a": {1: "a"}, "b": {2: "a"}}, allow_missing=True)


def test_results_without_references_are_left_out_where_that_is_allowed():
    more = {9: "e f g h", **WRONG, 8: "a"}
    message = "of b for photographs without references, 2 of them: 9, 8. allow_missing leaves them"
    with pytest.raises(VsaTfError, match=message):
        _compare({"a": RIGHT, "b": more})
    comparison = _compare({"b": more, "a": RIGHT | {8: "b"}}, allow_missing=True)
    assert (comparison["num_images"], comparison["missing"]) == (3, [])
    assert comparison["without_references"] == [9, 8]
    assert comparison["systems"] == _compare({"b": WRONG, "a": RIGHT})["systems"]


def test_the_key_by_which_photographs_are_the_same_is_named(tmp_path, files):
    # As vsa_tf.evaluate writes them, beside what people number or name otherwise.
    entries = [
        {"image_id": row, "file_name": f"{key}.jpg", "caption": text}
        for row, (key, text) in enumerate(zip(IDS, RESULTS))
    ]
    ours = _write(tmp_path / "ours.json", entries)
    token = tmp_path / "token.txt"
    token.write_text("".join(f"{key}.jpg#0\t{own[0]}\n" for key, own in zip(IDS, REFERENCES)))
    coco = json.loads(files[1].read_text())
    coco["images"] = [{"id": key, "file_name": f"{key}.jpg"} for key in IDS]
    for references in (token, _write(tmp_path / "coco.json", coco)):
        message = "3 of them: 0, 1, 2; references are of .*31.*. key=file_name names photographs"
        with pytest.raises(VsaTfError, match=message):
            _score(ours, references)
        assert score_captions(ours, references, meteor=False, key="file_name")["words"] == 3
    # There is no such hint where the files have no other entry.
    with pytest.raises(VsaTfError, match="references are of 31.jpg, 7.jpg, 12.jpg$"):
        _score(files[0], token)


def test_captions_without_a_word_are_listed():
    scores = _compare({"a": RIGHT | {2: " ", 3: "."}})["systems"]["a"]
    assert scores["empty"] == [2, 3]
    assert scores["words"] == pytest.approx(4 / 3)


def test_photographs_whose_references_have_no_word_are_listed(files):
    truth = TRUTH | {2: [" ", "."], 3: ["i j k l", ""]}
    comparison = compare_captions({"a": RIGHT}, truth, meteor=False)
    assert comparison["empty_references"] == [2, 3]
    assert comparison["systems"]["a"]["empty"] == []


def test_what_is_waited_for_is_said_before(monkeypatch):
    lines = []

    def statistics(self, candidates, meteor, spice):
        assert len(lines) == 1
        raise ValueError("as far as it goes")

    monkeypatch.setattr(shutil, "which", lambda name: name)
    monkeypatch.setattr(CaptionScorer, "statistics", statistics)
    with pytest.raises(VsaTfError, match="as far"):
        compare_captions({"a": RIGHT}, TRUTH, say=lines.append)
    assert lines == ["scoring 3 photographs; METEOR, in Java, can take a minute"]


def test_the_program_s_module_is_the_function_too():
    assert vsa_tf.score_captions.main
    assert vsa_tf.score_captions(["a dog"], [["a dog"]], meteor=False)["Bleu_1"] > 0.99


def test_the_program_scores_files_without_tensorflow(tmp_path, files):
    (tmp_path / "theirs.csv").write_text('caption,image_id\n"a cat, two",12\n.,31\n,7\na,8\n')
    (tmp_path / "training.txt").write_text("two men\n")
    # Nearer in length to none of the captions.
    (tmp_path / "more.csv").write_text("image_id,caption\n12,\n5,a dog\n")
    result = run_without_tensorflow(
        "vsa_tf.score_captions",
        f"--results={files[0]}",
        f"--results={tmp_path / 'theirs.csv'}",
        f"--references={files[1]}",
        f"--references={tmp_path / 'more.csv'}",
        f"--training_captions={tmp_path / 'training.txt'}",
        "--num_resamples=9",
        "--nometeor",
        "--allow_missing",
        "--per_image",
        "--output=scores.json",
        directory=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    names, ours, theirs, *_ = result.stdout.splitlines()
    assert names.split()[:4] == ["3", "images", "Bleu_1", "Bleu_2"]
    # As above, and 1 - 1/3 novel. Of theirs 2 of 3 words are right; the closest references of 3, 0
    # and 0 words have 3, 2 and 3: the penalty is exp(1 - 8 / 3).
    assert (ours.split()[0], ours.split()[1], ours.split()[-1]) == ("results", "1.0000", "0.6667")
    assert theirs.split()[:2] == ["theirs", f"{2 / 3 * np.exp(1 - 8 / 3):.4f}"]
    assert result.stderr.splitlines() == [
        "warning: left out 1 photograph of the references, to which a system has no caption: 5",
        "warning: left out 1 photograph of results, which have no references: 8",
        "warning: references without a word, which no caption is like, of 1 photograph: 12",
        "warning: theirs: 2 captions without a word, scored 0: 31, 7",
    ]
    written = json.loads((tmp_path / "scores.json").read_text())
    assert written["systems"]["theirs"]["empty"] == [31, 7]
    assert [image["image_id"] for image in written["images"]] == list(IDS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--per_image"], "--per_image needs --output"),
        (["--output=nowhere/a.json"], "there is no such directory nowhere"),
        (
            ["--results=./a.json"],
            "Expected different files as --results. Received: a.json, ./a.json",
        ),
        (["--results=b.json"], "--results=a.json: No such file"),
        (["--num_resamples=-1"], "num_resamples"),
    ],
)
def test_the_program_refuses_flags_early(tmp_path, arguments, message):
    given = ["--results=a.json", "--references=r.json"]
    result = run_without_tensorflow("vsa_tf.score_captions", *given, *arguments, directory=tmp_path)
    assert message in refusal(result)
