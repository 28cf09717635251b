"""Recall of other papers' models, in PyTorch, on the records that ours learn from.

Photographs, features, captions, vocabulary and recall are those of our models. Each peer
(`benchmarks.peer_networks`) is trained on the training split as its paper and its authors' code
have it. A row is printed of its epoch with the best sum of recalls on dev, as ours: R@1, 5 and 10
of images, then of sentences as queries, the epoch, and the seconds of training. Rows of
`--model_dir`, evaluated in the same run, follow.

    python -m benchmarks.peer_retrieval --data_dir=DIR --torch_path=SITE_PACKAGES --model_dir=DIR
"""

import os
import time
from typing import NamedTuple

import numpy as np

from benchmarks.benchmark_parser import BenchmarkParser
from benchmarks.torch_comparison import import_torch
from vsa_tf.errors import VsaTfError
from vsa_tf.program import print_line, print_note, silent

# Classes of peer_networks, which imports PyTorch.
PEERS = {
    "vse_infinity": "VseInfinity",
    "vse_plus_plus": "VsePlusPlus",
    "matcher": "Matcher",
    "scan_t2i": "Scan",
}
_BATCH, _CLIP_NORM = 128, 2.0  # of all four
_HEADER = ("R@1", "R@5", "R@10", "R@1", "R@5", "R@10", "epoch", "seconds")
_IMAGES_AT_A_TIME, _SENTENCES_AT_A_TIME = 100, 250


class Arrays(NamedTuple):
    """A split of N images and M sentences, as the peers read it.

    Attributes:
        read_features: of int `[n]`, positions of images, returns float16 `[n, R, D]`.
        region_mask: bool `[N, R]`.
        tokens: int64 `[M, W]`, START and END about each sentence, padded with 0.
        lengths: int64 `[M]`.
        image_of_sentence: int64 `[M]`.
    """

    read_features: object
    region_mask: np.ndarray
    tokens: np.ndarray
    lengths: np.ndarray
    image_of_sentence: np.ndarray


def read_arrays(records, text, max_words):
    """Returns the `Arrays` of a `RecordSplit`, its captions read by a `CaptionText`."""
    from vsa_tf.data.caption_rows import TokenStore
    from vsa_tf.text.vocabulary import END_ID, START_ID

    def encode(captions):
        return [[START_ID, *words[:max_words], END_ID] for words in text.encode(captions)]

    store = TokenStore.from_captions(records.captions, encode, max_words + 2)
    return Arrays(
        records.read_region_features,
        records.region_mask,
        store.padded(np.arange(len(store)), store.lengths.max()).astype(np.int64),
        store.lengths.astype(np.int64),
        records.image_of_caption.astype(np.int64),
    )


def augmented(random, share, mask, tokens, lengths, num_words):
    """Drops regions; of a share of words masks half, replaces a tenth and drops the rest.

    Args:
        random: numpy's generator.
        share: of regions and of words.
        mask: bool `[n, R]`.
        tokens, lengths: int `[m, W]` and `[m]`.
        num_words: of the vocabulary, and the id of a masked word.

    Returns:
        `mask`, `tokens` and `lengths` anew; of an image and of a sentence at least one is kept.
    """
    regions = _with_one(mask & (random.random(mask.shape) >= share), mask)
    draws = random.random(tokens.shape)
    words = np.where(draws < 0.6 * share, random.integers(num_words, size=tokens.shape), tokens)
    words = np.where(draws < 0.5 * share, num_words, words)
    filled = np.arange(tokens.shape[1]) < lengths[:, None]
    kept = _with_one(filled & ((draws < 0.6 * share) | (draws >= share)), filled)
    order = np.argsort(~kept, axis=1, kind="stable")
    return regions, np.take_along_axis(words, order, axis=1), kept.sum(axis=1)


def _with_one(kept, real):
    """Gives rows of which nothing is kept their first real one."""
    kept[np.arange(len(kept)), np.argmax(real, axis=1)] |= ~kept.any(axis=1)
    return kept


