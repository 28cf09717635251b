"""Hybrid Gaussian-Laplacian mixture model (HGLMM), fitted by EM."""

import numpy as np
from sklearn.cluster import kmeans_plusplus

# Rows of the E step that are worked on together: their distances stay in cache.
_ROWS = 128

# Points whose share in a component is below this take no part in its estimates: the likelihood
# moves by less than its rounding.
_SMALLEST_SHARE = 1e-12


class HybridMixture:
    """K components, each dimension of each either Gaussian or Laplacian.

    The density of component k at `x` (Klein et al., section 4) is

        u_k(x) = prod_d Laplace(x_d; m_kd, s_kd)^b_kd Normal(x_d; mu_kd, sigma_kd)^(1 - b_kd)
        Laplace(x; m, s) = exp(-|x - m| / s) / 2s
        Normal(x; mu, sigma) = exp(-(x - mu)^2 / 2 sigma^2) / sqrt(2 pi sigma^2)

    with `b_kd` 0 or 1, and of the mixture `u(x) = sum_k pi_k u_k(x)`. As only one of the two
    densities of a dimension counts, one location and one scale of each are kept.

    Args:
        priors: float64 `[K]`; pi, sum 1.
        locations: float64 `[K, D]`; `m_kd` where Laplacian, else `mu_kd`.
        scales: float64 `[K, D]`, above 0; `s_kd` where Laplacian, else `sigma_kd`.
        laplacian: bool `[K, D]`; b.
        log_likelihoods: float `[iterations]`; weighted mean of `log u(x)` before each M step.

    Attributes: the arguments.

    Reference: Klein, Lev, Sadeh, Wolf, Associating neural word embeddings with deep image
    representations using Fisher vectors, CVPR 2015, section 4.
    """

    def __init__(self, priors, locations, scales, laplacian, log_likelihoods=()):
        self.priors = np.asarray(priors, np.float64)
        self.locations = np.asarray(locations, np.float64)
        self.scales = np.asarray(scales, np.float64)
        self.laplacian = np.asarray(laplacian, bool)
        self.log_likelihoods = np.asarray(log_likelihoods, np.float64)
        shapes = {array.shape for array in (self.locations, self.scales, self.laplacian)}
        if len(shapes) > 1 or self.locations.shape[:1] != self.priors.shape:
            raise ValueError(
                "Expected priors [K] and locations, scales and laplacian [K, D]. Received: "
                f"priors {self.priors.shape}, locations {self.locations.shape}, scales "
                f"{self.scales.shape}, laplacian {self.laplacian.shape}"
            )
        if not (self.scales > 0).all():
            raise ValueError(f"Expected scales above 0. Received: {self.scales.min()}")

    @classmethod
    def fit(
        cls,
        points,
        weights=None,
        num_components=30,
        laplacian=None,
        smallest_scale=0.1,
        max_iterations=100,
        tolerance=1e-3,
        seed=0,
        directions=False,
    ):
        """Fits a mixture by EM.

        It starts with each point in the component of the nearest of K seeds, which k-means++ has
        drawn far apart.

        E step: `gamma_k(x) = pi_k u_k(x) / u(x)`. M step, all sums weighted with `gamma_k(x)` and
        the weight of x: mu the mean, sigma the standard deviation, m the median, s the mean
        absolute deviation from m, `b_kd = 1` where the Laplacian's log-likelihood is the larger.
        Every step maximises the expected log-likelihood over all of them, so that the likelihood
        never falls.

        Args:
            points: float `[N, D]`.
            weights: float `[N]`, 0 or more: how often each point counts. None: once.
            num_components: K; no more than there are different points.
            laplacian: bool, for all dimensions; None chooses for each, as above.
            smallest_scale: bound below which no sigma and no s falls, in standard deviations of
                the dimension over all points. Without one, a component shrinks to a point.
            max_iterations: of EM.
            tolerance: EM ends when the mean log-likelihood rises by less than this.
            seed: of the k-means++ seeds.
            directions: seeds are drawn, and nearest, among the points divided by their lengths.
                In many dimensions of heavy tails those far apart are else single outliers.

        Returns:
            A `HybridMixture`.

        Raises:
            ValueError: if points are not finite, too few, weights do not fit or are negative, or a
                setting is out of range.
        """
        points = np.ascontiguousarray(points, np.float64)
        weights = _checked_weights(points, weights)
        if not 1 <= num_components <= len(points):
            raise ValueError(
                f"Expected num_components from 1 to the number of points, {len(points)}. "
                f"Received: num_components={num_components}"
            )
        if not smallest_scale > 0 or max_iterations < 1:
            raise ValueError(
                "Expected smallest_scale above 0 and max_iterations of 1 or more. Received: "
                f"smallest_scale={smallest_scale}, max_iterations={max_iterations}"
            )
        mean = weights @ points
        floors = smallest_scale * np.sqrt(weights @ np.square(points - mean))
        # A dimension in which all points are equal has no standard deviation.
        floors[floors == 0] = smallest_scale
        starts = points
        if directions:
            lengths = np.linalg.norm(points, axis=1, keepdims=True)
            starts = points / np.where(lengths > 0, lengths, 1.0)
        shares = _nearest_seed(starts, weights, num_components, seed)
        mixture = _maximized(points, weights, shares, floors, laplacian, None)
        history = []
        for _ in range(max_iterations):
            shares, log_densities = mixture._expectation(points)
            history.append(weights @ log_densities)
            if len(history) > 1 and history[-1] - history[-2] < tolerance:
                break
            mixture = _maximized(points, weights, shares, floors, laplacian, mixture)
        mixture.log_likelihoods = np.array(history)
        return mixture

    def responsibilities(self, points):
        """Returns `gamma`, float64 `[N, K]`, rows of sum 1, of points float `[N, D]`."""
        return self._expectation(np.ascontiguousarray(points, np.float64))[0]

    def log_densities(self, points):
        """Returns `log u(x)`, float64 `[N]`, of points float `[N, D]`."""
        return self._expectation(np.ascontiguousarray(points, np.float64))[1]

    def _expectation(self, points):
        """Returns the responsibilities `[N, K]` and log densities `[N]`."""
        inverse_variances = np.where(self.laplacian, 0.0, self.scales**-2.0)
        inverse_scales = np.where(self.laplacian, 1.0 / self.scales, 0.0)
        constants = np.where(
            self.laplacian,
            -np.log(2.0 * self.scales),
            -np.log(self.scales) - 0.5 * np.log(2.0 * np.pi),
        ).sum(axis=1)
        with np.errstate(divide="ignore"):
            constants += np.log(self.priors)
        joint = np.empty([len(points), len(self.priors)])
        for start in range(0, len(points), _ROWS):
            rows = points[start : start + _ROWS]
            for k, location in enumerate(self.locations):
                differences = np.abs(rows - location)
                exponent = differences @ inverse_scales[k]
                exponent += 0.5 * (np.square(differences) @ inverse_variances[k])
                joint[start : start + _ROWS, k] = constants[k] - exponent
        largest = joint.max(axis=1, keepdims=True)
        shares = np.exp(joint - largest)
        total = shares.sum(axis=1, keepdims=True)
        shares /= total
        return shares, (largest + np.log(total))[:, 0]


