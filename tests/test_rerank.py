"""Captions ranked anew from files, by hand and by the program."""

import json
import pathlib

import numpy as np
import pytest

from tests.inference.given_model import write_files
from tests.search_index.given_embeddings import hashed_model
from tests.without_tensorflow import refusal, run_without_tensorflow
from vsa_tf.errors import VsaTfError
from vsa_tf.metrics.caption_files import read_neighbors, read_vectors
from vsa_tf.metrics.caption_scores import caption_scores
from vsa_tf.rerank import read_features
from vsa_tf.scoring.caption_reranking import (
    TUNED,
    TrainingCaptions,
    rerank,
    rerank_by_truth,
    similarity_of,
)
from vsa_tf.search_index.embedding_folder import write_embeddings

DOG, CAT, BUS = "a dog runs on the grass", "a cat sits in a tree", "a red bus in the city"
TRAINING = {
    1: [DOG, "the dog runs on grass"],
    2: [CAT, "the cat sits in the tree"],
    "bus.jpg": [BUS, "the red bus stands in the city"],
}
# Photograph 7 is like 1, then 2; photograph 8 like the bus.
FEATURES = {1: [1, 0, 0], 2: [1, 1, 0], "bus.jpg": [0, 0, 3], 7: [3, 1, 0], 8: [0, 0.1, 1]}
HYPOTHESES = {7: [BUS, CAT, DOG], 8: [DOG, BUS]}


def _training(kind="cider", **given):
    return TrainingCaptions(TRAINING, kind, **(given or {"features": FEATURES}))


@pytest.mark.parametrize("kind", ["cider", "bleu", "f1"])
def test_the_caption_most_like_the_neighbours_comes_first(kind):
    found = rerank(HYPOTHESES, _training(kind), num_neighbors=1, num_candidates=1)
    assert found.captions[7][0] == DOG and found.captions[8] == [BUS, DOG]
    assert (found.num_neighbors, found.num_candidates, found.tuned_to) == (1, 1, None)
    # Its nearest has it word for word; the scores are in the new order.
    perfect = {"cider": 10, "bleu": 1, "f1": 1}[kind]
    assert found.scores[7][0] == pytest.approx(perfect)
    assert found.scores[7] == sorted(found.scores[7], reverse=True)


def test_k_and_m_are_those_that_there_were():
    found = rerank(HYPOTHESES, _training(), num_neighbors=1000, num_candidates=500)
    assert (found.num_neighbors, found.num_candidates) == (3, 6)
    # The most of any photograph.
    neighbors = {7: [2], 8: [1, "bus.jpg"]}
    found = rerank(HYPOTHESES, _training(neighbors=neighbors))
    assert (found.num_neighbors, found.num_candidates) == (2, 4)
    tuned = rerank(HYPOTHESES, _training(), TUNED, TUNED, ({1: [DOG]}, {1: [DOG]}))
    assert (tuned.num_neighbors, tuned.num_candidates) == (3, 1)


def test_neighbours_of_a_file_are_taken_as_they_are():
    neighbors = {7: [2, 1], 8: [1, "bus.jpg"]}
    found = rerank(HYPOTHESES, _training(neighbors=neighbors), 1, 1)
    assert found.captions[7][0] == CAT and found.captions[8][0] == DOG
    both = rerank(HYPOTHESES, _training(neighbors=neighbors), num_candidates=1)
    # Both of its neighbours' captions are known word for word, and DOG stands before.
    assert both.captions[8][0] == DOG and both.num_neighbors == 2


def test_what_is_left_out_is_counted_in_words():
    lines = []
    features = {image: own for image, own in FEATURES.items() if image != 2}
    TrainingCaptions(TRAINING, "cider", features=features, say=lines.append)
    assert lines == ["left out 1 training photograph without features: 2"]


def test_the_distance_chooses_the_neighbours():
    # By angle 1 is the nearest to 7, by distance 2.
    features = FEATURES | {1: [30, 10, 0], 2: [2, 1, 0]}
    for distance, first in (("cosine", DOG), ("euclidean", CAT)):
        training = _training(features=features, distance=distance)
        assert rerank({7: [BUS, CAT, DOG]}, training, 1, 1).captions[7][0] == first


