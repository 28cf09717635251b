"""What models that score images and sentences answer, against plain loops.

Batches are given: how photographs and sentences become batches is another question.
"""

import functools
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.box_agreements import box_agreements
from tests.inference.answer_batches import (
    BALL,
    DOG,
    PLURAL,
    RED,
    RUN,
    TOKENS,
    GivenScores,
    given_scores,
    joined,
    questions,
    rows_alone,
    vectors_alone,
    with_short_rows,
)
from tests.models.alignment.fragment_batches import NUM_RELATIONS, relation_batch, word_batch
from tests.models.two_branch.two_branch_batches import region_phrase_batch
from tests.vsa_tf_test_case import randomize
from vsa_tf.boxes import WITH_BOXES, WITHOUT_BOXES
from vsa_tf.inference.answers import region_answers
from vsa_tf.inference.exported_model import as_arrays
from vsa_tf.models.alignment.alignment_model import AlignmentModel
from vsa_tf.models.alignment.defrag_model import DeFragModel
from vsa_tf.models.two_branch.embedding_network import EmbeddingNetwork
from vsa_tf.models.two_branch.similarity_network import SimilarityNetwork

ALIGNMENT_NAMES = {
    "score",
    "tokens",
    "num_words",
    "word_regions",
    "word_scores",
    "boxes",
    "snippets",
    "snippet_boxes",
    "snippet_scores",
    "num_snippets",
}


def _check(found, name, rows, padding=0):
    """Asserts that an answer holds a list for each row and padding after it."""
    assert len(found[name]) == len(rows)
    assert found[name].dtype in (np.float32, np.int32, object)
    for received, row in zip(found[name], rows):
        if received.dtype == object:
            assert received[: len(row)].tolist() == row
        elif len(row):
            np.testing.assert_allclose(
                received[: len(row)], row, rtol=1e-4, atol=1e-5, err_msg=name
            )
        np.testing.assert_array_equal(received[len(row) :], padding, err_msg=name)


def _twice(make):
    """Returns a batch of two draws, each with its short rows."""
    one, other = (with_short_rows(make(seed)) for seed in range(2))
    return {name: np.concatenate([one[name], other[name]]) for name in one}


def _check_lengths(found, name, rows):
    assert found[name].dtype == np.int32
    assert found[name].tolist() == [len(row) for row in rows]


def _assignment(scores, smoothness):
    """The first best of all assignments of words to regions, in lexicographic order.

    It maximises `sum_j scores[j][a_j] + bonus * sum_j [a_j = a_{j+1}]` (`segment_alignment`); the
    bonus is smoothness times the mean over the words of |best score|.
    """
    bonus = smoothness * sum(abs(max(word)) for word in scores) / len(scores)

    def energy(assignment):
        total = sum(word[region] for word, region in zip(scores, assignment))
        return total + bonus * sum(a == b for a, b in zip(assignment, assignment[1:]))

    # max takes the first of equals.
    return max(itertools.product(range(len(scores[0])), repeat=len(scores)), key=energy)


def _check_alignment(found, images, sentences, scores, smoothness, by_length=False):
    """Asserts the answer of align, given for each row its scores `[words][regions]`."""
    boxes, tokens = images["region_boxes"], sentences["tokens"]
    assigned, word_scores, snippets = [], [], []
    for row, words in enumerate(scores):
        assigned.append(_assignment(words, smoothness))
        word_scores.append([word[region] for word, region in zip(words, assigned[row])])
        snippets.append([])
        for t, region in enumerate(assigned[row]):
            if t == 0 or region != assigned[row][t - 1]:
                snippets[row].append({"tokens": [], "box": boxes[row, region], "score": 0})
            snippets[row][-1]["tokens"].append(tokens[row, t])
            snippets[row][-1]["score"] += word_scores[row][t]
        best = sum(max(word) for word in words) / (len(words) if by_length else 1)
        np.testing.assert_allclose(found["score"][row], best, rtol=1e-4, atol=1e-5)
    _check(found, "word_regions", assigned, padding=-1)
    _check(found, "word_scores", word_scores)
    _check(found, "snippets", [[joined(each["tokens"]) for each in row] for row in snippets], "")
    _check(found, "snippet_boxes", [[each["box"] for each in row] for row in snippets])
    _check(found, "snippet_scores", [[each["score"] for each in row] for row in snippets])
    _check_lengths(found, "num_snippets", snippets)
    assert found["snippets"].shape[1] == max(len(row) for row in snippets)
    for name, same in (("boxes", boxes), ("tokens", tokens), ("num_words", sentences["num_words"])):
        np.testing.assert_array_equal(found[name], same)
    assert found.keys() == ALIGNMENT_NAMES


