"""Networks of other papers that match images and sentences, in PyTorch, as their code has them.

    VseInfinity: Chen et al., Learning the Best Pooling Strategy for Visual Semantic Embedding,
        2021, with a GRU; its best results are of a pretrained BERT
    VsePlusPlus: Faghri et al., VSE++: Improving Visual-Semantic Embeddings, 2018
    Scan: Lee et al., Stacked Cross Attention for Image-Text Matching, 2018, from words to regions
    Matcher: VseInfinity's network by cross entropy over the batch, of no paper

Shapes: n images of R regions of D numbers, m sentences of W words, vectors of H.
"""

import abc

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

MARGIN = 0.2
_WORD_SIZE, _SIZE = 300, 1024
_BEFORE_ALL = -10000.0  # A score or value of padding, as in the code of VseInfinity.


class Peer(nn.Module, abc.ABC):
    """A network and how it is trained.

    Args:
        feature_size: D.
        num_words: of the vocabulary; the id after its last is that of a masked word.

    Attributes:
        num_epochs, decay_epoch: the paper's; the learning rate falls to a tenth after the latter.
        learning_rate, weight_decay: AdamW's.
        dropped: share of regions and of words that a step leaves out or changes.
        sum_epochs: epochs in which all violations of the margin count, before the hardest alone do.
    """

    num_epochs, decay_epoch = 30, 15
    learning_rate, weight_decay = 2e-4, 0.0
    dropped, sum_epochs = 0.0, 0
    gru_size, bidirectional = _SIZE, True

    def __init__(self, feature_size, num_words):
        super().__init__()
        self.project = nn.Linear(feature_size, _SIZE)
        nn.init.xavier_uniform_(self.project.weight)
        nn.init.zeros_(self.project.bias)
        self.words = nn.Embedding(num_words + 1, _WORD_SIZE)
        nn.init.uniform_(self.words.weight, -0.1, 0.1)
        self.gru = nn.GRU(
            _WORD_SIZE, self.gru_size, batch_first=True, bidirectional=self.bidirectional
        )

    @abc.abstractmethod
    def images(self, features, mask):
        """Returns what `scores` takes of images, of `[n, R, D]` and bool `[n, R]`."""

    @abc.abstractmethod
    def sentences(self, tokens, lengths):
        """Returns what `scores` takes of sentences, of int `[m, W]` and `[m]`."""

    def scores(self, images, sentences):
        """Returns the similarity of every image and sentence, `[n, m]`."""
        return images @ sentences.T

    def loss(self, scores, image_of_pair, epoch):
        """Returns the loss of a batch.

        Args:
            scores: `[n, n]`; those of the diagonal are right.
            image_of_pair: int `[n]`.
            epoch: from 0.
        """
        return hinge_loss(scores, hardest=epoch >= self.sum_epochs)

    def word_states(self, tokens, lengths):
        """Returns the GRU's states, `[m, W, directions, H]`, 0 after a sentence's end."""
        return _states(self.gru, self.words(tokens), lengths)


class VsePlusPlus(Peer):
    """The whole frame, and the last state of a GRU."""

    bidirectional = False

    def images(self, features, mask):
        return _unit(self.project(_unit(features[:, 0])))

    def sentences(self, tokens, lengths):
        states = self.word_states(tokens, lengths)
        return _unit(states[torch.arange(len(lengths)), lengths - 1, 0])