def _checked_weights(points, weights):
    """Weights of sum 1."""
    if points.ndim != 2 or not points.size or not np.isfinite(points).all():
        raise ValueError(
            "Expected finite points [N, D], at least one. Received: "
            + (
                f"shape {points.shape}"
                if points.ndim != 2 or not points.size
                else f"NaN or infinity in row {np.argwhere(~np.isfinite(points))[0][0]}"
            )
        )
    weights = np.ones(len(points)) if weights is None else np.asarray(weights, np.float64)
    if weights.shape != points.shape[:1] or not (weights >= 0).all() or not weights.sum() > 0:
        raise ValueError(
            f"Expected one weight of 0 or more for each of {len(points)} points, not all 0. "
            f"Received: weights of shape {weights.shape}, the least {weights.min(initial=np.inf)}"
        )
    return weights / weights.sum()


def _nearest_seed(points, weights, num_components, seed):
    """Responsibilities `[N, K]`, 1 of the nearest of K points drawn far apart."""
    centers, _ = kmeans_plusplus(points, num_components, sample_weight=weights, random_state=seed)
    distances = np.square(centers).sum(axis=1) - 2.0 * (points @ centers.T)
    return np.eye(num_components)[distances.argmin(axis=1)]


def _maximized(points, weights, shares, floors, laplacian, before):
    """The M step. A component without any weight keeps what it was `before`."""
    num_components, size = shares.shape[1], points.shape[1]
    priors = weights @ shares
    parameters = []
    for k in range(num_components):
        rows = np.flatnonzero((shares[:, k] > _SMALLEST_SHARE) & (weights > 0))
        own = weights[rows] * shares[rows, k]
        if rows.size:
            parameters.append(_component(points[rows], own / own.sum(), floors, laplacian))
        elif before is not None:
            parameters.append((before.locations[k], before.scales[k], before.laplacian[k]))
        else:
            parameters.append((np.zeros(size), floors / floors.min(), np.zeros(size, bool)))
    return HybridMixture(priors / priors.sum(), *map(np.array, zip(*parameters, strict=True)))


def _component(points, weights, floors, laplacian):
    """Location, scale and kind of every dimension of one component, `[D]` each."""
    mean = weights @ points
    variance = weights @ np.square(points - mean)
    sigma = np.maximum(np.sqrt(variance), floors)
    median = _weighted_median(points, weights)
    deviation = weights @ np.abs(points - median)
    s = np.maximum(deviation, floors)
    if laplacian is None:
        gaussian_likelihood = (
            -np.log(sigma) - 0.5 * np.log(2.0 * np.pi) - variance / (2.0 * sigma**2)
        )
        laplacian = -np.log(2.0 * s) - deviation / s > gaussian_likelihood
    else:
        laplacian = np.full(len(mean), laplacian)
    return np.where(laplacian, median, mean), np.where(laplacian, s, sigma), laplacian


def _weighted_median(points, weights):
    """The least value of each column with at least half of the weight at or below it, `[D]`."""
    order = points.argsort(axis=0)
    cumulative = weights[order].cumsum(axis=0)
    # Half of the sum as it was rounded here, which is the last row.
    middle = (cumulative >= 0.5 * cumulative[-1]).argmax(axis=0)
    return np.take_along_axis(points, np.take_along_axis(order, middle[None], 0), 0)[0]