def train_peer(peer, arrays, num_words, num_epochs, seed, evaluate, say=silent):
    """Trains a `Peer`.

    Args:
        peer: of `benchmarks.peer_networks`.
        arrays: the `Arrays` of the training split.
        num_words: of the vocabulary.
        num_epochs: the learning rate falls after the share of them that it does in the paper.
        seed: of batches and of what is dropped.
        evaluate: `evaluate(peer)` returns metrics; their `sum` chooses the epoch.
        say: called with a line about each epoch.

    Returns:
        The best metrics, their epoch, from 1, and the seconds of training, of all epochs.
    """
    import torch

    random, seconds, best = np.random.default_rng(seed), 0.0, (None, 0)
    optimizer = torch.optim.AdamW(
        peer.parameters(), lr=peer.learning_rate, weight_decay=peer.weight_decay
    )
    decay = max(1, round(num_epochs * peer.decay_epoch / peer.num_epochs))
    for epoch in range(num_epochs):
        started, losses = time.perf_counter(), []
        optimizer.param_groups[0]["lr"] = peer.learning_rate * (0.1 if epoch >= decay else 1)
        peer.train()
        order = random.permutation(len(arrays.lengths))
        for first in range(0, len(order), _BATCH):
            rows = order[first : first + _BATCH]
            images = arrays.image_of_sentence[rows]
            batch = arrays.region_mask[images], arrays.tokens[rows], arrays.lengths[rows]
            if peer.dropped:
                batch = augmented(random, peer.dropped, *batch, num_words)
            mask, tokens, lengths = map(torch.from_numpy, batch)
            features = torch.from_numpy(arrays.read_features(images)).float()
            codes = peer.images(features, mask), peer.sentences(tokens, lengths)
            loss = peer.loss(peer.scores(*codes), torch.from_numpy(images), epoch)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(peer.parameters(), _CLIP_NORM)
            optimizer.step()
            losses.append(loss.item())
        seconds += time.perf_counter() - started
        found = evaluate(peer)
        say(
            row(f"epoch {epoch + 1} of {num_epochs}, loss {np.mean(losses):.3f}", found)
            + f", {seconds:.0f} s"
        )
        if best[0] is None or found["sum"] > best[0]["sum"]:
            best = found, epoch + 1
    return *best, seconds


def peer_scores(peer, arrays):
    """Returns the score of every image and sentence by a `Peer`, float32 `[N, M]`."""
    import torch

    scores = np.empty((len(arrays.region_mask), len(arrays.lengths)), np.float32)
    peer.eval()
    with torch.no_grad():
        columns = _slices(scores.shape[1], _SENTENCES_AT_A_TIME)
        sentences = [
            peer.sentences(*map(torch.from_numpy, (arrays.tokens[each], arrays.lengths[each])))
            for each in columns
        ]
        for rows in _slices(len(scores), _IMAGES_AT_A_TIME):
            features = torch.from_numpy(arrays.read_features(np.r_[rows])).float()
            images = peer.images(features, torch.from_numpy(arrays.region_mask[rows]))
            for each, codes in zip(columns, sentences):
                scores[rows, each] = peer.scores(images, codes).numpy()
    return scores


def _slices(total, size):
    return [slice(first, min(first + size, total)) for first in range(0, total, size)]


def _recalls(scores, image_of_sentence):
    from vsa_tf.evaluation.evaluation import EvaluationOptions
    from vsa_tf.evaluation.retrieval_metrics import recall_sum, retrieval_metrics

    metrics = retrieval_metrics(scores, image_of_sentence, EvaluationOptions(intervals=False))
    return metrics | {"sum": recall_sum(metrics)}


def row(name, metrics, *rest):
    """Returns a line of the table: a name, six recalls in percent, and what follows."""
    from vsa_tf.evaluation.retrieval_metrics import DIRECTIONS

    recalls = (metrics[way][f"R@{k}"] for way in DIRECTIONS for k in (1, 5, 10))
    return _line(name, *(f"{recall:.1f}" for recall in recalls), *rest)