def test_the_oracle_looks_at_the_truth_and_nothing_else():
    references = {8: [DOG, CAT], 7: [BUS], 9: ["x"]}
    similarity = similarity_of(TRAINING, "bleu")
    found = rerank_by_truth(HYPOTHESES, references, similarity)
    assert found.captions[7][0] == BUS and found.captions[8] == [DOG, BUS]
    assert found.scores[7][0] == pytest.approx(1)
    assert found.scores[8][0] == pytest.approx(
        similarity.between([DOG.split()], [DOG.split(), CAT.split()]).mean()
    )


@pytest.mark.parametrize("kind", ["cider", "bleu"])
def test_k_and_m_are_tuned_to_the_best_first_captions_of_other_photographs(kind):
    random = np.random.default_rng(0)
    words = "a the dog cat bus runs sits red on in grass".split()

    def captions(count):
        return [" ".join(random.choice(words, random.integers(4, 9))) for _ in range(count)]

    training = {f"t{row}": captions(3) for row in range(30)}
    tuning = {row: captions(random.integers(1, 5)) for row in range(12)}
    references = {row: captions(2) for row in reversed(range(14))}
    names = [*training, *tuning, "other"]
    other = {"other": captions(2)}
    features = dict(zip(names, random.normal(size=(len(names), 4))))
    given = TrainingCaptions(training, kind, features=features)
    score = {"cider": "CIDEr", "bleu": "Bleu_4"}[kind]

    def reached(k, m):
        first = [own[0] for own in rerank(tuning, given, k, m).captions.values()]
        return caption_scores(first, [references[image] for image in tuning], meteor=False)[0][
            score
        ]

    found = rerank(other, given, TUNED, 5, (tuning, references))
    assert found.tuned_to == pytest.approx(reached(found.num_neighbors, 5))
    assert found.tuned_to == pytest.approx(max(reached(k, 5) for k in (5, 10, 20, 40)))
    assert found.num_candidates == 5
    found = rerank(other, given, 2, TUNED, (tuning, references))
    assert found.num_neighbors == 2
    assert found.tuned_to == pytest.approx(max(reached(2, m) for m in (1, 5, 10)))


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: rerank({7: []}, _training()), "none of 1 photograph: 7"),
        (
            lambda: rerank({9: [DOG]}, _training()),
            "features of all .* none of 1: 9. .* features repeated",
        ),
        (lambda: rerank(HYPOTHESES, _training(), TUNED), "needs tuning_hypotheses and tuning_ref"),
        (lambda: rerank(HYPOTHESES, _training(), 0), "num_neighbors of 1 or .* Received: 0"),
        (lambda: rerank(HYPOTHESES, _training(), 1, "5"), "num_candidates of 1 or .* Received: 5"),
        (lambda: rerank({7: [DOG]}, _training(neighbors={7: [5]})), "neighbours of 7 .*: 5"),
        (lambda: rerank({7: [DOG]}, _training(neighbors={7: []})), "neighbours of 7 .*: none"),
        (lambda: rerank({7: [DOG]}, _training(neighbors={8: [1]})), "neighbors of all .*: 7"),
        (lambda: _training(features={7: [1]}), "training .*: of 7, and captions of 1, 2, bus"),
        (lambda: _training(features={}, neighbors={}), "one of features and neighbors"),
        (
            lambda: rerank({7: [DOG]}, _training(features=FEATURES | {7: [1]})),
            r"features of one width|one width",
        ),
        (lambda: rerank_by_truth({7: [DOG]}, {8: [DOG]}, None), "references of all .*: 7"),
        (
            lambda: rerank({7: [DOG]}, _training(), TUNED, 1, ({8: [DOG]}, {7: [DOG]})),
            "tuning_references of all .*: 8",
        ),
        (
            lambda: rerank({7: [DOG]}, _training(), TUNED, 1, (HYPOTHESES, HYPOTHESES)),
            "tuning_hypotheses of other photographs than hypotheses. Received: 1 of both: 7",
        ),
    ],
)
def test_what_does_not_fit_is_one_line(ask, message):
    with pytest.raises(VsaTfError, match=message) as refused:
        ask()
    assert "\n" not in str(refused.value)


