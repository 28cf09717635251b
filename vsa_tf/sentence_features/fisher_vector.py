"""Fisher vectors of sentences in a hybrid Gaussian-Laplacian mixture of word vectors."""

import warnings

import numpy as np
from sklearn.decomposition import FastICA
from sklearn.exceptions import ConvergenceWarning

from vsa_tf.errors import check_choice
from vsa_tf.files import read_arrays, write_arrays
from vsa_tf.sentence_features.hybrid_mixture import HybridMixture
from vsa_tf.sentence_features.principal_components import PrincipalComponents
from vsa_tf.sentence_features.word_vector_table import (
    WordVectorTable,
    array_to_words,
    words_to_array,
)

# What `HybridMixture.fit` is asked for.
_LAPLACIAN = {"hybrid": None, "gaussian": False, "laplacian": True}
# Sentences worked on together: their Fisher vectors take 150 MB at most, at 18000 numbers each.
_ROWS = 2048
# The independent components of word vectors never settle to the last digit, nor need they.
_ICA_ITERATIONS = 50
_ICA_TOLERANCE = 1e-3
# Below, in standard deviations of all words, a centre would shrink to a single word.
_SMALLEST_SCALE = 0.5
_EM_ITERATIONS = 30
_EM_TOLERANCE = 0.01
# A point's share in a component below which its gradient there is taken as zero, as VLFeat does.
SMALLEST_SHARE = 1e-6