def _line(name, *columns):
    return f"{name:40}" + "".join(f"{column:>8}" for column in columns)


def our_row(model_dir, records):
    """Returns the row of a trained model on a `RecordSplit`; VsaTfError where it has none."""
    from vsa_tf.evaluation.combined_retrieval import split_scores
    from vsa_tf.model_dir.load_split import model_view
    from vsa_tf.model_dir.trained_model import TrainedModel

    trained = TrainedModel(model_dir)
    settings = trained.settings
    if settings.model.family == "captioning" or settings.model.pairs_phrases:
        raise VsaTfError(
            "Expected a model_dir of an alignment model or of an embedding of images and "
            f"sentences. Received: {model_dir}, of {settings.training.model}"
        )
    trained.check_records(records)
    data = model_view(records, trained.text, settings)
    scores = split_scores(trained.model, data, records.num_captions)
    return row(f"ours: {model_dir}", _recalls(scores, records.image_of_caption))


def compare_peers(flags, say=print_line):
    """Trains and evaluates what the flags ask for; says the rows of the table as they come."""
    import torch

    from benchmarks import peer_networks
    from vsa_tf.data.caption_text import CaptionText
    from vsa_tf.model_dir.load_split import read_records
    from vsa_tf.settings import Settings
    from vsa_tf.training.auto_settings import resolve_settings

    torch.set_num_threads(flags.num_threads)
    train, held_out = (read_records(flags.data_dir, name) for name in ("train", "dev"))
    if not train.info.region_feature_size:
        raise VsaTfError(
            f"Expected records with region features. Received: {flags.data_dir} with pixels alone"
        )
    # Ours first, and said last: what cannot be read ends the program before hours of training.
    ours = [our_row(model_dir, held_out) for model_dir in flags.model_dir]
    settings = Settings.of(data_dir=flags.data_dir, fold_letters=True)
    settings = resolve_settings(settings, train.num_captions).data
    text = CaptionText.learn(train.captions, settings)
    arrays, of_split = (read_arrays(each, text, settings.max_words) for each in (train, held_out))
    num_words = len(text.vocabulary)

    def evaluate(peer):
        return _recalls(peer_scores(peer, of_split), of_split.image_of_sentence)

    say(_line(f"dev, seed {flags.seed}, {num_words} words", *_HEADER))
    for name in dict.fromkeys(flags.peer or PEERS):
        torch.manual_seed(flags.seed)
        peer = getattr(peer_networks, PEERS[name])(train.info.region_feature_size, num_words)
        num_epochs = flags.num_epochs or peer.num_epochs
        found, epoch, seconds = train_peer(
            peer,
            arrays,
            num_words,
            num_epochs,
            flags.seed,
            evaluate,
            lambda line, name=name: print_note(f"{name}: {line}"),
        )
        say(row(name, found, f"{epoch}/{num_epochs}", round(seconds)))
    for each in ours:
        say(each)


def _flags(arguments=None):
    parser = BenchmarkParser(__doc__)
    parser.add_argument("--data_dir", required=True, help="directory of records")
    parser.add_argument(
        "--peer", action="append", choices=tuple(PEERS), help="repeatable (default all)"
    )
    parser.add_argument(
        "--model_dir", action="append", default=[], help="one of our models; repeatable"
    )
    parser.add_integers(
        ("num_epochs", 0, "epochs of each peer; 0: as in its paper"),
        ("num_threads", len(os.sched_getaffinity(0)), "threads of an operation"),
        ("seed", 0, "random seed"),
        may_be_zero=("num_epochs",),
    )
    parser.add_argument("--torch_path", help="a folder to import PyTorch from, searched last")
    flags = parser.parse_args(arguments)
    if flags.torch_path and not os.path.isdir(flags.torch_path):
        parser.error(f"--torch_path={flags.torch_path} is not a directory")
    return parser, flags


def main():
    parser, flags = _flags()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as the programs do
    import keras  # noqa: F401  TensorFlow first, see torch_comparison

    import_torch(flags.torch_path)
    try:
        compare_peers(flags)
    except VsaTfError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
