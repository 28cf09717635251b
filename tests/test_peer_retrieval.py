"""Other papers' models, as benchmarks train them: each against its equations, and one step."""

import argparse

import numpy as np
import pytest

from tests.data.small_records import write_records
from vsa_tf.errors import VsaTfError

torch = pytest.importorskip("torch", reason="PyTorch, which only the peers need, is not installed")
pytest.importorskip("benchmarks", reason="benchmarks are a part of the checkout alone")
networks = pytest.importorskip("benchmarks.peer_networks")
retrieval = pytest.importorskip("benchmarks.peer_retrieval")

_LENGTHS = torch.tensor([3, 1, 4])
_MASK = torch.tensor([[1, 1, 0, 1], [0, 1, 0, 0], [1, 1, 1, 1]]).bool()


def _values(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _peer(name, feature_size=4, num_words=9):
    torch.manual_seed(0)
    return getattr(networks, retrieval.PEERS[name])(feature_size, num_words)


@torch.no_grad()
def test_pooling_weighs_sorted_values_by_their_number_alone():
    pooling, values = networks.Pooling(), _values(3, 4, 5)
    pooled, weights = pooling(values, _MASK), pooling.weights(_LENGTHS)
    np.testing.assert_allclose(weights.sum(1), 1, rtol=1e-5)
    for row, length in enumerate(_LENGTHS):
        alone = pooling.weights(_LENGTHS[row : row + 1])[0]
        np.testing.assert_allclose(weights[row, :length], alone, atol=1e-6)
        ordered = -np.sort(-values[row][_MASK[row]].numpy(), axis=0)
        np.testing.assert_allclose(pooled[row], alone.numpy() @ ordered, atol=1e-5)
    pooling.score.weight.zero_()
    np.testing.assert_allclose(pooling(values, _MASK)[2], values[2].mean(0), atol=1e-6)


def test_violations_of_the_margin_are_summed_or_the_hardest_taken():
    scores = 0.2 * _values(4, 4).numpy()
    of_images, of_sentences = np.zeros((4, 4)), np.zeros((4, 4))
    for image, sentence in zip(*np.nonzero(~np.eye(4, dtype=bool))):
        of_images[image, sentence] = max(0, 0.2 + scores[image, sentence] - scores[image, image])
        of_sentences[image, sentence] = max(
            0, 0.2 + scores[image, sentence] - scores[sentence, sentence]
        )
    loss = networks.hinge_loss(torch.from_numpy(scores), hardest=False)
    np.testing.assert_allclose(loss, of_images.sum() + of_sentences.sum(), rtol=1e-4)
    loss = networks.hinge_loss(torch.from_numpy(scores), hardest=True)
    np.testing.assert_allclose(loss, of_images.max(1).sum() + of_sentences.max(0).sum(), rtol=1e-4)


def test_another_sentence_of_the_same_image_is_not_wrong():
    logits = _values(3, 3)
    loss = networks.cross_entropy(logits, torch.tensor([7, 5, 7]))
    changed = logits.clone()
    changed[0, 2], changed[2, 0] = 50, 50
    torch.testing.assert_close(networks.cross_entropy(changed, torch.tensor([7, 5, 7])), loss)
    assert networks.cross_entropy(changed, torch.tensor([7, 5, 6])) > loss + 10


@torch.no_grad()
def test_words_attend_to_regions_as_in_scan():
    peer, tokens = _peer("scan_t2i"), torch.tensor([[1, 4, 2, 0], [5, 0, 0, 0], [1, 6, 7, 2]])
    images = peer.images(_values(3, 4, 4), _MASK)
    sentences = peer.sentences(tokens, _LENGTHS)
    scores = peer.scores(images, sentences)
    for n, m in np.ndindex(3, 3):
        regions, words = images[0][n][_MASK[n]].numpy(), sentences[0][m][: _LENGTHS[m]].numpy()
        cosines = words @ regions.T
        clipped = np.where(cosines > 0, cosines, 0.1 * cosines)
        attention = np.exp(9 * clipped / np.linalg.norm(clipped, axis=0))
        seen = attention / attention.sum(1, keepdims=True) @ regions
        expected = ((words * seen).sum(1) / np.linalg.norm(seen, axis=1)).mean()
        np.testing.assert_allclose(scores[n, m], expected, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("name", retrieval.PEERS)
def test_padding_changes_no_score(name):
    peer, features = _peer(name).eval(), _values(2, 3, 4)
    tokens, lengths = torch.tensor([[1, 4, 5, 2], [1, 2, 0, 0]]), torch.tensor([4, 2])
    mask = torch.tensor([[1, 1, 1], [1, 1, 0]]).bool()
    scores = peer.scores(peer.images(features, mask), peer.sentences(tokens, lengths))
    images = peer.images(features[1:, :2], mask[1:, :2])
    alone = peer.scores(images, peer.sentences(tokens[1:, :2], lengths[1:]))
    torch.testing.assert_close(scores[1:, 1:], alone)
    assert abs(scores).max() <= 1 + 1e-5


def test_regions_and_words_are_dropped_and_never_all():
    random, mask = np.random.default_rng(0), np.ones((500, 20), bool)
    tokens, lengths = np.full((500, 12), 5), np.full(500, 10)
    tokens[:, 10:], mask[0, 1:], lengths[0] = 0, False, 1
    kept, words, rest = retrieval.augmented(random, 0.2, mask, tokens, lengths, 1000)
    assert not (kept & ~mask).any() and kept.any(axis=1).all() and rest.min() >= 1
    assert kept.sum() / mask.sum() == pytest.approx(0.8, abs=0.02)
    assert rest.sum() / lengths.sum() == pytest.approx(0.92, abs=0.02)
    real = words[np.arange(12) < rest[:, None]]
    assert np.mean(real == 1000) * 0.92 == pytest.approx(0.1, abs=0.02)
    assert np.mean((real != 1000) & (real != 5)) * 0.92 == pytest.approx(0.02, abs=0.01)
    kept, words, rest = retrieval.augmented(random, 1.0, mask, tokens, lengths, 1000)
    assert kept.sum(axis=1).tolist() == [1] * 500 and rest.min() == 1


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """Records of which one split is both that is learnt from and that is evaluated."""
    path = tmp_path_factory.mktemp("records")
    write_records(path, num_images=6)
    return path


def _flags(data_dir, **changes):
    values = dict(data_dir=str(data_dir), peer=None, model_dir=[], num_epochs=1, num_threads=1)
    return argparse.Namespace(**values | {"seed": 0} | changes)


def test_every_peer_takes_a_step_and_has_a_row(data_dir, monkeypatch):
    from vsa_tf.model_dir import load_split

    read = load_split.read_records
    monkeypatch.setattr(load_split, "read_records", lambda path, _: read(path, "train"))
    lines, initial = [], {name: _peer(name).state_dict() for name in retrieval.PEERS}
    trained, train_peer = {}, retrieval.train_peer

    def keep(peer, *arguments):
        trained[type(peer).__name__] = peer
        return train_peer(peer, *arguments)

    monkeypatch.setattr(retrieval, "train_peer", keep)
    retrieval.compare_peers(_flags(data_dir), lines.append)
    assert [line.split()[0] for line in lines] == ["dev,", *retrieval.PEERS]
    for line in lines[1:]:
        recalls = np.array(line.split()[1:7], float)
        assert (np.diff(recalls.reshape(2, 3)) >= 0).all() and 0 <= recalls.min()
        assert recalls.max() <= 100 and line.split()[7] == "1/1"
    for name, weights in initial.items():
        new = trained[retrieval.PEERS[name]].state_dict()
        assert set(new) == set(weights)
        assert not torch.equal(new["project.weight"], weights["project.weight"])


def test_the_best_epoch_is_kept_and_the_learning_rate_falls_once(data_dir):
    from vsa_tf.data.caption_text import CaptionText
    from vsa_tf.model_dir.load_split import read_records
    from vsa_tf.settings import Settings

    records, sums, rates = read_records(data_dir, "train"), iter([1.0, 3.0, 3.0, 2.0]), []
    text = CaptionText.learn(records.captions, Settings.of(min_count=1).data)
    arrays = retrieval.read_arrays(records, text, 40)
    assert arrays.lengths.tolist()[:3] == [3, 6, 9] and set(arrays.tokens[:, 0]) == {1}
    peer, step = _peer("vse_plus_plus", num_words=len(text.vocabulary)), torch.optim.AdamW.step

    def keep_rate(optimizer, *arguments):
        rates.append(optimizer.param_groups[0]["lr"])
        return step(optimizer, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim.AdamW, "step", keep_rate)
        found, epoch, _ = retrieval.train_peer(
            peer, arrays, len(text.vocabulary), 4, 0, lambda _: {"sum": next(sums)}
        )
    assert (found["sum"], epoch) == (3.0, 2)
    np.testing.assert_allclose(rates, [2e-4, 2e-4, 2e-5, 2e-5])


def test_records_of_pixels_are_refused(data_dir, monkeypatch):
    from vsa_tf.model_dir import load_split

    class Pixels:
        info = argparse.Namespace(region_feature_size=0)

    monkeypatch.setattr(load_split, "read_records", lambda *_: Pixels)
    with pytest.raises(VsaTfError, match="Expected records with region features"):
        retrieval.compare_peers(_flags(data_dir))