class FisherVector:
    """The HGLMM feature of a sentence, or that of a GMM or LMM.

    1. Word vectors are divided by their lengths and rotated to independent components (ICA).
    2. A sentence's Fisher vector is the mean over its words of the gradient of their
       log-likelihood under a mixture of K centres, `2 * K * D` numbers (`fisher_gradients`).
    3. Each number x becomes `sign(x) sqrt(|x|)`, and the vector is divided by its Euclidean
       length.
    4. It is projected on its principal components.

    A word's gradient is zero in almost all centres, and so is the sentence's in most: it is kept
    and multiplied as a `GroupedMatrix`.

    Args:
        word_points: a `WordVectorTable` of the independent components of each word.
        mixture: a `HybridMixture` of K components.
        principal_components: a `PrincipalComponents`, or None.

    Attributes:
        word_points, mixture, principal_components: the arguments.
        dimension: `2 * K * D`, or that of the principal components.

    Reference: Klein, Lev, Sadeh, Wolf, Associating neural word embeddings with deep image
    representations using Fisher vectors, CVPR 2015; Wang, Li, Huang, Lazebnik, Learning two-branch
    neural networks for image-text matching tasks, section 4.3.
    """

    kind = "hglmm"

    def __init__(self, word_points, mixture, principal_components=None):
        self.word_points = word_points
        self.mixture = mixture
        self.principal_components = principal_components
        self._gradients = fisher_gradients(mixture, word_points.vectors.astype(np.float64))

    @classmethod
    def fit(
        cls,
        sentences,
        word_vectors,
        num_centers=30,
        mixture="hybrid",
        dimension=6000,
        whiten=False,
        frequency_power=0.0,
        seed=0,
    ):
        """Fits independent components, mixture and principal components.

        Args:
            sentences: sequence of N token lists, of the training split only.
            word_vectors: a `WordVectorTable`. Independent components and mixture are fitted to
                those of its words that occur in the sentences; the others are encoded like them.
            num_centers: K.
            mixture: `hybrid`: HGLMM; `gaussian`: GMM; `laplacian`: LMM.
            dimension: of the principal components, which are those of the sentences' Fisher
                vectors; None leaves them out.
            whiten: whether principal components are divided by their standard deviations.
            frequency_power: the mixture is fitted with a word's count to this power as its
                weight. With 1, each occurrence counts and frequent words take a centre each.
            seed: of all that is random: the same seed and sentences give the same feature.

        Returns:
            A `FisherVector`.

        Raises:
            ValueError: for another mixture; when there are not more different words with vectors
                in the sentences than numbers in a vector, fewer of them than centres, or not more
                sentences than dimensions.
        """
        check_choice("mixture", mixture, _LAPLACIAN)
        rows, counts = _occurring(sentences, word_vectors)
        size = word_vectors.size
        if len(rows) <= max(size, num_centers):
            raise ValueError(
                f"Expected more than {max(size, num_centers)} different words with vectors in the "
                f"training sentences, for vectors of {size} numbers and {num_centers} centres. "
                f"Received: {len(rows)}. Take shorter vectors, fewer centres or more sentences"
            )
        largest = min(len(sentences) - 1, 2 * num_centers * size)
        if dimension is not None and not 1 <= dimension <= largest:
            raise ValueError(
                f"Expected a dimension from 1 to {largest}, for {len(sentences)} sentences and "
                f"{num_centers} centres of {size} numbers. Received: dimension={dimension}"
            )
        points = WordVectorTable(
            word_vectors.words, _independent_components(word_vectors.vectors, rows, seed)
        )
        mixture = HybridMixture.fit(
            points.vectors[rows],
            counts**frequency_power,
            num_centers,
            _LAPLACIAN[mixture],
            smallest_scale=_SMALLEST_SCALE,
            max_iterations=_EM_ITERATIONS,
            tolerance=_EM_TOLERANCE,
            seed=seed,
            directions=True,
        )
        feature = cls(points, mixture)
        if dimension is not None:
            feature.principal_components = PrincipalComponents.fit(
                lambda: feature._blocks(sentences), dimension, whiten=whiten, seed=seed
            )
        return feature

    @property
    def words(self):
        """The words that have a vector, tuple of str."""
        return self.word_points.words

    @property
    def dimension(self):
        if self.principal_components is None:
            return 2 * self.mixture.locations.size
        return self.principal_components.dimension

    def transform(self, sentences):
        """Computes features.

        Args:
            sentences: sequence of M token lists.

        Returns:
            float32 `[M, dimension]`; without principal components rows of length 1. Zeros for a
            sentence without any word that has a vector: the mean sentence, with components.
        """
        features = np.empty([len(sentences), self.dimension], np.float32)
        start = 0
        for block in self._blocks(sentences):
            rows = slice(start, start + block.num_rows)
            if self.principal_components is None:
                features[rows] = block.dense()
            else:
                features[rows] = self.principal_components.transform(block)
                features[rows][block.empty_rows()] = 0.0
            start += block.num_rows
        return features

    def count_empty(self, sentences):
        """Returns how many sentences have no word with a vector; their features are zeros."""
        return self.word_points.count_empty(sentences)

    def save(self, path):
        """Writes one file, which `load` restores to the last bit: 4 bytes for each of
        `2 * K * D * dimension` numbers of principal components, and little else."""
        arrays = {
            "words": words_to_array(self.word_points.words),
            "points": self.word_points.vectors,
            "priors": self.mixture.priors,
            "locations": self.mixture.locations,
            "scales": self.mixture.scales,
            "laplacian": self.mixture.laplacian,
            "log_likelihoods": self.mixture.log_likelihoods,
        }
        if self.principal_components is not None:
            arrays["mean"] = self.principal_components.mean
            arrays["components"] = self.principal_components.components
        write_arrays(path, self.kind, arrays)

    @classmethod
    def load(cls, path):
        """Reads a file that `save` wrote.

        Raises:
            FileNotFoundError: there is none.
            ValueError: when it is another file.
        """
        arrays = read_arrays(path, cls.kind)
        points = WordVectorTable(array_to_words(arrays.pop("words")), arrays.pop("points"))
        components = None
        if "components" in arrays:
            components = PrincipalComponents(arrays.pop("mean"), arrays.pop("components"))
        return cls(points, HybridMixture(**arrays), components)

    def _blocks(self, sentences):
        """Yields the normalised Fisher vectors of blocks of sentences, `GroupedMatrix`."""
        for start in range(0, len(sentences), _ROWS):
            shares = self.word_points.shares(sentences[start : start + _ROWS])
            # By columns: each centre takes those of its words.
            columns = shares.tocsc()
            groups, squares = [], np.zeros(shares.shape[0])
            for words, gradients in self._gradients:
                own = columns[:, words].tocsr()
                rows = np.flatnonzero(np.diff(own.indptr))
                values = own[rows] @ gradients
                # The square of the signed square root.
                squares[rows] += np.abs(values).sum(axis=1)
                groups.append((rows, np.copysign(np.sqrt(np.abs(values)), values)))
            lengths = np.sqrt(squares)
            yield GroupedMatrix(shares.shape[0], groups).scaled_rows(
                1.0 / np.where(lengths > 0, lengths, 1.0)
            )


def _occurring(sentences, word_vectors):
    """Rows of the words that occur, int `[n]`, and how often, float64 `[n]`."""
    counts = np.zeros(len(word_vectors.words))
    for start in range(0, len(sentences), _ROWS):
        counts += word_vectors.counts(sentences[start : start + _ROWS]).sum(axis=0)
    rows = np.flatnonzero(counts)
    return rows, counts[rows]


