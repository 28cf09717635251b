"""The embedding network of Wang et al.: images and sentences in one space."""

import math

import keras
from keras import ops

from vsa_tf.models.two_branch.two_branch_loss import TwoBranchLoss, pairwise_distances
from vsa_tf.models.two_branch.two_branch_network import TwoBranchNetwork

# The lowest that training may reach, as in CLIP: below it single pairs drown the others.
_LOWEST_TEMPERATURE = 0.01


@keras.saving.register_keras_serializable("vsa_tf")
class EmbeddingNetwork(TwoBranchNetwork):
    """Two branches into one space, in which matching pairs are near (T section 3.2).

    Args:
        margin, image_to_text_weight, text_to_image_weight, image_neighborhood_weight,
            text_neighborhood_weight, negatives, num_hard_negatives, counted_neighbors,
            reduction, teacher_weight: see `TwoBranchLoss`.
        neighborhood_start_step: the neighbourhood terms of the loss count from this step on; 0:
            from the start. The paper adds them for the last epochs.
        temperature: of the `softmax` negatives.
        learn_temperature: train the temperature, from this start.
        **kwargs: settings of `TwoBranchNetwork`, which also says what a batch holds.

    Call arguments: a batch as of `TwoBranchNetwork`, and where there are teachers teacher_scores:
        float `[B, B]` (used by the loss alone).

    Output: a dict of `images`, `[N, joint_size]` (N = B for images and sentences, B R for regions
        and phrases) and `sentences`, `[B, joint_size]`, rows of length 1.
    """

    def __init__(
        self,
        margin=0.05,
        image_to_text_weight=1.0,
        text_to_image_weight=1.5,
        image_neighborhood_weight=0.0,
        text_neighborhood_weight=0.0,
        negatives="softmax",
        num_hard_negatives=10,
        counted_neighbors="furthest",
        reduction="mean",
        teacher_weight=0.5,
        neighborhood_start_step=0,
        temperature=0.04,
        learn_temperature=False,
        input_dropout=0.3,
        **kwargs,
    ):
        super().__init__(input_dropout=input_dropout, **kwargs)
        self.neighborhood_start_step = neighborhood_start_step
        self.temperature = temperature
        self.learn_temperature = learn_temperature
        self.two_branch_loss = TwoBranchLoss(
            margin,
            image_to_text_weight,
            text_to_image_weight,
            image_neighborhood_weight,
            text_neighborhood_weight,
            num_hard_negatives,
            negatives,
            counted_neighbors,
            reduction,
            teacher_weight,
        )
        if learn_temperature and negatives != "softmax":
            raise ValueError(
                "Expected negatives='softmax' with learn_temperature: no other loss has a "
                f"temperature. Received: negatives={negatives!r}"
            )
        # A weight of the model, not the optimiser's counter, which JAX's step cannot see.
        self.steps_trained = self.add_weight(
            name="steps_trained", shape=(), initializer="zeros", trainable=False, dtype="int32"
        )
        if learn_temperature:
            self.log_temperature = self.add_weight(
                name="log_temperature",
                shape=(),
                initializer=keras.initializers.Constant(math.log(temperature)),
            )

    def score(self, images, sentences):
        """Returns minus the Euclidean distance, float `[N, M]`.

        Args:
            images: float `[N, joint_size]`, of `embed_images`.
            sentences: float `[M, joint_size]`, of `embed_sentences`.
        """
        return -pairwise_distances(images, sentences)

    def call(self, batch, training=False):
        regions, texts = self.embed_batch(batch, training)
        return {"images": ops.reshape(regions, (-1, self.joint_size)), "sentences": texts}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        neighborhood = ops.cast(self.steps_trained >= self.neighborhood_start_step, "float32")
        if training:
            self.steps_trained.assign_add(1)
        images, sentences, taught = self.gather(
            (y_pred["images"], y_pred["sentences"], x.get("teacher_scores"))
        )
        return self.two_branch_loss(
            ops.cast(images, "float32"),
            ops.cast(sentences, "float32"),
            self.masks(x),
            neighborhood,
            self._temperature(),
            taught,
        )

    def _temperature(self):
        if not self.learn_temperature:
            return self.temperature
        return ops.maximum(ops.exp(self.log_temperature), _LOWEST_TEMPERATURE)

    def get_config(self):
        return {
            **super().get_config(),
            **self.two_branch_loss.get_config(),
            "neighborhood_start_step": self.neighborhood_start_step,
            "temperature": self.temperature,
            "learn_temperature": self.learn_temperature,
        }
