import numpy as np
import pytest

from vsa_tf.data.batch_plan import BatchPlan, NeighborhoodPlan, choose_bucket_widths


def _plan(num_images=40, captions_per_image=5, batch_size=16, seed=0, **settings):
    num_captions = num_images * captions_per_image
    lengths = np.random.default_rng(9).integers(1, 31, num_captions)
    images = np.arange(num_captions) // captions_per_image
    return BatchPlan(lengths, images, batch_size, seed=seed, **settings), lengths


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("batch_size", [1, 7, 16, 50, 1000])
def test_every_caption_comes_once_an_epoch(seed, batch_size):
    plan, lengths = _plan(seed=seed, batch_size=batch_size)
    for epoch in range(3):
        batches = plan.batches(epoch)
        assert len(batches) == plan.steps_per_epoch == -(-200 // batch_size)
        captions = np.concatenate([captions for _, captions in batches])
        assert sorted(captions.tolist()) == list(range(200))


@pytest.mark.parametrize("seed", range(5))
def test_each_batch_fits_its_width_and_only_the_last_is_smaller(seed):
    plan, lengths = _plan(seed=seed, bucket_boundaries=(5, 10, 30))
    batches = plan.batches(0)
    for width, captions in batches:
        assert width in plan.widths
        assert lengths[captions].max() <= width
    # 200 = 12 * 16 + 8.
    assert [len(captions) for _, captions in batches] == [16] * 12 + [8]
    assert batches[-1][0] == 30
    assert plan.has_smaller_batch


def test_most_batches_take_the_smallest_width_that_fits():
    # All but the batches of leftovers, of which there is less than one a bucket.
    plan, lengths = _plan(num_images=400, bucket_boundaries=(5, 10, 20, 30))
    narrow = sum(
        lengths[captions].min() > ([0, *plan.widths][plan.widths.index(width)])
        for width, captions in plan.batches(0)
    )
    assert narrow >= plan.steps_per_epoch - 4


def test_a_batch_is_a_function_of_seed_and_step():
    first, _ = _plan(seed=3)
    second, _ = _plan(seed=3)
    second.batches(5)
    for step in [40, 0, 13, 12, 26]:
        assert first.batch(step)[0] == second.batch(step)[0]
        np.testing.assert_array_equal(first.batch(step)[1], second.batch(step)[1])
    epoch = second.batches(2)
    np.testing.assert_array_equal(second.batch(2 * 13 + 4)[1], epoch[4][1])


def test_epochs_and_seeds_have_other_orders():
    plan, _ = _plan(seed=3)
    other, _ = _plan(seed=4)
    orders = [
        tuple(np.concatenate([captions for _, captions in batches]).tolist())
        for batches in (plan.batches(0), plan.batches(1), other.batches(0), other.batches(1))
    ]
    assert len(set(orders)) == 4


def test_captions_of_an_image_seldom_share_a_batch():
    # By chance a batch of 16 of 2000 captions would have 120 * 4 / 1999 = 0.24 pairs of one image:
    # 30 in the 125 batches of an epoch. Rounds leave those at their borders.
    plan, _ = _plan(num_images=400)
    images = np.arange(2000) // 5
    pairs = sum(len(captions) - len(np.unique(images[captions])) for _, captions in plan.batches(0))
    assert pairs <= 10


def test_captions_of_an_image_are_spread_over_the_epoch():
    # With one width and whole rounds the batches of a round are those of its captions.
    plan, _ = _plan(num_images=32, bucket_boundaries=(30,))
    for round_number in range(5):
        batches = plan.batches(0)[2 * round_number : 2 * round_number + 2]
        captions = np.concatenate([captions for _, captions in batches])
        assert sorted((captions // 5).tolist()) == list(range(32))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 0}, "batch_size=0"),
        ({"seed": -1}, "seed=-1"),
        ({"bucket_boundaries": (10, 20)}, "at least 30"),
        ({"bucket_boundaries": (20, 10, 30)}, "ascending"),
        ({"bucket_boundaries": ()}, "ascending"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        _plan(**settings)


@pytest.mark.parametrize(("lengths", "images"), [([], []), ([0, 1], [0, 0]), ([1, 1], [0])])
def test_impossible_captions_are_refused(lengths, images):
    with pytest.raises(ValueError, match="Received"):
        BatchPlan(lengths, images, batch_size=1)


@pytest.mark.parametrize("seed", range(5))
def test_chosen_widths_leave_the_least_padding(seed):
    lengths = np.random.default_rng(seed).integers(1, 9, 30)

    def padded(widths):
        return np.array(widths)[np.searchsorted(widths, lengths)].sum()

    longest = lengths.max()
    every_choice = [(a, b, longest) for b in range(2, longest) for a in range(1, b)]
    assert padded(choose_bucket_widths(lengths, 3)) == min(map(padded, every_choice))


def test_fewer_lengths_than_buckets_need_fewer_widths():
    assert choose_bucket_widths([5, 5, 2], num_buckets=4) == (2, 5)
    assert choose_bucket_widths([5], num_buckets=1) == (5,)
    with pytest.raises(ValueError, match="0 captions"):
        choose_bucket_widths([])


def _neighborhoods(sizes=(5, 5, 1, 4, 2, 3) * 6, batch_size=6, **settings):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    return NeighborhoodPlan(np.full(len(groups), 3), groups, batch_size, **settings), groups


@pytest.mark.parametrize("num_neighbors", [2, 3])
def test_each_caption_stands_beside_others_of_its_group(num_neighbors):
    plan, groups = _neighborhoods(num_neighbors=num_neighbors, seed=4)
    for epoch in range(3):
        for width, captions in plan.batches(epoch):
            assert width == 3 and captions.shape == (6,)
            runs = groups[captions].reshape(-1, num_neighbors)
            assert (runs == runs[:, :1]).all()
            for run, group in zip(captions.reshape(-1, num_neighbors), runs[:, 0]):
                # A group of fewer captions repeats them; no other does.
                assert len(set(run)) == min(num_neighbors, (groups == group).sum())


def test_every_caption_stands_in_a_neighborhood_where_batches_come_out_even():
    # Runs of two: 3 + 3 + 1 + 2 + 1 + 2 a round, 6 rounds: 144 captions, 24 batches.
    plan, groups = _neighborhoods()
    assert plan.steps_per_epoch == 24
    captions = np.concatenate([captions for _, captions in plan.batches(0)])
    assert set(captions.tolist()) == set(range(len(groups)))
    times = np.bincount(captions)
    sizes = np.bincount(groups)[groups]
    assert (times[sizes % 2 == 0] == 1).all() and times.max() == 2


def test_neighborhoods_left_over_are_others_each_epoch():
    plan, _ = _neighborhoods(batch_size=10)  # 144 = 14 * 10 + 4
    assert plan.steps_per_epoch == 14 and not plan.has_smaller_batch
    seen = [set(np.concatenate([c for _, c in plan.batches(epoch)]).tolist()) for epoch in (0, 1)]
    assert seen[0] != seen[1]


def test_neighborhoods_follow_from_seed_and_step_alone():
    plan, _ = _neighborhoods(seed=7)
    again, _ = _neighborhoods(seed=7)
    for step in (30, 3, 70):
        np.testing.assert_array_equal(plan.batch(step)[1], again.batch(step)[1])
    other, _ = _neighborhoods(seed=8)
    assert any((plan.batch(step)[1] != other.batch(step)[1]).any() for step in range(3))
    assert any((plan.batch(step)[1] != plan.batch(step + 24)[1]).any() for step in range(3))


def test_neighborhoods_have_the_width_of_the_longest_caption_or_the_one_given():
    assert NeighborhoodPlan([1, 4], [0, 0], 2).widths == (4,)
    assert NeighborhoodPlan([1, 4], [0, 0], 2, width=9).batch(0)[0] == 9
    with pytest.raises(ValueError, match="width of at least 4. Received: width=3"):
        NeighborhoodPlan([1, 4], [0, 0], 2, width=3)


def test_neighborhoods_that_fill_no_batch_are_refused():
    with pytest.raises(ValueError, match="multiple of num_neighbors.*batch_size=5, num_n"):
        NeighborhoodPlan([1] * 9, [0] * 9, 5, 2)
    with pytest.raises(ValueError, match="captions for a batch of 8. Received: 3 captions"):
        NeighborhoodPlan([1] * 3, [0, 1, 1], 8, 2)
