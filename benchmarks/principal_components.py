"""What share of the variance principal components keep, beside exact ones and a one-pass sketch.

The rows are drawn: the standard deviation of column i is i to the power of minus the decay, 0 for
noise. Exact is the share of all variance that the eigenvectors of the covariance keep, in percent;
the others are shares of that, in percent: fitted as `--text=hglmm` fits them, iterations by power
iterations, which are for larger matrices, and sketch by the rows added up with random signs into
the components + 200 (Clarkson and Woodruff 2013), which is what was done before.

    python -m benchmarks.principal_components --rows=1000 --columns=600 --dimension=200
"""

import time

from benchmarks.benchmark_parser import BenchmarkParser, print_entry


def main():
    parser = BenchmarkParser(__doc__)
    parser.add_integers(
        ("rows", 1000, "rows"),
        ("columns", 600, "columns"),
        ("dimension", 200, "components"),
        ("seed", 0, "random seed"),
    )
    parser.add_argument("--decay", type=float, default=0.5, help="see above (default 0.5)")
    flags = parser.parse_args()
    if flags.dimension >= min(flags.rows, flags.columns):
        parser.error("expected --dimension below --rows and --columns")

    import numpy as np

    from vsa_tf.sentence_features.fisher_vector import GroupedMatrix
    from vsa_tf.sentence_features.principal_components import PrincipalComponents

    rng = np.random.default_rng(flags.seed)
    deviations = np.arange(1.0, flags.columns + 1) ** -flags.decay
    matrix = rng.normal(size=(flags.rows, flags.columns)) * deviations
    centered = matrix - matrix.mean(axis=0)
    matrix = matrix.astype(np.float32)
    variances = np.linalg.eigvalsh(centered.T @ centered)
    exact = variances[-flags.dimension :].sum()

    def share(components):
        return round(100 * float(np.square(centered @ components).sum() / exact), 2)

    def blocks():
        return [GroupedMatrix(flags.rows, [(np.arange(flags.rows), matrix)])]

    result = {"rows": flags.rows, "columns": flags.columns, "components": flags.dimension}
    result["decay"] = flags.decay
    result["exact"] = round(100 * float(exact / variances.sum()), 2)
    for name, options in (("fitted", {}), ("iterations", {"exact_size": 0})):
        start = time.perf_counter()
        fitted = PrincipalComponents.fit(blocks, flags.dimension, **options)
        result[name] = share(fitted.components)
        result[f"{name}_seconds"] = round(time.perf_counter() - start, 2)
    size = min(flags.dimension + 200, flags.rows)
    sketch = np.zeros((size, flags.columns))
    signs = rng.choice([-1.0, 1.0], (flags.rows, 1))
    np.add.at(sketch, rng.integers(size, size=flags.rows), signs * centered)
    result["sketch"] = share(np.linalg.svd(sketch, full_matrices=False)[2][: flags.dimension].T)
    print_entry("ways to fit them", [result], flags)


if __name__ == "__main__":
    main()
