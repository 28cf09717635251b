"""The shared test case of layers, losses and models, after KerasHub's."""

import contextlib
import json

import keras
import numpy as np
import tensorflow as tf

_STEP = 1e-6


class VsaTfTestCase:
    """Checks that every layer and every loss must pass; test files add hand-made numbers.

    A plain class, so that pytest's parameters and fixtures work in the classes derived from it.
    """

    def run_layer_test(
        self, layer_class, init_kwargs, inputs, expected_output_shape, unknown_axes=None
    ):
        """Checks configuration, shapes, dtypes, graph execution and gradients of a layer.

        Args:
            layer_class: the class.
            init_kwargs: a dict, or a function that returns one, where arguments are layers.
            inputs: list of numpy arrays, the positional call arguments.
            expected_output_shape: tuple.
            unknown_axes: for each input the axes whose size a graph does not know, a list of
                tuples; by default the first.
        """
        make = init_kwargs if callable(init_kwargs) else lambda: dict(init_kwargs)
        keras.utils.set_random_seed(0)
        layer = layer_class(**make())
        outputs = layer(*inputs)
        assert tuple(outputs.shape) == expected_output_shape
        assert outputs.dtype == tf.float32
        assert np.isfinite(outputs).all()
        shapes = [value.shape for value in inputs]
        assert tuple(layer.compute_output_shape(*shapes)) == expected_output_shape
        self._check_round_trip(layer, inputs, outputs)
        config = _neutral(layer_class(**make()).get_config())
        revived = layer_class.from_config(_neutral(config))  # a copy: it may be changed
        assert _neutral(revived.get_config()) == config
        self._check_unknown_sizes(layer, inputs, outputs, unknown_axes)
        with dtype_policy("mixed_bfloat16"):
            low = layer_class(**make())(*inputs)
        assert low.dtype == tf.bfloat16
        assert np.isfinite(tf.cast(low, tf.float32)).all()
        with dtype_policy("float64"):
            exact = layer_class(**make())
            exact(*inputs)
            randomize(exact)
            self.check_gradients(lambda: exact(*inputs), exact.trainable_weights)

    def run_loss_test(self, loss_class, init_kwargs, scores, image_id):
        """Checks configuration, shape and gradients of a loss over scores `[B, B]`."""
        loss = loss_class(**init_kwargs)
        config = json.loads(json.dumps(loss.get_config()))
        assert loss_class(**config).get_config() == config == loss.get_config()
        assert config.items() >= init_kwargs.items()
        value = loss(tf.constant(scores, tf.float32), image_id)
        assert value.shape == ()
        assert value.dtype == tf.float32
        variable = keras.Variable(scores, dtype="float64")
        self.check_gradients(lambda: loss(tf.identity(variable.value), image_id), [variable])

    def check_gradients(self, function, variables):
        """Compares gradients with central finite differences, in float64.

        Args:
            function: without arguments; its outputs, weighted at random, are differentiated.
            variables: list of Keras variables; all elements of each are moved at once, in a
                direction drawn at random: where a gradient is wrong, it is in nearly any.
        """
        rng = np.random.default_rng(0)
        with tf.GradientTape() as tape:
            outputs = function()
            output_weights = rng.normal(size=outputs.shape)
            value = tf.reduce_sum(tf.cast(outputs, tf.float64) * output_weights)
        gradients = tape.gradient(value, [variable.value for variable in variables])

        # Gradients of graphs take longer to trace than all the differences.
        @tf.function(autograph=False)
        def loss():
            return tf.reduce_sum(tf.cast(function(), tf.float64) * output_weights)

        for variable, gradient in zip(variables, gradients, strict=True):
            name = variable.path
            assert gradient is not None, f"{name} has no gradient"
            gradient = tf.convert_to_tensor(gradient).numpy()
            assert np.isfinite(gradient).all(), name
            start = np.array(variable)
            direction = rng.normal(size=start.shape)
            direction /= np.linalg.norm(direction)
            sides = []
            for step in (_STEP, -_STEP):
                variable.assign(start + step * direction)
                sides.append(float(loss()))
            variable.assign(start)
            difference = (sides[0] - sides[1]) / (2 * _STEP)
            np.testing.assert_allclose(
                (gradient * direction).sum(), difference, rtol=1e-5, atol=1e-6, err_msg=name
            )

    def _check_round_trip(self, layer, inputs, outputs):
        revived = type(layer).from_config(_neutral(layer.get_config()))
        revived(*inputs)
        revived.set_weights(layer.get_weights())
        np.testing.assert_array_equal(revived(*inputs), outputs)

    def _check_unknown_sizes(self, layer, inputs, outputs, unknown_axes):
        specifications = []
        for value, axes in zip(inputs, unknown_axes or [(0,)] * len(inputs), strict=True):
            shape = [None if axis in axes else size for axis, size in enumerate(value.shape)]
            specifications.append(tf.TensorSpec(shape, value.dtype))
        function = tf.function(
            lambda *values: layer(*values), input_signature=specifications, autograph=False
        )
        np.testing.assert_allclose(function(*inputs), outputs, rtol=1e-5, atol=1e-5)


def _neutral(config):
    """A configuration as a JSON file gives it back: tuples have become lists."""
    return json.loads(json.dumps(config))


@contextlib.contextmanager
def dtype_policy(name):
    """Makes layers of this policy while in force."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def fit(model, steps, batch):
    """Trains a compiled model on one batch; returns the loss of each step.

    A few steps are eager, unless XLA compiles: to trace one takes as long as ten.
    """
    if steps <= 8 and model.jit_compile is False:
        model.run_eagerly = True
    dataset = tf.data.Dataset.from_tensors(batch).repeat()
    losses = model.fit(dataset, steps_per_epoch=1, shuffle=False, verbose=0).history["loss"]
    batches = iter(dataset)
    # As more epochs would, which take longer to begin than to run.
    for _ in range(steps - 1):
        model.reset_metrics()
        losses.append(float(model.train_function(batches)["loss"]))
    return losses


def randomize(layer, seed=0, scale=0.5):
    """Draws all trainable weights, biases too: zeros would lie on the kinks of ReLU."""
    rng = np.random.default_rng(seed)
    for weight in layer.trainable_weights:
        weight.assign(rng.normal(scale=scale, size=weight.shape))
