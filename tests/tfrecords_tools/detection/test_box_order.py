import numpy as np

from tfrecords_tools.detection.box_order import BoxOrder

SWAP = [1, 0, 3, 2]


def images(count, seed=0):
    """Yields wide annotated boxes, and proposals: each of them moved a little, and noise."""
    random = np.random.default_rng(seed)
    for _ in range(count):
        start = random.uniform(0, 0.5, (3, 2))
        annotated = np.concatenate([start, start + [0.2, 0.45]], axis=1)
        start = random.uniform(0, 0.5, (20, 2))
        noise = np.concatenate([start, start + random.uniform(0.1, 0.5, (20, 2))], axis=1)
        close = annotated + random.uniform(-0.03, 0.03, (3, 4))
        yield np.concatenate([close, noise]), annotated


def order_of(pairs):
    order = BoxOrder()
    for boxes, annotated in pairs:
        order.add(boxes, annotated)
    return order


def test_overlap_is_that_of_the_best_box_with_each_annotated_one():
    # Halves of the first annotated box overlap it by 0.5, and the second by nothing; swapped, the
    # upper half becomes the left one and the second annotated box is found.
    annotated = np.array([[0, 0, 0.5, 1], [0, 0, 1, 0.25]])
    order = order_of([(np.array([[0, 0, 0.25, 1]]), annotated)])
    # 0.25 / 0.5 and 0.0625 / (0.25 + 0.25 - 0.0625); 0.125 / 0.625 and 1.
    np.testing.assert_allclose(order.given, [(0.5 + 1 / 7) / 2])
    np.testing.assert_allclose(order.swapped, [(0.2 + 1) / 2])


def test_swapped_boxes_are_told_from_those_in_order():
    assert not order_of(images(20)).looks_swapped()
    assert order_of((boxes[:, SWAP], annotated) for boxes, annotated in images(20)).looks_swapped()


def test_few_images_prove_nothing():
    pairs = [(boxes[:, SWAP], annotated) for boxes, annotated in images(15)]
    assert not order_of(pairs).looks_swapped()
    assert order_of([*pairs, *pairs]).looks_swapped()


def test_boxes_that_are_as_good_either_way_are_in_order():
    for seed in range(20):
        # Nothing but noise, which overlaps annotated boxes by chance.
        noise = [(boxes[3:], annotated) for boxes, annotated in images(100, seed)]
        assert not order_of(noise).looks_swapped()
    squares = [(np.array([[0.2, 0.2, 0.6, 0.6]]), annotated) for _, annotated in images(100)]
    assert not order_of(squares).looks_swapped()


def test_images_without_boxes_or_annotations_are_left_out():
    order = order_of([(np.zeros((0, 4)), np.ones((1, 4))), (np.ones((1, 4)), np.zeros((0, 4)))])
    assert order.given == order.swapped == []
