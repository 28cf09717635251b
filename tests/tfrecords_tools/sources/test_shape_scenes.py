import dataclasses
import io
import pickle

import numpy as np
import pytest
from PIL import Image

from tfrecords_tools.sources.shape_scene import COLOURS, SHAPES, Background, Shape, ShapeScene
from tfrecords_tools.sources.shape_scene_claims import Claim, assignments, satisfies
from tfrecords_tools.sources.shape_scene_sentence import Caption
from tfrecords_tools.sources.shape_scenes import ShapeScenes

NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5}
SIZES = {"small": "small", "little": "small", "tiny": "small", "large": "large", "big": "large"}


@pytest.fixture(scope="module")
def source():
    return ShapeScenes(num_train=80, num_dev=10, num_test=500)


@pytest.fixture(scope="module")
def scenes_with_captions(source):
    scenes = [source.scene("train", index) for index in range(80)]
    return [(scene, source.captions("train", i, scene)) for i, scene in enumerate(scenes)]


def intersection_over_union(boxes, box):
    boxes, box = np.asarray(boxes, np.float64), np.asarray(box, np.float64)
    low, high = np.maximum(boxes[:, :2], box[:2]), np.minimum(boxes[:, 2:], box[2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) + np.prod(box[2:] - box[:2])
    return shared / (areas - shared)


def regions_of(example, num_regions=20, threshold=0.7):
    """The whole frame and the best proposals after class-agnostic suppression."""
    boxes = np.array(example.proposals)
    kept = []
    for index in np.argsort(-np.array(example.proposal_scores)):
        if not kept or intersection_over_union(boxes[kept], boxes[index]).max() <= threshold:
            kept.append(index)
    return np.concatenate([[[0.0, 0.0, 1.0, 1.0]], boxes[kept[: num_regions - 1]]])


def without_image(example):
    return dataclasses.replace(example, read_image=None)


def red_circle(y, x, extent=0.18):
    return Shape("red", "circle", (y, x), extent)


def blue_square(y, x, extent=0.18):
    return Shape("blue", "square", (y, x), extent)


RED_CIRCLE = Claim("kind", (0, "red", "circle"))
BLUE_SQUARE = Claim("kind", (1, "blue", "square"))
LEFT_OF = Claim("relation", (0, "left of", 1))


def test_an_example_depends_only_on_seed_split_and_index(source):
    again = ShapeScenes(num_train=12, num_dev=0, num_test=3)
    late = again.example("train", 9)
    for index, example in enumerate(again.examples("train")):
        original = source.example("train", index)
        assert without_image(example) == without_image(original)
        assert example.read_image() == original.read_image()
    assert without_image(late) == without_image(source.example("train", 9))


def test_seeds_splits_and_indices_give_different_examples(source):
    examples = [
        source.example("train", 0),
        source.example("train", 1),
        source.example("test", 0),
        ShapeScenes(seed=1).example("train", 0),
    ]
    assert len({example.read_image() for example in examples}) == 4
    assert len({example.captions for example in examples}) == 4


def test_checksums_tell_settings_apart():
    checksums = [
        ShapeScenes().checksums()["shape_scenes"],
        ShapeScenes(seed=1).checksums()["shape_scenes"],
        ShapeScenes(num_train=1).checksums()["shape_scenes"],
        ShapeScenes(image_size=64).checksums()["shape_scenes"],
    ]
    assert len(set(checksums)) == 4
    assert ShapeScenes().checksums()["shape_scenes"] == checksums[0]


def test_splits_have_their_sizes_and_unique_ids(source):
    assert source.splits() == ("train", "dev", "test")
    examples = list(source.examples("dev"))
    assert len(examples) == 10
    assert len({example.source_id for example in examples}) == 10
    assert not source.skipped


def test_examples_survive_pickling(source):
    example = source.example("train", 3)
    assert pickle.loads(pickle.dumps(example)).read_image() == example.read_image()


def test_wrong_arguments_are_refused(source):
    with pytest.raises(ValueError, match="num_dev of at least 0. Received: -1"):
        ShapeScenes(num_dev=-1)
    with pytest.raises(ValueError, match="image_size of at least 32. Received: 8"):
        ShapeScenes(image_size=8)
    with pytest.raises(ValueError, match="one of .*Received: 'val'"):
        list(source.examples("val"))


@pytest.mark.parametrize("image_size", [64, 96])
def test_images_are_jpegs_of_the_size_asked_for(image_size):
    data = ShapeScenes(image_size=image_size).example("test", 0).read_image()
    image = Image.open(io.BytesIO(data))
    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (image_size, image_size))