def _check_ranking(found, images, scores, power):
    """Asserts the answer of localize, given for each row the scores of its real regions."""
    boxes, orders = images["region_boxes"], []
    for row, own in enumerate(scores):
        agreement = box_agreements(list(map(float, own)), boxes[row, : len(own)].tolist(), power)
        # sorted keeps equals as they are: the earlier region is first.
        orders.append(sorted(range(len(own)), key=lambda region, of=agreement: -of[region]))
    _check(found, "boxes", [[boxes[row, i] for i in order] for row, order in enumerate(orders)])
    _check(found, "scores", [[scores[row][i] for i in order] for row, order in enumerate(orders)])
    _check_lengths(found, "num_boxes", scores)
    assert found.keys() == {"boxes", "scores", "num_boxes"}


def _check_regions(found, images, vectors):
    """Asserts the answer of embed_image, given the vectors of each row's real regions."""
    _check(found, "regions", vectors)
    _check_lengths(found, "num_regions", vectors)
    np.testing.assert_array_equal(found["boxes"], images["region_boxes"])
    assert found.keys() == {"regions", "boxes", "num_regions"}


def _model(model_class, batch, **settings):
    keras.utils.set_random_seed(0)
    model = model_class(**settings)
    model(batch)
    randomize(model)
    return model


# The score of "red" with the frame, the left and the right region, and so on.
EXAMPLE = given_scores(
    [[RED, DOG, PLURAL, RUN], [BALL]], [[[1, 4, 1], [0, 2, 3], [4, 1, 3], [0, 0, 5]], [[-2]]]
)


def test_an_alignment_by_hand(answer):
    # The best scores are 4, 3, 4 and 5: together 16, in the mean 4, so neighbours with one region
    # gain 0.5 * 4 = 2. Each word at its best gains nothing: 16. All at the right region: 1 + 3 + 3
    # + 5 + 3 * 2 = 18. "red" at the left and the others at the right: 4 + 3 + 3 + 5 + 2 * 2 = 19.
    images, sentences = questions(EXAMPLE)
    found = answer("alignment", GivenScores(), "align", images, sentences, smoothness=0.5)
    assert found["score"].tolist() == [16, -2]
    assert found["word_regions"].tolist() == [[1, 2, 2, 2], [0, -1, -1, -1]]
    assert found["word_scores"].tolist() == [[4, 3, 3, 5], [-2, 0, 0, 0]]
    assert found["snippets"].tolist() == [["red", "dogs run"], ["ball", ""]]
    assert found["snippet_scores"].tolist() == [[4, 11], [-2, 0]]
    assert found["num_snippets"].tolist() == [2, 1]
    boxes = images["region_boxes"]
    np.testing.assert_array_equal(
        found["snippet_boxes"], [boxes[0, [1, 2]], [boxes[1, 0], [0] * 4]]
    )


def test_regions_of_a_phrase_by_hand(answer):
    # The frame 1 + 0 + 4 + 0, the left region 4 + 2 + 1 + 0, the right one 1 + 3 + 3 + 5. Nearest
    # to the right one is the frame, which it is a half of.
    images, sentences = questions(EXAMPLE)
    images["region_boxes"][0] = [[0, 0, 1, 1], [0, 0, 1, 0.5], [0, 0.5, 1, 1], [0, 0, 0, 0]]
    found = answer("alignment", GivenScores(), "localize", images, sentences)
    assert found["scores"].tolist() == [[12, 5, 7, 0], [-2, 0, 0, 0]]
    assert found["num_boxes"].tolist() == [3, 1]
    np.testing.assert_array_equal(found["boxes"][0], images["region_boxes"][0, [2, 0, 1, 3]])


