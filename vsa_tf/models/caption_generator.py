"""A captioner and a way of decoding, as one model that Keras compiles."""

import keras


class CaptionGenerator(keras.Model):
    """Writes captions for batches of images.

    A model only so that `predict_on_batch` compiles the whole search on every backend.

    Args:
        captioner: a `Captioner`, built.
        decoder: a decoder of `vsa_tf.decoding`, called with `(step, state, batch_size, prefix)`.

    Call arguments: a batch as of the captioner, without token_ids; `prefix` int `[B, P]` may hold
    words that the captions start with, PAD on the right.

    Returns: `Hypotheses`.
    """

    def __init__(self, captioner, decoder, **kwargs):
        super().__init__(**kwargs)
        self.captioner = captioner
        self.decoder = decoder

    def call(self, batch):
        state = self.captioner.start(batch)
        batch_size = keras.ops.shape(state["first"])[0]
        return self.decoder(self.captioner.step, state, batch_size, prefix=batch.get("prefix"))