@pytest.mark.parametrize("extent", [0.15, 0.4])
@pytest.mark.parametrize("name", SHAPES)
def test_boxes_are_tight_around_the_rendered_pixels(name, extent):
    background = Background(tone=0.2)
    shape = Shape("yellow", name, (0.4, 0.55), extent, tilt=0.2)
    scene = ShapeScene((shape,), background)
    empty = ShapeScene((), background)
    changed = (scene.pixels() != empty.pixels()).any(axis=2)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    seen = np.array([rows[0], columns[0], rows[-1] + 1, columns[-1] + 1])
    box = np.array(scene.boxes[0]) * 96
    # Pixels that a shape touches reach less than one pixel beyond it.
    assert np.all(seen[:2] <= box[:2] + 1e-9) and np.all(box[:2] < seen[:2] + 1)
    assert np.all(seen[2:] >= box[2:] - 1e-9) and np.all(box[2:] > seen[2:] - 1)
    # The drawn outline covers its edge pixels, a third of a pixel wide.
    sides = (box[2:] - box[:2]) / 96
    assert extent - 0.01 <= sides.max() <= extent + 0.01


def test_a_box_holds_only_what_is_visible():
    hidden = Shape("red", "square", (0.5, 0.4), 0.2)
    front = Shape("blue", "square", (0.5, 0.5), 0.2)
    scene = ShapeScene((hidden, front))
    # Red spans 0.3 to 0.5, blue covers it from 0.4.
    np.testing.assert_allclose(scene.boxes[0], (0.4, 0.3, 0.6, 0.4), atol=0.008)
    np.testing.assert_allclose(scene.boxes[1], (0.4, 0.4, 0.6, 0.6), atol=0.008)


def test_shapes_lie_inside_the_image_and_barely_overlap(scenes_with_captions):
    for scene, _ in scenes_with_captions:
        boxes = np.array(scene.boxes)
        assert boxes.min() >= 0 and boxes.max() <= 1
        assert 1 <= len(boxes) <= 5
        for index in range(len(boxes) - 1):
            assert intersection_over_union(boxes[index + 1 :], boxes[index]).max() < 0.12


def test_sizes_can_be_read_off_the_boxes(scenes_with_captions):
    for scene, _ in scenes_with_captions:
        for shape, box in zip(scene.shapes, scene.boxes, strict=True):
            side = max(box[2] - box[0], box[3] - box[1])
            assert side < 0.22 if shape.size == "small" else side > 0.26


def test_every_caption_is_true_of_its_scene_in_one_way(scenes_with_captions):
    for scene, captions in scenes_with_captions:
        assert len(captions) == len({caption.text for caption in captions}) == 5
        for caption in captions:
            assert satisfies(caption.claims, scene)
            assert list(assignments(caption.claims, scene)) == [caption.referents]


def test_spans_lie_inside_captions_and_chains_have_boxes(source):
    for example in source.examples("train"):
        chains = {annotated.chain for annotated in example.objects}
        for phrase in example.phrases:
            words = example.captions[phrase.caption_index].split()
            assert 0 <= phrase.first_word < phrase.first_word + phrase.num_words <= len(words)
            visual = phrase.type in ("shape", "plural", "nominal", "pronoun")
            assert (phrase.chain in chains) == visual