def _scores_with_ties():
    """Returns token ids and scores of 40 rows: small integers, 4 the mean of |best score|."""
    rng = np.random.default_rng(0)
    ids, scores = [], []
    for _ in range(40):
        num_words, num_regions = rng.integers(1, 5, 2)
        # As many are above the mean as below.
        best = 4 + rng.integers(4) * np.array([1, -1, 1, -1])[:num_words]
        best[num_words // 2 * 2 :] = 4
        best *= rng.choice([-1, 1], num_words)
        below = rng.integers(0, 5, (num_words, num_regions))
        below[np.arange(num_words), rng.integers(num_regions, size=num_words)] = 0
        ids.append(rng.permutation(np.arange(1, len(TOKENS)))[:num_words])
        scores.append((best[:, None] - below).tolist())
    return ids, scores


@pytest.mark.parametrize("smoothness", [0, 0.25, 1])
def test_of_equal_alignments_the_first_is_taken(answer, smoothness):
    # The bonus is 0, 1 or 4: sums are exact, and ties frequent.
    ids, scores = _scores_with_ties()
    images, sentences = questions(given_scores(ids, scores))
    found = answer("alignment", GivenScores(), "align", images, sentences, smoothness=smoothness)
    _check_alignment(found, images, sentences, scores, smoothness)


def test_of_equal_regions_the_earlier_is_first(answer):
    ids, scores = _scores_with_ties()
    images, sentences = questions(given_scores(ids, scores))
    # Apart: where they overlap, equal scores are seldom of equal agreement.
    place = np.arange(images["region_boxes"].shape[1])
    images["region_boxes"] = (
        np.float32(
            [np.stack([place, place, place + 1, place + 1], axis=1) / len(place)] * len(scores)
        )
        * images["region_mask"][..., None]
    )
    found = answer("alignment", GivenScores(), "localize", images, sentences)
    _check_ranking(found, images, [np.sum(words, axis=0) for words in scores], WITHOUT_BOXES)


FRAGMENTS = {
    "words": ("alignment", AlignmentModel, {}),
    "words by length": (
        "alignment",
        AlignmentModel,
        {"similarity": "sentence_cosine", "length_normalization": True},
    ),
    "words by attention": (
        "alignment",
        AlignmentModel,
        {"similarity": "cosine", "region_pooling": "attention", "score": "both"},
    ),
    "relations": (
        "fragments",
        AlignmentModel,
        {"similarity": "cosine", "num_relations": NUM_RELATIONS, "length_normalization": True},
    ),
    "defrag": ("fragments", DeFragModel, {"num_relations": NUM_RELATIONS, "smoothing": 3.0}),
}


@functools.cache
def _fragment_questions(case):
    """Returns kind, model, images and sentences, and each row's vectors of both; to be left so."""
    kind, model_class, settings = FRAGMENTS[case]
    make = relation_batch if kind == "fragments" else word_batch
    batch = _twice(make)
    own = {"vocabulary_size": len(TOKENS), "joint_size": 4, "word_embedding_size": 5}
    own |= {"frame_context": True, "region_geometry": True}
    model = _model(model_class, batch, **own, **settings)
    images, sentences = questions(batch)
    regions = vectors_alone(model.embed_images, images)
    return kind, model, images, sentences, regions, vectors_alone(model.embed_sentences, sentences)


@pytest.mark.parametrize("case", FRAGMENTS)
def test_fragment_scores_are_of_each_row_alone(answer, case):
    kind, model, images, sentences, regions, fragments = _fragment_questions(case)
    found = answer(kind, model, "score", images, sentences)
    expected = []
    for v, s in zip(regions, fragments):
        if case == "defrag":
            total = sum(max(0, region @ fragment) for region in v for fragment in s)
            expected.append(total / (len(v) * (len(s) + 3)))
        elif case == "words by attention":
            # The graph's rows against the model's, of nothing but this row's parts.
            masks = np.ones((1, len(v)), bool), np.ones((1, len(s)), bool)
            given = np.float32(v)[None], masks[0], np.reshape(np.float32(s), (1, -1, 4)), masks[1]
            expected.append(float(model.score(*given)[0, 0]))
        else:
            total = sum(max(region @ fragment for region in v) for fragment in s)
            expected.append(total / max(len(s), 1) if model.length_normalization else total)
    assert found.keys() == {"score"}
    np.testing.assert_allclose(found["score"], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("case", FRAGMENTS)
def test_vectors_are_those_of_each_row_alone(answer, case):
    kind, model, images, sentences, regions, fragments = _fragment_questions(case)
    found = answer(kind, model, "embed_image", images)
    _check_regions(found, images, regions)
    found = answer(kind, model, "embed_sentence", sentences)
    if kind == "alignment":
        np.testing.assert_array_equal(found.pop("tokens"), sentences["tokens"])
    name = "words" if kind == "alignment" else "fragments"
    _check(found, name, fragments)
    _check_lengths(found, f"num_{name}", fragments)
    assert found.keys() == {name, f"num_{name}"}


@pytest.mark.parametrize("case", ["words", "words by length"])
def test_alignments_are_the_best_of_all(answer, case):
    kind, model, images, sentences, regions, words = _fragment_questions(case)
    scores = [
        [[float(region @ word) for region in v] for word in s] for v, s in zip(regions, words)
    ]
    found = answer(kind, model, "align", images, sentences, smoothness=0.3)
    _check_alignment(found, images, sentences, scores, 0.3, model.length_normalization)
    found = answer(kind, model, "localize", images, sentences)
    _check_ranking(found, images, [np.sum(words, axis=0) for words in scores], WITHOUT_BOXES)


SMALL = {"joint_size": 4, "hidden_size": 6, "text_hidden_size": 6}
RECURRENCE = {
    "text": "lstm",
    "vocabulary_size": len(TOKENS),
    "word_embedding_size": 3,
    "recurrent_size": 4,
}
LEARNED = {
    **RECURRENCE,
    "text": "gru",
    "bidirectional": True,
    "word_pooling": "learned",
    "word_dropping": 0.5,
    "regions_pooling": "learned",
    "regions_size": 3,
    "region_dropping": 0.5,
    "feature_normalization": "power",
}
TWO_BRANCH = {
    "embedding": (EmbeddingNetwork, {"region_geometry": True}),
    "similarity": (SimilarityNetwork, RECURRENCE),
    "learned pooling": (EmbeddingNetwork, LEARNED),
}


@functools.cache
def _two_branch(case, **settings):
    """Returns model, images and sentences, and each row's vectors of both; to be left so."""
    batch = with_short_rows(region_phrase_batch())
    if case != "learned pooling":
        batch = _twice(region_phrase_batch)
    model_class, own = TWO_BRANCH[case]
    model = _model(model_class, batch, **SMALL, **own, **settings)
    images, sentences = questions(batch)
    texts = [np.array(model.embed_sentences(row)) for row, _ in rows_alone(sentences)]
    of_regions = settings.get("task") == "region_phrase"
    embed = model.embed_regions if of_regions else model.embed_images
    embedded = [np.array(embed(row)) for row, _ in rows_alone(images)]
    return model, images, sentences, embedded, texts


@pytest.mark.parametrize("case", TWO_BRANCH)
def test_images_and_sentences_are_scored_row_by_row(answer, case):
    model, images, sentences, frames, texts = _two_branch(case, regions_context=True)
    scores = [np.array(model.score(frame, text))[0, 0] for frame, text in zip(frames, texts)]
    for name, batches, expected in (
        ("embed_image", [images], {"embedding": np.concatenate(frames)}),
        ("embed_sentence", [sentences], {"embedding": np.concatenate(texts)}),
        ("score", [images, sentences], {"score": scores}),
    ):
        found = answer("two_branch", model, name, *batches)
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            np.testing.assert_allclose(found[key], value, rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("case", ["embedding", "similarity"])
def test_regions_are_ranked_for_the_phrase_of_their_row(answer, case):
    model, images, sentences, regions, texts = _two_branch(case, task="region_phrase")
    regions = [row[0] for row in regions]
    scores = [
        [np.array(model.score(region[None], text))[0, 0] for region in row]
        for row, text in zip(regions, texts)
    ]
    found = answer("two_branch", model, "localize", images, sentences)
    _check_ranking(found, images, scores, WITH_BOXES)
    found = answer("two_branch", model, "embed_image", images)
    _check_regions(found, images, regions)


def test_distances_by_hand(answer):
    # Branches that change nothing: the distance of a right angle is sqrt(2 + 1e-4), of opposites
    # sqrt(4 + 1e-4), of equals .01. Regions 1 and 3 are equal; region 4 is padding, and the best.
    up, right, left = [0, 1], [1, 0], [-1, 0]
    images = {
        "region_features": np.float32([[left, right, up, right, up]] * 2),
        "region_boxes": np.arange(1, 41, dtype="float32").reshape(2, 5, 4) / 40,
        "region_mask": np.bool([[1, 1, 1, 1, 0], [1, 1, 1, 0, 0]]),
    }
    images["region_boxes"] *= images["region_mask"][..., None]
    sentences = {"sentence_features": np.float32([up, left])}
    model = EmbeddingNetwork(task="region_phrase", joint_size=2, linear_branches=True)
    model.embed_regions(images), model.embed_sentences(sentences)
    for branch in (model.image_branch, model.text_branch):
        branch.output_projection.kernel.assign(np.eye(2))
    found = answer("two_branch", model, "localize", images, sentences)
    near, far, opposite = -0.01, -(2.0001**0.5), -(4.0001**0.5)
    np.testing.assert_allclose(
        found["scores"], [[near, far, far, far, 0], [near, far, opposite, 0, 0]], rtol=1e-4
    )
    for row, order in enumerate([[2, 0, 1, 3, 4], [0, 2, 1, 3, 4]]):
        np.testing.assert_array_equal(found["boxes"][row], images["region_boxes"][row, order])


@pytest.mark.parametrize("in_graph", [False, True])
def test_answers_of_regions_are_empty_at_padding(in_graph):
    mask = np.array([[True, True, False], [True, False, False]])
    boxes = np.arange(24, dtype="float32").reshape(2, 3, 4) / 24
    # What stands at padding must not matter.
    answers = {
        "regions": np.arange(1, 13, dtype="float32").reshape(2, 3, 2),
        "log_prob": np.float32([[-1, -2, np.nan], [-3, np.nan, np.nan]]),
        "tokens": np.array([list("abx"), list("cyz")], object)[..., None],
    }
    arguments = {"region_boxes": boxes, "region_mask": mask}, answers
    function = region_answers
    if in_graph:
        arguments = tf.nest.map_structure(tf.constant, arguments)
        # Whatever the number of rows.
        signature = tf.nest.map_structure(
            lambda each: tf.TensorSpec([None, *each.shape[1:]], each.dtype), arguments
        )
        function = tf.function(function, input_signature=signature, autograph=False)
    found = as_arrays(function(*arguments))
    assert found.pop("regions").tolist() == [[[1, 2], [3, 4], [0, 0]], [[7, 8], [0, 0], [0, 0]]]
    assert found.pop("log_prob").tolist() == [[-1, -2, 0], [-3, 0, 0]]
    assert found.pop("tokens").tolist() == [[["a"], ["b"], [""]], [["c"], [""], [""]]]
    np.testing.assert_array_equal(found.pop("boxes"), boxes)
    assert found["num_regions"].tolist() == [2, 1] and found["num_regions"].dtype == np.int32
    assert found.keys() == {"num_regions"}
