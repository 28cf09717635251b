"""Settings of the two-branch networks."""

import dataclasses
from typing import ClassVar

from vsa_tf.errors import VsaTfError
from vsa_tf.models.network_settings import (
    AUTO,
    DistilledSettings,
    NetworkSettings,
    setting,
    with_default,
)

# T section 5.6: "experimentally found to give the best results".
DEFAULT_PHRASE_WEIGHT = 0.2
# Under the root of a distance: keeps its gradient finite where two vectors are equal, at .01.
SQUARE_OFFSET = 1e-4


@dataclasses.dataclass(frozen=True)
class TwoBranchSettings(NetworkSettings):
    """What the two-branch networks share (T)."""

    family: ClassVar[str] = "two_branch"
    epochs_of_images: ClassVar[int] = 14
    # Of --task=region_phrase, in the place of the fields' own.
    phrase_defaults: ClassVar[dict] = {
        "hidden_size": 1024,
        "text_hidden_size": 1024,
        "dropout": 0.0,
        "regions_context": False,
        "region_geometry": True,
    }

    task: str = setting(
        "image_sentence",
        "What is paired: images with sentences, or regions with phrases.",
        choices=("image_sentence", "region_phrase"),
    )
    text: str = setting(
        "tf_idf",
        "Text side: Fisher vectors (paper: hglmm), mean word vector, tf-idf, a recurrence, or "
        "CLIP's text tower, frozen (keras_hub:PRESET, a name or a directory).",
        choices=("hglmm", "mean_vector", "tf_idf", "lstm", "gru", "keras_hub:PRESET"),
    )
    num_centers: int = setting(
        30, "Centres of the mixture of --text=hglmm (paper: 30).", minimum=1, of_network=False
    )
    mixture: str = setting(
        "hybrid",
        "Densities of the mixture of --text=hglmm: of each number the likelier (paper: hybrid), or "
        "all Gaussian (GMM) or Laplacian.",
        choices=("hybrid", "gaussian", "laplacian"),
        of_network=False,
    )
    text_feature_size: int = setting(
        6000,
        "Principal components of --text=hglmm (paper: 6000); 0: all numbers.",
        minimum=0,
        of_network=False,
    )
    recurrent_size: int = setting(
        512, "Width of the recurrence of --text=lstm (paper: 512).", minimum=1
    )
    word_pooling: str = setting(
        "last",
        "What a recurrence hands on (paper: its last state).",
        choices=("last", "mean", "max", "learned"),
    )
    bidirectional: bool = setting(
        False, "Read sentences from both ends, by the mean of two recurrences (paper: no)."
    )
    word_dropout: float = setting(
        0.0, "Dropout on the word vectors of a recurrence.", minimum=0.0, maximum=0.99
    )
    joint_size: int = setting(512, "Width of both branches' outputs (paper: 512).", minimum=1)
    hidden_size: int = setting(
        2048, "Width of the image branch's hidden layer (paper: 2048; phrases: 1024).", minimum=1
    )
    text_hidden_size: int = setting(
        2048,
        "Width of the text branch's hidden layer (paper: 2048; phrases, lstm: 1024).",
        minimum=1,
    )
    linear_branches: bool = setting(False, "One layer a branch (paper's Table 1, linear).")
    batch_norm_at: str = setting(
        "first",
        "Layer of the branches that BatchNorm follows (authors' code: first).",
        choices=("first", "last"),
    )
    dropout: float = setting(
        0.5, "Dropout on the hidden layers (paper: 0.5; phrases: 0).", minimum=0.0, maximum=0.99
    )
    input_dropout: float = setting(
        0.0,
        "Dropout on the features that the branches read (paper: none).",
        minimum=0.0,
        maximum=0.99,
    )
    feature_normalization: str = setting(
        "l2",
        "Scale image features to one length, l2: as they are, power: their square roots "
        "(paper: none).",
        choices=("none", "l2", "power"),
    )
    text_normalization: str = setting(
        "none", "The same of sentence features (paper: none).", choices=("none", "l2", "power")
    )
    regions_context: bool = setting(
        True, "Show the image branch the regions, pooled, beside the frame (paper: no)."
    )
    regions_pooling: str = setting(
        "mean",
        "Of --regions_context: mean, maximum, or learned weights of each number's sorted values.",
        choices=("mean", "max", "learned"),
    )
    regions_size: int = setting(
        0,
        "Width of a linear layer on each region before they are pooled; 0: pool the features.",
        minimum=0,
    )
    region_dropping: float = setting(
        0.0,
        "Share of an image's regions, never the frame, left out at random in training (paper: 0).",
        minimum=0.0,
        maximum=0.99,
    )
    word_dropping: float = setting(
        0.0,
        "Share of the words of a recurrence left out at random in training (paper: 0).",
        minimum=0.0,
        maximum=0.99,
    )
    region_geometry: bool = setting(
        False, "Add the place and size of its box to every region's feature (paper: no)."
    )
    num_neighbors: int = setting(
        2,
        "Texts of an image, or phrases of a chain, in a batch (paper: 2); 1: no such sampling.",
        minimum=1,
        of_network=False,
    )
    num_proposals: int = setting(
        10,
        "Proposals that overlap too little, drawn for each phrase of a batch (paper: all).",
        minimum=1,
        of_network=False,
    )
    num_positives: int = setting(
        1,
        "Proposals that overlap enough, drawn for each phrase (paper: 1; similarity: all).",
        minimum=1,
        of_network=False,
    )
    negative_overlap: float = setting(
        0.3,
        "Overlap with a phrase's box below which a proposal is a negative (paper: 0.3).",
        minimum=0.0,
        maximum=1.0,
    )
    positive_overlap: float = setting(
        0.7,
        "Overlap from which a proposal is a positive too (paper: 0.7); 0: none is.",
        minimum=0.0,
        maximum=1.0,
    )
    negative_phrases: str = setting(
        "unmatched",
        "Wrong phrases of a region: of other_chains (paper), or of these the unmatched, which are "
        "of another box and in other words.",
        choices=("unmatched", "other_chains"),
    )
    reduction: str = setting(
        "mean",
        "The loss of a batch: mean (authors' code) or sum (paper) over its pairs or triplets.",
        choices=("mean", "sum"),
    )

    @classmethod
    def defaults(cls, given):
        defaults = super().defaults(given)
        if given.get("task") == "region_phrase":
            defaults |= cls.phrase_defaults
        elif given.get("num_regions") == 1:
            defaults["regions_context"] = False
        return defaults

    @property
    def flickr8k(self):
        if self.pairs_phrases:
            return {"batch_size": 100, "num_epochs": 3}
        return {"batch_size": 500, "num_epochs": self.epochs_of_images}

    @property
    def reads_sentence_features(self):
        return self.text not in ("lstm", "gru")

    @property
    def contrasts_images(self):
        return not self.pairs_phrases

    @property
    def pairs_phrases(self):
        return self.task == "region_phrase"

    @property
    def signatures(self):
        return ("localize" if self.pairs_phrases else "score", "embed_image", "embed_sentence")

    def check(self, data):
        super().check(data)
        reads_words = not self.reads_sentence_features
        for where, is_read, names in (
            ("--text=hglmm", self.text == "hglmm", "num_centers mixture text_feature_size"),
            (
                "a recurrence, --text=lstm or gru",
                reads_words,
                "recurrent_size bidirectional word_pooling word_dropout word_dropping",
            ),
            ("a --text of sentence features", not reads_words, "text_normalization"),
            (
                "--task=region_phrase",
                self.pairs_phrases,
                "num_proposals num_positives negative_overlap positive_overlap negative_phrases",
            ),
            (
                "regions_context, which is of --task=image_sentence and more --num_regions than 1",
                self.regions_context,
                "regions_pooling regions_size region_dropping",
            ),
        ):
            for name in names.split():
                self.check_read(name, is_read, where)
        if not reads_words:
            if not self.train_word_vectors:
                raise VsaTfError(
                    f"--train_word_vectors=False has no meaning with --text={self.text}"
                )
            if self.text.startswith("keras_hub:") and self.word_vectors:
                raise VsaTfError(f"--word_vectors has no meaning with --text={self.text}")
            if data.tokenizer != "word":
                raise VsaTfError(
                    f"--text={self.text} counts words: it needs --tokenizer=word. Received: "
                    f"--tokenizer={data.tokenizer}"
                )
        if data.batch_size != AUTO and data.batch_size % self.num_neighbors:
            raise VsaTfError(
                f"--batch_size={data.batch_size} must be a multiple of "
                f"--num_neighbors={self.num_neighbors}"
            )
        if self.regions_context and (self.pairs_phrases or data.num_regions == 1):
            raise VsaTfError(
                "--regions_context needs --task=image_sentence and more regions than the frame"
            )
        if self.region_geometry and not self.pairs_phrases:
            raise VsaTfError("--region_geometry needs --task=region_phrase: a frame is a frame")