def _independent_components(vectors, rows, seed):
    """Independent components, float32 `[V, D]`, of variance 1 in the rows they are fitted to."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = (vectors / np.where(lengths > 0, lengths, 1.0)).astype(np.float64)
    analysis = FastICA(
        whiten="unit-variance", max_iter=_ICA_ITERATIONS, tol=_ICA_TOLERANCE, random_state=seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        analysis.fit(vectors[rows])
    return analysis.transform(vectors).astype(np.float32)


def fisher_gradients(mixture, points):
    """Computes the normalised gradients of `log u(x)` at points, component by component.

    With the share `gamma = pi_k u_k(x) / u(x)` of component k, the gradients are

        Gaussian    location  gamma (x - mu) / sigma^2
                    scale     gamma ((x - mu)^2 / sigma^3 - 1 / sigma)
        Laplacian   location  gamma sign(x - m) / s
                    scale     gamma (|x - m| / s^2 - 1 / s)

    each divided by the square root of its Fisher information, taken as diagonal and as if shares
    were 0 or 1 (Perronnin and Dance): `pi_k / sigma^2` and `2 pi_k / sigma^2` of a Gaussian's
    location and scale, `pi_k / s^2` for both of a Laplacian.

    Args:
        mixture: a `HybridMixture` of K components.
        points: float `[N, D]`.

    Returns:
        A list of K pairs `(rows, gradients)`: the points with a share of at least 1e-6 in the
        component, int64 `[n_k]`, and float32 `[n_k, 2 * D]`, locations before scales. All other
        gradients are taken as zero.

    Reference: Klein, Lev, Sadeh, Wolf, Associating neural word embeddings with deep image
    representations using Fisher vectors, CVPR 2015, section 4.2; Perronnin and Dance, Fisher
    kernels on visual vocabularies for image categorization, CVPR 2007.
    """
    shares = mixture.responsibilities(points)
    groups = []
    for k, prior in enumerate(mixture.priors):
        rows = np.flatnonzero(shares[:, k] >= SMALLEST_SHARE)
        differences = (points[rows] - mixture.locations[k]) / mixture.scales[k]
        laplacian = mixture.laplacian[k]
        locations = np.where(laplacian, np.sign(differences), differences)
        scales = np.where(
            laplacian, np.abs(differences) - 1.0, (np.square(differences) - 1.0) / np.sqrt(2.0)
        )
        factors = shares[rows, k, None] / np.sqrt(prior if prior > 0 else 1.0)
        gradients = np.concatenate([locations, scales], axis=1) * factors
        groups.append((rows, gradients.astype(np.float32)))
    return groups


class GroupedMatrix:
    """A float32 matrix `[N, K * G]`: in each of K groups of G columns, the rows that are not zero.

    A sentence's words lie near few of the centres of a mixture, and its Fisher vector is zero in
    the columns of all others. Sums and products cost what is there.

    Args:
        num_rows: N.
        groups: list of K pairs `(rows, values)`: int `[n_k]`, ascending, and float32 `[n_k, G]`.

    Attributes: the arguments, and `shape`, `(N, K * G)`.
    """

    def __init__(self, num_rows, groups):
        self.num_rows = num_rows
        self.groups = groups
        self.group_size = groups[0][1].shape[1]
        self.shape = (num_rows, len(groups) * self.group_size)

    def dense(self):
        """Returns the matrix, float32 `[N, K * G]`."""
        matrix = np.zeros(self.shape, np.float32)
        for columns, rows, values in self._parts():
            matrix[rows, columns] = values
        return matrix

    def scaled_rows(self, factors):
        """Returns the `GroupedMatrix` whose row i is `factors[i]` times this one's."""
        factors = np.asarray(factors, np.float32)
        return GroupedMatrix(
            self.num_rows, [(rows, values * factors[rows, None]) for rows, values in self.groups]
        )

    def empty_rows(self):
        """Returns bool `[N]`: True where a row is in no group."""
        empty = np.ones(self.num_rows, bool)
        for rows, _ in self.groups:
            empty[rows] = False
        return empty

    def column_sums(self):
        """Returns float64 `[K * G]`."""
        return np.concatenate([values.sum(axis=0, dtype=np.float64) for _, values in self.groups])

    def product(self, right):
        """Returns `A @ right`, float32 `[N, C]`, of float32 `[K * G, C]`."""
        result = np.zeros([self.num_rows, right.shape[1]], np.float32)
        for columns, rows, values in self._parts():
            result[rows] += values @ right[columns]
        return result

    def add_transposed_product(self, right, total):
        """Adds `A^T @ right` to `total`, float32 `[K * G, C]`, of float32 `[N, C]`."""
        for columns, rows, values in self._parts():
            total[columns] += values.T @ right[rows]

    def _parts(self):
        for k, (rows, values) in enumerate(self.groups):
            yield slice(k * self.group_size, (k + 1) * self.group_size), rows, values
