"""Regions for a snippet, and by magnitude, against hand-made cases."""

import types

import numpy as np
import pytest

from vsa_tf.errors import VsaTfError
from vsa_tf.scoring.region_queries import best_regions, regions_by_magnitude, snippet_regions

REGIONS = np.array([[[1, 0], [0, 1]], [[3, 4], [1, 1]]], np.float32)


def test_score_is_the_sum_over_the_snippets_words():
    # Words sum to (2, 1): the regions score 2, 1, 10 and 3.
    hits = best_regions([[1, 0], [1, 1]], REGIONS, top_k=3)
    assert hits == [(1, 0, 10.0), (1, 1, 3.0), (0, 0, 2.0)]


def test_masked_regions_are_no_hits_even_if_nan():
    regions = REGIONS.copy()
    regions[1, 0] = np.nan
    mask = np.array([[True, True], [False, True]])
    assert [hit[:2] for hit in best_regions([[2, 1]], regions, mask)] == [(1, 1), (0, 0), (0, 1)]


def test_equal_scores_stand_in_order():
    assert [hit[:2] for hit in best_regions([[0, 0]], REGIONS)] == [(0, 0), (0, 1), (1, 0), (1, 1)]


def _snippet_hits(snippets):
    """Hits of snippets of numbers, by a model whose words of number 0 would find region 0."""
    text = types.SimpleNamespace(
        encode=lambda snippets: [list(map(int, snippet.split())) for snippet in snippets],
        sentence_features=lambda snippets: None,
    )
    vectors = np.float32([[9, 0], [0, 1], [1, 1]])
    model = types.SimpleNamespace(embed_sentences=lambda batch: vectors[batch["token_ids"]])
    embedded = types.SimpleNamespace(regions=REGIONS, region_mask=np.ones((2, 2), bool))
    return snippet_regions(model, snippets, embedded, types.SimpleNamespace(text=text), 2)


def test_snippets_are_asked_together_and_each_finds_what_it_would_alone():
    snippets = ["2 1 2", "1", "2 2"]
    assert _snippet_hits(snippets) == [_snippet_hits([snippet])[0] for snippet in snippets]
    assert _snippet_hits(snippets)[1] == [(1, 0, 4.0), (0, 1, 1.0)]
    assert _snippet_hits([]) == []
    with pytest.raises(VsaTfError, match="^query='' has no words"):
        _snippet_hits(["1", ""])


def test_magnitude_is_the_length_of_the_vector():
    hits = regions_by_magnitude(REGIONS, top_k=2)
    assert hits[0] == (1, 0, 5.0)
    assert hits[1] == (1, 1, pytest.approx(2**0.5))
    assert regions_by_magnitude(REGIONS, top_k=1, largest=False) == [(0, 0, 1.0)]


def test_blocks_change_nothing(monkeypatch):
    regions = np.random.default_rng(0).standard_normal((30, 4, 8)).astype(np.float16)
    words = np.random.default_rng(1).standard_normal((3, 8))
    whole = best_regions(words, regions)
    monkeypatch.setattr("vsa_tf.scoring.region_queries._BLOCK_FLOATS", 1)
    assert [hit[:2] for hit in best_regions(words, regions)] == [hit[:2] for hit in whole]


@pytest.mark.parametrize(
    "words, regions, settings",
    [
        (np.zeros((0, 2)), REGIONS, {}),
        ([[1, 2, 3]], REGIONS, {}),
        ([[1, 2]], REGIONS[0], {}),
        ([[1, 2]], REGIONS, {"top_k": 0}),
        ([[np.nan, 2]], REGIONS, {}),
        ([[1, 2]], REGIONS, {"region_mask": [[True]]}),
    ],
)
def test_bad_arguments_are_errors(words, regions, settings):
    with pytest.raises(ValueError, match="Expected .* Received"):
        best_regions(words, regions, **settings)
