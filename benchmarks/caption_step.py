"""Training tokens per second of m-RNN against the same mathematics in PyTorch.

    python -m benchmarks.caption_step [--jit_compile] [--torch_path=FOLDER]
    python -m benchmarks.caption_step --compare=jit

A step is forward, loss, backward and Adam's update of all weights, of the m-RNN paper's model: word
vectors of 128, recurrence of 256 with ReLU, multimodal layer of 512, no dropout. Ours is the
function that `fit` calls, in TensorFlow's plain graph (and with XLA); PyTorch's is eager code
written as one would. Both start from the same weights, and nothing is timed unless their first
losses agree. The runs alternate in one process, on equally many threads; while other programs run,
give it one core (`taskset -c 0`), because threads that wait for each other lose more than others.
END counts as a token. Prints one JSON line.
"""

import math
import os

from benchmarks.torch_comparison import TorchComparison

_LEARNING_RATE = 1e-3
# Keras adds it before the bias correction, PyTorch after: so small, it does not tell in either.
_EPSILON = 1e-12


class _CaptionStep(TorchComparison):
    sizes = (
        ("batch_size", 128, "sentences of a batch"),
        ("num_words", 12, "words of every sentence, none of them padding, END not counted"),
        ("feature_size", 1280, "numbers of an image's feature"),
        ("vocabulary_size", 2500, "number of token ids"),
        ("word_embedding_size", 128, "width of a word's first vector"),
        ("recurrent_size", 256, "width of the recurrence"),
        ("multimodal_size", 512, "width of the multimodal layer"),
    )
    timed_steps = 5
    tolerance = 1e-4

    def check_sizes(self, parser):
        size = self.flags.vocabulary_size
        if size < 5:
            parser.error(
                "expected --vocabulary_size of 5 or more, words beside PAD, START, END "
                f"and UNK, received {size}"
            )

    def make_batch(self, random):
        import numpy as np

        flags = self.flags
        shape = flags.batch_size, 1, flags.feature_size
        return {
            "region_features": random.standard_normal(shape).astype(np.float16),
            "token_ids": random.integers(
                4, flags.vocabulary_size, (flags.batch_size, flags.num_words), np.int32
            ),
        }

    def keras_model(self):
        from vsa_tf.models.captioning.m_rnn import MRnn

        return MRnn(
            self.flags.vocabulary_size,
            word_embedding_size=self.flags.word_embedding_size,
            recurrent_size=self.flags.recurrent_size,
            multimodal_size=self.flags.multimodal_size,
        )

    def keras_optimizer(self):
        import keras

        return keras.optimizers.Adam(_LEARNING_RATE, epsilon=_EPSILON)

    def torch_optimizer(self, parameters):
        return self.torch.optim.Adam(parameters, lr=_LEARNING_RATE, eps=_EPSILON)

    def torch_model(self, model):
        flags, torch = self.flags, self.torch
        functional = torch.nn.functional
        word_table = torch.nn.Embedding(flags.vocabulary_size, flags.word_embedding_size)
        word_table.weight.data = self.torch_tensor(model.word_table.embeddings)
        w_2, v_w, v_r, v_i, w_o = (
            self.torch_linear(layer.kernel, layer.bias)
            for layer in (model.W_2, model.V_w, model.V_r, model.V_I, model.softmax)
        )
        cell = model.recurrence.cell
        u_r = self.torch_linear(cell.recurrent_kernel, cell.bias)
        features = torch.from_numpy(self.batch["region_features"][:, 0])
        words = torch.from_numpy(self.batch["token_ids"]).long()
        inputs = functional.pad(words, (1, 0), value=1)
        targets = functional.pad(words, (0, 1), value=2)

        def loss_of_batch():
            w = functional.relu(w_2(word_table(inputs)))
            r = torch.zeros(flags.batch_size, flags.recurrent_size)
            states = []
            for t in range(inputs.shape[1]):
                r = functional.relu(w[:, t] + u_r(r))
                states.append(r)
            image = v_i(features.float())[:, None]
            m = 1.7159 * torch.tanh((v_w(w) + v_r(torch.stack(states, dim=1)) + image) * (2 / 3))
            logits = w_o(m).flatten(0, 1)
            costs = functional.cross_entropy(logits, targets.flatten(), ignore_index=0)
            return costs / math.log(2)

        return [word_table, w_2, u_r, v_w, v_r, v_i, w_o], loss_of_batch

    def measure(self):
        result = super().measure()
        num_tokens = self.flags.batch_size * (self.flags.num_words + 1)
        return {
            **result,
            # 1 lets TensorFlow use oneDNN's matrix products on every processor.
            "TF_ENABLE_ONEDNN_OPTS": os.environ.get("TF_ENABLE_ONEDNN_OPTS"),
            "most_tokens_per_second": {
                name: round(1000 * num_tokens / value)
                for name, value in result["least_step_ms"].items()
            },
        }


if __name__ == "__main__":
    _CaptionStep(__doc__).run()
