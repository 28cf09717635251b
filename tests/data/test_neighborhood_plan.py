import numpy as np
import pytest

from vsa_tf.data.neighborhood_plan import NeighborhoodPlan


def _plan(sizes=(5, 5, 1, 4, 2, 3) * 6, batch_size=6, **settings):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    return NeighborhoodPlan(np.full(len(groups), 3), groups, batch_size, **settings), groups


@pytest.mark.parametrize("num_neighbors", [2, 3])
def test_each_caption_stands_beside_others_of_its_group(num_neighbors):
    plan, groups = _plan(num_neighbors=num_neighbors, seed=4)
    for epoch in range(3):
        for width, captions in plan.batches(epoch):
            assert width == 3 and captions.shape == (6,)
            runs = groups[captions].reshape(-1, num_neighbors)
            assert (runs == runs[:, :1]).all()
            for run, group in zip(captions.reshape(-1, num_neighbors), runs[:, 0]):
                # A group of fewer captions repeats them; no other does.
                assert len(set(run)) == min(num_neighbors, (groups == group).sum())


def test_every_caption_comes_at_least_once_an_epoch_where_batches_come_out_even():
    # Runs of two: 3 + 3 + 1 + 2 + 1 + 2 a round, 6 rounds: 144 captions, 24 batches.
    plan, groups = _plan()
    assert plan.steps_per_epoch == 24
    captions = np.concatenate([captions for _, captions in plan.batches(0)])
    assert set(captions.tolist()) == set(range(len(groups)))
    times = np.bincount(captions)
    sizes = np.bincount(groups)[groups]
    assert (times[sizes % 2 == 0] == 1).all() and times.max() == 2


def test_what_is_left_over_is_another_part_each_epoch():
    plan, _ = _plan(batch_size=10)  # 144 = 14 * 10 + 4
    assert plan.steps_per_epoch == 14 and not plan.has_smaller_batch
    seen = [set(np.concatenate([c for _, c in plan.batches(epoch)]).tolist()) for epoch in (0, 1)]
    assert seen[0] != seen[1]


def test_batches_follow_from_seed_and_step_alone():
    plan, _ = _plan(seed=7)
    again, _ = _plan(seed=7)
    for step in (30, 3, 70):
        np.testing.assert_array_equal(plan.batch(step)[1], again.batch(step)[1])
    other, _ = _plan(seed=8)
    assert any((plan.batch(step)[1] != other.batch(step)[1]).any() for step in range(3))
    assert any((plan.batch(step)[1] != plan.batch(step + 24)[1]).any() for step in range(3))


def test_width_is_the_longest_caption_or_the_one_given():
    assert NeighborhoodPlan([1, 4], [0, 0], 2).widths == (4,)
    assert NeighborhoodPlan([1, 4], [0, 0], 2, width=9).batch(0)[0] == 9
    with pytest.raises(ValueError, match="width of at least 4. Received: width=3"):
        NeighborhoodPlan([1, 4], [0, 0], 2, width=3)


def test_batches_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="multiple of num_neighbors.*batch_size=5, num_n"):
        NeighborhoodPlan([1] * 9, [0] * 9, 5, 2)
    with pytest.raises(ValueError, match="captions for a batch of 8. Received: 3 captions"):
        NeighborhoodPlan([1] * 3, [0, 1, 1], 8, 2)
