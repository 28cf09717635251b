import numpy as np
import tensorflow as tf

from vsa_tf.layers.fragment_products import fragment_products


def _random():
    rng = np.random.default_rng(0)
    regions, fragments = rng.normal(size=(2, 3, 4)), rng.normal(size=(5, 6, 4))
    return regions.astype("float32"), fragments.astype("float32")


def test_every_region_meets_every_fragment():
    regions, fragments = _random()
    products = np.array(fragment_products(regions, fragments))
    assert products.shape == (2, 3, 5, 6)
    for k, i, l, j in np.ndindex(products.shape):
        np.testing.assert_allclose(
            products[k, i, l, j], regions[k, i] @ fragments[l, j], rtol=1e-5, atol=1e-5
        )


def test_sizes_unknown_to_a_graph():
    specification = tf.TensorSpec([None, None, 4])
    function = tf.function(fragment_products, input_signature=[specification] * 2)
    np.testing.assert_allclose(
        function(*_random()), fragment_products(*_random()), rtol=1e-5, atol=1e-6
    )
