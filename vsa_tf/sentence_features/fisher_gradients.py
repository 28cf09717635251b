"""Gradients of a hybrid mixture's log-likelihood, the contents of a Fisher vector."""

import numpy as np

# A point's share in a component below which its gradient there is taken as zero, as VLFeat does.
SMALLEST_SHARE = 1e-6


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