class VseInfinity(Peer):
    """Regions through a residual perceptron and words through a GRU, pooled as `Pooling` learns."""

    num_epochs = 25
    learning_rate, weight_decay = 5e-4, 1e-4
    dropped, sum_epochs = 0.2, 1

    def __init__(self, feature_size, num_words):
        super().__init__(feature_size, num_words)
        hidden = _SIZE // 2
        self.perceptron = nn.Sequential(
            nn.Linear(feature_size, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Linear(hidden, _SIZE),
        )
        self.pool_regions, self.pool_words = Pooling(), Pooling()

    def images(self, features, mask):
        rows = features[mask]
        values = features.new_zeros(*mask.shape, _SIZE)
        values[mask] = self.perceptron(rows) + self.project(rows)
        return _unit(self.pool_regions(values, mask))

    def sentences(self, tokens, lengths):
        states = self.word_states(tokens, lengths)
        return _unit(self.pool_words(self.word_vectors(states), _filled(states, lengths)))

    def word_vectors(self, states):
        return states.mean(2)


class Matcher(VseInfinity):
    """A GRU of 512 each way, side by side; the temperature is learnt, as CLIP's."""

    gru_size = _SIZE // 2

    def __init__(self, feature_size, num_words):
        super().__init__(feature_size, num_words)
        self.log_scale = nn.Parameter(torch.tensor(1 / 0.07).log())

    def word_vectors(self, states):
        return states.flatten(2)

    def loss(self, scores, image_of_pair, epoch):
        return cross_entropy(scores * self.log_scale.exp().clamp(max=100), image_of_pair)


class Scan(Peer):
    """Every word attends to the regions; its cosine with what it sees, in the mean over words."""

    sharpness = 9

    def images(self, features, mask):
        return _unit(self.project(features)), mask

    def sentences(self, tokens, lengths):
        states = self.word_states(tokens, lengths)
        return _unit(states.mean(2)), _filled(states, lengths)

    def scores(self, images, sentences):
        (regions, mask), (words, filled) = images, sentences
        cosines = torch.einsum("nrh,mwh->nmwr", regions, words)
        attention = functional.normalize(functional.leaky_relu(cosines, 0.1), dim=2)  # over words
        attention = (self.sharpness * attention).masked_fill(~mask[:, None, None], -torch.inf)
        attention = attention.softmax(3)
        # The vector that a word sees, sum_r a_r v_r, is not made: n * m * W of them fill memory.
        products = regions @ regions.transpose(1, 2)
        seen = (torch.einsum("nmwr,nrs->nmws", attention, products) * attention).sum(3)
        found = (attention * cosines).sum(3) / seen.clamp(min=1e-8).sqrt()
        return (found * filled).sum(2) / filled.sum(1)


class Pooling(nn.Module):
    """Generalised pooling (GPO): of each number the values, largest first, in a weighted sum.

    The weights follow from how many values there are: a bidirectional GRU runs over the codes of
    their positions.
    """

    size, temperature = 32, 0.1

    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(self.size, self.size, batch_first=True, bidirectional=True)
        self.score = nn.Linear(self.size, 1, bias=False)

    def weights(self, lengths):
        """Returns `[n, longest]` of int `[n]`: a row is 0 beyond its length, and sums to 1."""
        position = torch.arange(int(lengths.max()))
        angles = position[:, None] / 10000 ** (torch.arange(0, self.size, 2) / self.size)
        codes = torch.stack([torch.sin(angles), torch.cos(angles)], dim=2).flatten(1)
        states = _states(self.gru, codes.expand(len(lengths), -1, -1), lengths)
        scores = self.score(states.mean(2))[..., 0]
        scores = scores.masked_fill(~_filled(states, lengths), _BEFORE_ALL)
        return torch.softmax(scores / self.temperature, dim=1)

    def forward(self, values, mask):
        """Returns `[n, H]` of `[n, L, H]`; what `mask`, bool `[n, L]`, leaves out has no part."""
        lengths, row = torch.unique(mask.sum(1), return_inverse=True)
        weights = self.weights(lengths)[row][..., None]
        values = values.masked_fill(~mask[..., None], _BEFORE_ALL)
        values = values.sort(dim=1, descending=True).values[:, : weights.shape[1]]
        return (values * weights).sum(1)


def hinge_loss(scores, hardest):
    """Sums violations of the margin both ways, `[n, n]`: all of a query, or its hardest alone."""
    right = scores.diagonal()
    same = torch.eye(len(scores), dtype=torch.bool)
    of_images = (MARGIN + scores - right[:, None]).clamp(min=0).masked_fill(same, 0)
    of_sentences = (MARGIN + scores - right).clamp(min=0).masked_fill(same, 0)
    if hardest:
        return of_images.max(1).values.sum() + of_sentences.max(0).values.sum()
    return of_images.sum() + of_sentences.sum()


def cross_entropy(logits, image_of_pair):
    """Mean cross entropy both ways, `[n, n]`; another sentence of the same image is not wrong."""
    other = (image_of_pair[:, None] == image_of_pair).fill_diagonal_(False)
    logits, right = logits.masked_fill(other, -torch.inf), torch.arange(len(logits))
    return (functional.cross_entropy(logits, right) + functional.cross_entropy(logits.T, right)) / 2


def _unit(vectors):
    return functional.normalize(vectors, dim=-1)


def _filled(states, lengths):
    return torch.arange(states.shape[1]) < lengths[:, None]


def _states(gru, inputs, lengths):
    packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
    states, _ = pad_packed_sequence(gru(packed)[0], batch_first=True)
    return states.unflatten(2, (-1, gru.hidden_size))