def test_shape_phrases_name_what_is_in_their_boxes(source, scenes_with_captions):
    checked = 0
    for example, (scene, _) in zip(source.examples("train"), scenes_with_captions, strict=True):
        boxes = {o.chain: o.box for o in example.objects if "_" not in o.chain}
        pixels = np.asarray(Image.open(io.BytesIO(example.read_image())), np.float64)
        for phrase in example.phrases:
            if phrase.type != "shape":
                continue
            words = example.captions[phrase.caption_index].lower().split()
            words = words[phrase.first_word :][: phrase.num_words]
            shape = scene.shapes[int(phrase.chain.removeprefix("shape"))]
            assert words[0] in ("a", "an", "the", "one")
            assert words[-2:] == [shape.colour, shape.shape]
            assert (words[1] == "orange") == (words[0] == "an") or words[0] in ("the", "one")
            assert {SIZES[word] for word in words if word in SIZES} <= {shape.size}
            if shape.shape != "ring":
                box = np.array(boxes[phrase.chain]) * 96
                y, x = ((box[:2] + box[2:]) / 2).astype(int)
                seen = min(COLOURS, key=lambda name: np.sum((pixels[y, x] - COLOURS[name]) ** 2))
                assert seen == words[-2]
                checked += 1
    assert checked > 300


def test_plural_phrases_count_their_boxes(source):
    checked = 0
    for example in source.examples("train"):
        for phrase in example.phrases:
            if phrase.type == "plural":
                words = example.captions[phrase.caption_index].lower().split()
                boxes = {o.box for o in example.objects if o.chain == phrase.chain}
                assert len(boxes) == NUMBERS[words[phrase.first_word]]
                checked += 1
    assert checked > 30


def test_claims_about_places_hold_by_the_boxes_with_a_margin(scenes_with_captions):
    ahead = {"left of": (1, 1), "right of": (1, -1), "above": (0, 1), "below": (0, -1)}
    toward = {"left": (1, 1), "right": (1, -1), "top": (0, 1), "bottom": (0, -1)}
    seen = set()
    for scene, captions in scenes_with_captions:
        for caption in captions:
            for claim in caption.claims:
                if claim.predicate not in ("relation", "position"):
                    continue
                entity, word = claim.arguments[:2]
                box = np.array(scene.boxes[caption.referents[entity]])
                center = (box[:2] + box[2:]) / 2
                seen.add(word)
                if word in ahead:
                    other = np.array(scene.boxes[caption.referents[claim.arguments[2]]])
                    axis, sign = ahead[word]
                    assert sign * ((other[:2] + other[2:]) / 2 - center)[axis] >= 0.2 - 1e-9
                elif word == "middle":
                    assert np.abs(center - 0.5).max() < 0.1
                elif word != "near":
                    for side in word.split():
                        axis, sign = toward[side]
                        assert sign * (0.5 - center[axis]) >= 0.19 - 1e-9
    assert len(seen) == 5 + 9


def test_a_relation_holds_if_any_pair_of_shapes_stands_in_it():
    claims = (RED_CIRCLE, BLUE_SQUARE, LEFT_OF)
    wrong = ShapeScene((red_circle(0.5, 0.8), blue_square(0.5, 0.2)))
    right = ShapeScene((*wrong.shapes, blue_square(0.2, 0.9, extent=0.15)))
    nearly = ShapeScene((red_circle(0.2, 0.5), blue_square(0.8, 0.52)))
    assert not satisfies(claims, wrong)
    assert satisfies(claims, right)
    assert not satisfies(claims, nearly)


def test_two_means_exactly_two():
    claims = (Claim("count", ((None, "red", "circle"), 2)),)
    places = ((0.2, 0.2), (0.2, 0.8), (0.8, 0.5))
    for count in (1, 2, 3):
        scene = ShapeScene(tuple(red_circle(*place) for place in places[:count]))
        assert satisfies(claims, scene) == (count == 2)


def test_two_entities_are_two_shapes():
    claims = (RED_CIRCLE, Claim("kind", (1, "red", "circle")))
    assert not satisfies(claims, ShapeScene((red_circle(0.5, 0.5),)))
    assert satisfies(claims, ShapeScene((red_circle(0.2, 0.5), red_circle(0.8, 0.5))))


def test_size_place_and_background_narrow_a_sentence_down():
    scene = ShapeScene((red_circle(0.2, 0.2),), Background("striped", tone=0.2))
    for claim, true in (
        (Claim("size", (0, "small")), True),
        (Claim("size", (0, "large")), False),
        (Claim("position", (0, "top left")), True),
        (Claim("position", (0, "top")), True),
        (Claim("position", (0, "bottom left")), False),
        (Claim("background", ("striped",)), True),
        (Claim("background", ("dark",)), True),
        (Claim("background", ("light",)), False),
        (Claim("group position", ((None, "red", None), "left")), True),
        (Claim("group position", ((None, "red", None), "right")), False),
    ):
        assert satisfies((RED_CIRCLE, claim), scene) == true, claim