def test_features_of_either_kind_of_file_are_those_of_their_photographs(tmp_path):
    np.save(tmp_path / "a.npy", {5: np.arange(3.0), 6: np.ones(3, "f4")})
    np.savez(tmp_path / "a.npz", ids=["5", "b.jpg"], features=np.eye(2, dtype="f2"))
    found = read_vectors(str(tmp_path / "a.npy"))
    assert {image: vector.tolist() for image, vector in found.items()} == {
        5: [0, 1, 2],
        6: [1, 1, 1],
    }
    found = read_vectors(str(tmp_path / "a.npz"))
    assert {image: vector.tolist() for image, vector in found.items()} == {
        5: [1, 0],
        "b.jpg": [0, 1],
    }
    np.savez(tmp_path / "b.npz", ids=["5"], features=np.eye(2))
    with pytest.raises(VsaTfError, match="features=.*b.npz .* Received: 1 ids and 2 features$"):
        read_vectors(str(tmp_path / "b.npz"))
    for name in ("a.txt", "nowhere.npz"):
        (tmp_path / "a.txt").write_text("a")
        with pytest.raises(VsaTfError, match=f"features=.*{name}|Received"):
            read_vectors(str(tmp_path / name))


def test_a_vector_that_is_not_finite_is_named_with_its_photograph_and_file(tmp_path):
    features = np.eye(3)
    features[1, 2], features[2, 0] = np.nan, np.inf
    np.savez(tmp_path / "a.npz", ids=["5", "b.jpg", "7"], features=features)
    with pytest.raises(
        VsaTfError, match=r"features=.*a.npz\. .* infinity in 2 photographs: b.jpg, 7"
    ):
        read_features(str(tmp_path / "a.npz"))
    with pytest.raises(VsaTfError, match="finite vectors in features. .* in 1 photograph: 7"):
        _training(features=FEATURES | {7: [0, np.nan, 1]})


def test_a_photograph_has_one_vector(tmp_path):
    np.savez(tmp_path / "a.npz", ids=["5", "6", "5"], features=np.eye(3))
    np.save(tmp_path / "a.npy", {5: np.ones(3), "5": np.ones(3)})
    for name in ("a.npz", "a.npy"):
        with pytest.raises(VsaTfError, match=f"features=.*{name}.* Received: photograph 5 twice"):
            read_vectors(str(tmp_path / name))


@pytest.mark.parametrize("nearest", ["12", 12, {"1": 2}, [[1]], None])
def test_neighbours_are_lists_of_photographs(tmp_path, nearest):
    path = tmp_path / "neighbors.json"
    path.write_text(json.dumps({"7": [2, "1", "bus.jpg"], "a.jpg": []}))
    assert read_neighbors(path) == {7: [2, 1, "bus.jpg"], "a.jpg": []}
    path.write_text(json.dumps({"7": nearest}))
    with pytest.raises(VsaTfError, match=r"neighbors=.* Received: ['\[{1N]"):
        read_neighbors(path)


def test_a_folder_of_embeddings_has_the_features_of_its_photographs(tmp_path):
    (tmp_path / "more").mkdir()
    paths = write_files(tmp_path, [b"a", b"b"])
    model = hashed_model()
    write_embeddings(tmp_path / "vectors", model, paths, table="csv")
    found = read_features(str(tmp_path / "vectors"))
    assert list(found) == [pathlib.Path(path).name for path in paths]
    for vector, expected in zip(found.values(), model.embed_images(paths), strict=True):
        np.testing.assert_array_equal(vector, expected)
    twice = [*paths, *write_files(tmp_path / "more", [b"a"])]
    write_embeddings(tmp_path / "twice", model, twice, table="csv")
    with pytest.raises(VsaTfError, match="different names in features=.*: photograph .* twice"):
        read_features(str(tmp_path / "twice"))
    # Those of several are of all.
    write_embeddings(tmp_path / "first", model, paths[:1], table="csv")
    write_embeddings(tmp_path / "second", model, paths[1:], table="csv")
    both = read_features([str(tmp_path / name) for name in ("first", "second")])
    assert both.keys() == found.keys()
    np.testing.assert_array_equal(np.stack([*both.values()]), np.stack([*found.values()]))
    with pytest.raises(VsaTfError, match="features=.*first of other .* 1 photograph again: "):
        read_features([str(tmp_path / name) for name in ("vectors", "first")])
    write_embeddings(tmp_path / "other", hashed_model(1), paths[1:], table="csv")
    with pytest.raises(VsaTfError, match="features of one model. Received: another's in .*other"):
        read_features([str(tmp_path / name) for name in ("first", "other")])
    write_embeddings(tmp_path / "texts", model, sentences=["a dog"], table="csv")
    with pytest.raises(VsaTfError, match="Expected photographs in features=.*: sentences"):
        read_features(str(tmp_path / "texts"))


