import numpy as np

from tests.evaluation.given_vectors import GivenVectors, given_data, unit_vectors
from vsa_tf.evaluation.phrase_rankings import phrase_rankings
from vsa_tf.scoring.embedded import EmbeddedPairs


def _rankings(regions, phrases, image_of_phrase, mask=None):
    model = GivenVectors("region_phrase")
    data = given_data(unit_vectors(regions), unit_vectors(phrases), image_of_phrase, mask)
    embedded = EmbeddedPairs.embed(model, data)
    rankings = phrase_rankings(model, embedded, data.records.image_of_caption)
    return [ranking.tolist() for ranking in rankings]


def test_nearer_regions_stand_first():
    # At 25 degrees: 20 is nearer than 40, and that than 0. At 170: 40, 20, 0.
    assert _rankings([[0, 20, 40]], [25, 170], [0, 0]) == [[1, 2, 0], [2, 1, 0]]


def test_each_phrase_is_looked_for_in_its_own_image():
    regions = [[0, 20, 40], [40, 0, 20], [20, 40, 0]]
    # In no order of the images, of which the second has no phrase.
    assert _rankings(regions, [1, 39, 2], [2, 0, 2]) == [[2, 0, 1], [2, 1, 0], [2, 0, 1]]


def test_padding_is_never_found_and_regions_keep_their_numbers():
    mask = [[True, False, True], [True, True, True]]
    assert _rankings([[0, 20, 40], [0, 20, 40]], [25, 25], [0, 1], mask) == [[2, 0], [1, 2, 0]]


def test_of_equal_regions_the_first_stands_first():
    assert _rankings([[30, 10, 30, 10]], [30], [0]) == [[0, 2, 1, 3]]


def test_there_may_be_no_phrase():
    assert phrase_rankings(GivenVectors(), None, np.zeros(0, int)) == []