def test_the_ceiling_of_scenes_made_by_hand():
    scenes = (
        ShapeScene((red_circle(0.5, 0.2), blue_square(0.5, 0.8))),
        ShapeScene((red_circle(0.5, 0.8), blue_square(0.5, 0.2))),
        ShapeScene((red_circle(0.5, 0.2, extent=0.35),)),
        ShapeScene((red_circle(0.51, 0.2, extent=0.35),)),
    )
    claims = (
        (RED_CIRCLE, BLUE_SQUARE, LEFT_OF),
        (RED_CIRCLE, BLUE_SQUARE),
        (RED_CIRCLE,),
        (RED_CIRCLE, Claim("size", (0, "large"))),
    )

    class HandMade(ShapeScenes):
        def scene(self, split, index):
            return scenes[index]

        def captions(self, split, index, scene=None):
            return (Caption("", (), claims[index], tuple(range(len(scene.shapes)))),)

    source = HandMade(num_test=4)
    ceiling = source.sentence_to_image_ceiling("test")
    np.testing.assert_array_equal(ceiling.num_true_scenes, [1, 2, 4, 2])
    assert ceiling.recall_at_1 == pytest.approx((1 + 1 / 2 + 1 / 4 + 1 / 2) / 4)
    assert ceiling.num_duplicates == 2
    blind = source.sentence_to_image_ceiling("test", ignore=("relation", "size"))
    np.testing.assert_array_equal(blind.num_true_scenes, [2, 2, 4, 4])


def test_the_counts_of_the_ceiling_agree_with_trying_every_scene(source):
    small = ShapeScenes(num_test=40)
    scenes = [small.scene("test", index) for index in range(40)]
    expected = [
        sum(satisfies(caption.claims, scene) for scene in scenes)
        for index in range(40)
        for caption in small.captions("test", index)
    ]
    np.testing.assert_array_equal(small.sentence_to_image_ceiling("test").num_true_scenes, expected)


def test_most_sentences_of_the_test_split_fit_one_scene_and_arrangement_matters(source):
    ceiling = source.sentence_to_image_ceiling("test")
    assert ceiling.num_true_scenes.shape == (2500,)
    assert ceiling.num_true_scenes.min() >= 1
    assert 0.75 < ceiling.recall_at_1 < 0.95
    assert ceiling.num_true_scenes.max() > 5
    arrangement = ("relation", "position", "group position")
    blind = source.sentence_to_image_ceiling("test", ignore=arrangement)
    assert blind.recall_at_1 < ceiling.recall_at_1 - 0.05


def test_proposals_fill_the_regions_and_a_random_one_is_seldom_right(source):
    chances, found = [], []
    for index in range(100):
        example = source.example("test", index)
        regions = regions_of(example)
        assert len(regions) >= 16
        assert regions.min() >= 0 and regions.max() <= 1
        boxes = {o.chain: o.box for o in example.objects}
        for phrase in example.phrases:
            if phrase.type == "shape":
                right = intersection_over_union(regions, boxes[phrase.chain]) >= 0.5
                chances.append(right.mean())
                found.append(right.any())
    assert np.mean(chances) < 0.15
    assert np.mean(found) > 0.98


def test_proposals_tell_nothing_of_what_captions_mention(source):
    mentioned, other = [], []
    for index in range(300):
        example = source.example("test", index)
        chains = {p.chain for p in example.phrases if p.caption_index == 0 and p.type == "shape"}
        for annotated in example.objects:
            if "_" in annotated.chain:
                continue
            overlaps = intersection_over_union(example.proposals, annotated.box)
            best = np.max(np.array(example.proposal_scores)[overlaps >= 0.5])
            (mentioned if annotated.chain in chains else other).append(best)
    # Standard deviation 0.12 and more than 250 of each: four standard errors are 0.04.
    assert min(len(mentioned), len(other)) > 250
    assert abs(np.mean(mentioned) - np.mean(other)) < 0.04