@dataclasses.dataclass(frozen=True)
class EmbeddingSettings(DistilledSettings, TwoBranchSettings):
    """The embedding network."""

    phrase_defaults: ClassVar[dict] = {
        **TwoBranchSettings.phrase_defaults,
        "input_dropout": 0.0,
        "text_to_image_weight": 4.0,
        "image_neighborhood_weight": 0.1,
        "text_neighborhood_weight": 0.1,
        "negatives": "top_k",
        "num_hard_negatives": 30,
    }

    input_dropout: float = with_default(TwoBranchSettings, "input_dropout", 0.3)
    margin: float = setting(0.05, "Margin m (paper: 0.05).", minimum=0.0)
    image_to_text_weight: float = setting(1.0, "lambda 1 (paper: 1; phrases: 1).", minimum=0.0)
    text_to_image_weight: float = setting(1.5, "lambda 2 (paper: 1.5; phrases: 4).", minimum=0.0)
    image_neighborhood_weight: float = setting(
        0.0, "lambda 3 (paper: 0; phrases: 0.1).", minimum=0.0
    )
    text_neighborhood_weight: float = setting(
        0.0, "lambda 4 (paper: 0.05; phrases: 0.1).", minimum=0.0
    )
    counted_neighbors: str = setting(
        "furthest",
        "Neighbours of an image or text in the terms of lambda 3 and 4: the furthest (authors' "
        "code) or all (paper).",
        choices=("furthest", "all"),
    )
    neighborhood_epochs: int = setting(
        2, "Last epochs, in which lambda 3 and 4 count (paper: 2).", minimum=0, of_network=False
    )
    negatives: str = setting(
        "softmax",
        "Triplets that count: those of the largest loss (paper: top_k); softmax: InfoNCE.",
        choices=("top_k", "hardest", "softmax"),
    )
    num_hard_negatives: int = setting(
        10, "K of --negatives=top_k (paper: 10; phrases: 30).", minimum=1
    )
    temperature: float = setting(0.04, "Of --negatives=softmax.", minimum=0.001)
    learn_temperature: bool = setting(False, "Train the temperature, from that start.")

    @property
    def searches_regions(self):
        return self.pairs_phrases

    def network(self, steps_per_epoch=1, num_epochs=1):
        return {
            **super().network(steps_per_epoch, num_epochs),
            "neighborhood_start_step": max(num_epochs - self.neighborhood_epochs, 0)
            * steps_per_epoch,
        }

    def check(self, data):
        super().check(data)
        is_softmax = self.negatives == "softmax"
        # The neighbourhood terms count K triplets, whatever the negatives across modalities.
        has_terms = self.image_neighborhood_weight or self.text_neighborhood_weight
        counts_triplets = self.negatives == "top_k" or has_terms and not is_softmax
        for name, is_read, where in (
            ("margin", not is_softmax, "--negatives=top_k or hardest"),
            ("num_hard_negatives", counts_triplets, "--negatives=top_k"),
            ("temperature", is_softmax, "--negatives=softmax"),
            ("learn_temperature", is_softmax, "--negatives=softmax"),
        ):
            self.check_read(name, is_read, where)
        if not (self.image_to_text_weight or self.text_to_image_weight):
            raise VsaTfError(
                "--image_to_text_weight and --text_to_image_weight are both 0: nothing is learnt"
            )


@dataclasses.dataclass(frozen=True)
class SimilaritySettings(TwoBranchSettings):
    """The similarity network."""

    epochs_of_images: ClassVar[int] = 4

    num_neighbors: int = with_default(TwoBranchSettings, "num_neighbors", 1)
    num_fusion_layers: int = setting(
        3, "Layers on the branches, joined (paper: 3).", minimum=1, maximum=3
    )
    fusion: str = setting(
        "product",
        "How the branches are joined (paper: product); bilinear: all products of a number of each, "
        "for a --joint_size of about 128: the cube of it in weights, 134 million of 512.",
        choices=("product", "concatenation", "bilinear"),
    )
    negatives: str = setting(
        "random",
        "Pairs that do not match: drawn at random (paper), or the best of some drawn.",
        choices=("random", "hardest"),
    )
    num_hard_negatives: int = setting(10, "How many --negatives=hardest draws.", minimum=1)

    def check(self, data):
        super().check(data)
        is_read = self.negatives == "hardest"
        self.check_read("num_hard_negatives", is_read, "--negatives=hardest")