def _write_files(folder):
    """Writes the files of mRNN-CR's kind, and JSON of the training captions."""
    entries = [
        {"id": image, "gen_beam_search_10": [text.split() for text in own], "sentences": [["x"]]}
        for image, own in HYPOTHESES.items()
    ]
    np.save(folder / "hypotheses.npy", np.array(entries, dtype=object))
    np.save(folder / "features.npy", FEATURES)
    (folder / "training.json").write_text(json.dumps(TRAINING))


def test_the_program_ranks_mrnn_cr_s_files_without_tensorflow(tmp_path):
    _write_files(tmp_path)
    arguments = ["--hypotheses=hypotheses.npy", "--output=ranked.json"]
    consensus = ["--training_captions=training.json", "--features=features.npy"]
    result = run_without_tensorflow(
        "vsa_tf.rerank",
        *arguments,
        *consensus,
        "--num_neighbors=1",
        "--num_candidates=1",
        directory=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == ("2 photographs, another first caption of 2; k = 1, m = 1\n")
    ranked = json.loads((tmp_path / "ranked.json").read_text())
    assert [(entry["image_id"], entry["caption"]) for entry in ranked] == [(7, DOG), (8, BUS)]
    assert ranked[1]["captions"] == [BUS, DOG] and len(ranked[1]["scores"]) == 2
    # An oracle of what was ranked, without training captions.
    (tmp_path / "truth.csv").write_text(f"image,caption\n7,{CAT}\n8,{DOG}\n")
    result = run_without_tensorflow(
        "vsa_tf.rerank",
        "--hypotheses=ranked.json",
        "--output=oracle.json",
        "--references=truth.csv",
        "--caption_method=oracle_bleu",
        directory=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    ranked = json.loads((tmp_path / "oracle.json").read_text())
    assert [entry["caption"] for entry in ranked] == [CAT, DOG]
    assert sorted(ranked[0]["captions"]) == sorted(HYPOTHESES[7])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--training_captions is missing"),
        (["--caption_method=oracle_f1"], "--references is missing"),
        (["--num_neighbors=tuned"], "--tuning_hypotheses is missing.*; --tuning_references is"),
        (
            ["--caption_method=oracle_f1", "--references=r.json", "--features=f.npz"]
            + ["--num_neighbors=tuned", "--tuning_references=r.json"],
            "=oracle_f1 reads no --features, --num_neighbors, --tuning_references; leave out",
        ),
        (["--references=r.json"], "=consensus_cider reads no --references; leave out"),
        (["--tuning_hypotheses=t.json"], "What is not tuned reads no --tuning_hypotheses"),
        (
            ["--neighbors=n.json", "--neighbor_distance=cosine"],
            "--neighbors reads no --neighbor_distance",
        ),
        (["--num_candidates=0"], "--num_candidates of 1 or more, or tuned. Received: 0"),
        (["--num_neighbors=all"], "--num_neighbors of 1 or more, or tuned. Received: all"),
        (["--training_captions=t.json", "--output=nowhere/a.json"], "no such directory nowhere"),
        (["--training_captions=t.json"], "--hypotheses=h.json: No such file"),
    ],
)
def test_the_program_refuses_flags_early(tmp_path, arguments, message):
    given = ["--hypotheses=h.json", "--output=o.json", *arguments]
    line = refusal(run_without_tensorflow("vsa_tf.rerank", *given, directory=tmp_path))
    assert message.split(".*")[0] in line and message.split(".*")[-1] in line
