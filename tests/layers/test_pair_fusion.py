import numpy as np
import pytest

from tests.vsa_tf_test_case import VsaTfTestCase, randomize
from vsa_tf.layers.pair_fusion import PairFusion

_RNG = np.random.default_rng(0)
IMAGES = _RNG.normal(size=(3, 2, 6)).astype("float32")
TEXTS = _RNG.normal(size=(3, 1, 6)).astype("float32")


class TestPairFusion(VsaTfTestCase):
    @pytest.mark.parametrize("num_layers", [1, 2, 3])
    def test_layer(self, num_layers):
        self.run_layer_test(PairFusion, {"num_layers": num_layers}, [IMAGES, TEXTS], (3, 2))

    @pytest.mark.parametrize(
        ("num_layers", "widths"),
        [(1, [(6, 1)]), (2, [(6, 3), (3, 1)]), (3, [(6, 6), (6, 3), (3, 1)])],
    )
    def test_the_product_passes_through_layers_with_relu_between(self, num_layers, widths):
        fusion = PairFusion(num_layers)
        fusion(IMAGES, TEXTS)
        randomize(fusion)
        kernels = [layer.get_weights() for layer in fusion.fusion_layers]
        assert [kernel.shape for kernel, _ in kernels] == widths
        outputs = IMAGES * TEXTS
        for index, (kernel, bias) in enumerate(kernels):
            outputs = (np.maximum(outputs, 0) if index else outputs) @ kernel + bias
        np.testing.assert_allclose(fusion(IMAGES, TEXTS), outputs[..., 0], rtol=1e-4, atol=1e-5)

    def test_other_numbers_of_layers_are_refused(self):
        with pytest.raises(ValueError, match="Expected num_layers.*Received: num_layers=4"):
            PairFusion(4)
