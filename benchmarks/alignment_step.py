"""Time of a training step of the alignment model against the same mathematics in PyTorch.

    python -m benchmarks.alignment_step --repeats=20 [--jit_compile] [--torch_path=FOLDER]
    python -m benchmarks.alignment_step --compare=jit

A step is forward, loss, backward and the momentum update of all weights, of the DVSA paper's model:
ReLU recurrence in both directions, sum of all negatives, no dropout. Ours is the function that
`fit` calls, in TensorFlow's plain graph (and with XLA); PyTorch's is eager code written as one
would. Both start from the same weights, and nothing is timed unless their first losses agree. The
runs alternate in one process, on equally many threads. Prints one JSON line.
"""

from benchmarks.torch_comparison import TorchComparison

# So small that the sum of thousands of hinges neither explodes nor changes its nature.
_LEARNING_RATE = 1e-7
_MOMENTUM = 0.9
_MARGIN = 1.0


class _AlignmentStep(TorchComparison):
    sizes = (
        ("batch_size", 100, "pairs of a batch"),
        ("num_regions", 20, "regions of an image"),
        ("feature_size", 1280, "numbers of a region's feature"),
        ("width", 1000, "width of region and word vectors"),
        ("num_words", 20, "words of every sentence, none of them padding"),
        ("word_embedding_size", 300, "width of a word's embedding"),
        ("vocabulary_size", 3000, "number of token ids"),
    )
    timed_steps = 3
    tolerance = 1e-3

    def check_sizes(self, parser):
        flags = self.flags
        if flags.batch_size < 2:
            parser.error(
                f"expected --batch_size of 2 or more, received {flags.batch_size}: "
                "a single pair has no negatives"
            )
        if flags.vocabulary_size < 2:
            parser.error(
                f"expected --vocabulary_size of 2 or more, received {flags.vocabulary_size}"
            )

    def make_batch(self, random):
        import numpy as np

        flags = self.flags
        shape = flags.batch_size, flags.num_regions
        features = random.standard_normal((*shape, flags.feature_size)).astype(np.float16)
        return {
            "region_features": features,
            "region_boxes": np.tile(np.float32([0, 0, 1, 1]), (*shape, 1)),
            "region_mask": np.ones(shape, bool),
            "token_ids": random.integers(
                1, flags.vocabulary_size, (flags.batch_size, flags.num_words), np.int32
            ),
            "image_id": np.arange(flags.batch_size, dtype=np.int32),
        }

    def keras_model(self):
        from vsa_tf.models.alignment.alignment_model import AlignmentModel

        return AlignmentModel(
            self.flags.vocabulary_size,
            self.flags.width,
            word_embedding_size=self.flags.word_embedding_size,
            cell="relu",
            dropout=0.0,
            margin=_MARGIN,
            negatives="sum",
        )

    def keras_optimizer(self):
        import keras

        return keras.optimizers.SGD(_LEARNING_RATE, momentum=_MOMENTUM)

    def torch_optimizer(self, parameters):
        return self.torch.optim.SGD(parameters, lr=_LEARNING_RATE, momentum=_MOMENTUM)

    def torch_model(self, model):
        flags, torch = self.flags, self.torch
        functional = torch.nn.functional

        def dense(layer):
            return self.torch_linear(layer.kernel, layer.bias)

        def recurrent(layer):
            return self.torch_linear(layer.cell.recurrent_kernel, layer.cell.bias)

        encoder = model.sentence_encoder
        word_table = torch.nn.Embedding(flags.vocabulary_size, flags.word_embedding_size)
        word_table.weight.data = self.torch_tensor(encoder.word_table.embeddings)
        w_m, w_e = dense(model.region_encoder.projection), dense(encoder.input_projection)
        w_d = dense(encoder.output_projection)
        w_f = recurrent(encoder.recurrence.forward_layer)
        w_b = recurrent(encoder.recurrence.backward_layer)
        features, token_ids, image_id = (
            torch.from_numpy(self.batch[name])
            for name in ("region_features", "token_ids", "image_id")
        )

        def states(inputs, matrix, times):
            state = torch.zeros(flags.batch_size, flags.width)
            outputs = [None] * flags.num_words
            for t in times:
                state = functional.relu(inputs[:, t] + matrix(state))
                outputs[t] = state
            return torch.stack(outputs, dim=1)

        def loss_of_batch():
            v = w_m(features.float())
            e = functional.relu(w_e(word_table(token_ids)))
            forward = states(e, w_f, range(flags.num_words))
            backward = states(e, w_b, reversed(range(flags.num_words)))
            s = functional.relu(w_d(forward + backward))
            products = v.reshape(-1, flags.width) @ s.reshape(-1, flags.width).T
            products = products.reshape(
                flags.batch_size, flags.num_regions, flags.batch_size, flags.num_words
            )
            scores = products.max(dim=1).values.sum(dim=-1)
            positives = scores.diagonal()[:, None]
            negative = (image_id[:, None] != image_id[None]).float()
            sentence_costs = functional.relu(scores - positives + _MARGIN) * negative
            image_costs = functional.relu(scores.T - positives + _MARGIN) * negative
            return sentence_costs.sum() + image_costs.sum()

        return [word_table, w_m, w_e, w_f, w_b, w_d], loss_of_batch


if __name__ == "__main__":
    _AlignmentStep(__doc__).run()
