"""Settings of the models of image regions and sentence fragments."""

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

# beta of the chain that cuts sentences into snippets (`smooth_alignment`): neighbouring words share
# a region unless another is better by this share of a word's best score.
SMOOTHNESS = 0.3
# Of losses that are hinges, summed over a batch's pairs.
_CLIP_NORM = 250.0


@dataclasses.dataclass(frozen=True)
class FragmentSettings(NetworkSettings):
    """What models of image regions and sentence fragments share."""

    family: ClassVar[str] = "alignment"
    earlier: ClassVar[dict] = {"region_dropping": 0.0, "word_dropping": 0.0}
    sums_pairs: ClassVar[bool] = True

    joint_size: int = setting(512, "Width of region and word vectors (papers: 1000).", minimum=1)
    word_activation: str = setting(
        "linear",
        "f of s_t, the vector of a word or relation (papers: relu).",
        choices=("relu", "linear", "tanh"),
    )
    min_relation_share: float = setting(
        0.01,
        "Types of dependency relations that are a smaller share of all in training are one.",
        minimum=0.0,
        maximum=1.0,
        of_network=False,
    )
    frame_context: bool = setting(
        True, "Add the whole frame's feature to every region's (papers: no)."
    )
    region_geometry: bool = setting(
        False, "Add a box's place and size to every region's feature (papers: no)."
    )
    region_hidden_size: int = setting(
        0, "Hidden layer beside the matrix of regions, its width (papers: 0).", minimum=0
    )
    feature_normalization: str = setting(
        "l2",
        "Scale region features to one length, l2: as they are, power: their square roots "
        "(papers: none).",
        choices=("none", "l2", "power"),
    )
    region_dropping: float = setting(
        0.0,
        "Share of an image's regions, never the frame, left out at random in training (papers: 0).",
        minimum=0.0,
        maximum=0.99,
    )
    word_dropping: float = setting(
        0.0,
        "Share of a sentence's words or relations left out at random in training (papers: 0).",
        minimum=0.0,
        maximum=0.99,
    )

    @property
    def signatures(self):
        of_all = "score", "embed_image", "embed_sentence"
        # Of relations, as lines of text: there are no words in their order to align.
        return of_all if self.reads_dependencies else ("align", "score", "localize", *of_all[1:])

    @property
    def contrasts_images(self):
        return True

    @property
    def searches_regions(self):
        return not self.reads_dependencies

    def check(self, data):
        super().check(data)
        if self.reads_dependencies and data.tokenizer != "word":
            raise VsaTfError(
                "Dependency relations are between words: they need --tokenizer=word. Received: "
                f"--tokenizer={data.tokenizer}"
            )
        # The frame always stays.
        has_others = data.num_regions != 1 or not self.region_dropping
        self.check_read("region_dropping", has_others, "more than one of --num_regions")


@dataclasses.dataclass(frozen=True)
class AlignmentSettings(DistilledSettings, FragmentSettings):
    """The alignment model (DVSA)."""

    flickr8k: ClassVar[dict] = {"batch_size": 128, "num_epochs": 14}
    shared_defaults: ClassVar[dict] = {"average_weights": 0.999}

    feature_normalization: str = with_default(FragmentSettings, "feature_normalization", "power")
    region_dropping: float = with_default(FragmentSettings, "region_dropping", 0.15)
    word_dropping: float = with_default(FragmentSettings, "word_dropping", 0.1)
    fragments: str = setting(
        "words",
        "What of a sentence is aligned: words (BRNN), or dependency relations (DepTree).",
        choices=("words", "dependencies"),
        of_network=False,
    )
    cell: str = setting(
        "relu",
        "Recurrent cell of the sentence side (paper: relu).",
        choices=("relu", "gru", "lstm"),
    )
    similarity: str = setting(
        "sentence_cosine",
        "Of a region and a word (paper: inner).",
        choices=("inner", "cosine", "sentence_cosine"),
    )
    score: str = setting(
        "words",
        "Best region of each word (paper: words), best word of each region, or both.",
        choices=("words", "regions", "both"),
    )
    region_pooling: str = setting(
        "max",
        "Regions of a word: the best (paper: max), log_sum_exp, or attention (SCAN).",
        choices=("max", "log_sum_exp", "attention"),
    )
    region_sharpness: float = setting(
        9.0,
        "Of --region_pooling=log_sum_exp, small: the mean, large: the best; of attention (SCAN: 9, "
        "of --score=regions 4).",
        minimum=0.001,
    )
    word_pooling: str = setting(
        "sum",
        "Words of a sentence: their sum (paper), or log_sum_exp (SCAN's LSE; with "
        "--similarity=cosine and --score=words).",
        choices=("sum", "log_sum_exp"),
    )
    word_sharpness: float = setting(6.0, "Of --word_pooling=log_sum_exp.", minimum=0.001)
    length_normalization: bool = setting(
        False,
        "Divide a sentence's score, or a caption's log probability where beams are ranked, by its "
        "number of words (papers: no).",
    )
    dropout: float = setting(
        0.3,
        "Dropout everywhere but in the recurrence (paper: used, rate not stated).",
        minimum=0.0,
        maximum=0.99,
    )
    margin: float = setting(
        0.2, "Margin of --negatives=sum, hardest or top_k (paper: 1).", minimum=0.0
    )
    negatives: str = setting(
        "softmax",
        "Negatives of a batch that count (paper: sum); softmax: InfoNCE, without a margin.",
        choices=("sum", "hardest", "top_k", "softmax"),
    )
    num_hard_negatives: int = setting(10, "For --negatives=top_k.", minimum=1)
    temperature: float = setting(0.05, "Of --negatives=softmax.", minimum=0.001)
    hardness_warmup_epochs: float = setting(
        float(AUTO),
        "Epochs in which the loss goes from sum to the chosen negatives; -1: 3/4 of them.",
        minimum=0.0,
        of_network=False,
        auto=True,
    )

    @classmethod
    def defaults(cls, given):
        defaults = super().defaults(given)
        if given.get("negatives", cls.negatives) != "softmax":
            defaults["clip_norm"] = _CLIP_NORM
        return defaults

    @property
    def reads_dependencies(self):
        return self.fragments == "dependencies"

    def shares_of_run(self, num_epochs):
        share = 0.75 if self.negatives in ("hardest", "top_k") else 0.0
        return {"hardness_warmup_epochs": share * num_epochs}

    def network(self, steps_per_epoch=1, num_epochs=1):
        return {
            **super().network(steps_per_epoch, num_epochs),
            "hardness_warmup_steps": round(max(self.hardness_warmup_epochs, 0) * steps_per_epoch),
        }

    def check(self, data):
        super().check(data)
        if self.hardness_warmup_epochs > 0 and self.negatives in ("sum", "softmax"):
            raise VsaTfError(
                f"--hardness_warmup_epochs has no meaning with --negatives={self.negatives}"
            )
        for name, is_read, where in (
            ("temperature", self.negatives == "softmax", "--negatives=softmax"),
            ("margin", self.negatives != "softmax", "--negatives=sum, hardest or top_k"),
            (
                "region_sharpness",
                self.region_pooling != "max",
                "--region_pooling=log_sum_exp or attention",
            ),
            ("word_sharpness", self.word_pooling != "sum", "--word_pooling=log_sum_exp"),
            ("num_hard_negatives", self.negatives == "top_k", "--negatives=top_k"),
        ):
            self.check_read(name, is_read, where)
        if self.region_pooling == "attention" and self.similarity == "inner":
            raise VsaTfError(
                "--region_pooling=attention compares directions: it needs --similarity=cosine or "
                "sentence_cosine"
            )
        if self.word_pooling != "sum" and (self.score, self.similarity) != ("words", "cosine"):
            raise VsaTfError(
                f"--word_pooling={self.word_pooling} is of words of one length, in the score of "
                "words: it needs --similarity=cosine and --score=words"
            )
        if self.reads_dependencies and self.cell != "relu":
            raise VsaTfError(
                f"--cell={self.cell} has no meaning with --fragments=dependencies, which have no "
                "recurrence; leave it out"
            )


@dataclasses.dataclass(frozen=True)
class DeFragSettings(FragmentSettings):
    """Deep fragment embeddings (DeFrag)."""

    flickr8k: ClassVar[dict] = {"batch_size": 128, "num_epochs": 6}
    shared_defaults: ClassVar[dict] = {"clip_norm": _CLIP_NORM}

    word_activation: str = with_default(FragmentSettings, "word_activation", "relu")
    objective: str = setting(
        "both",
        "What is minimised (paper: both): C_F + beta C_G, or C_F or C_G alone.",
        choices=("both", "fragment", "global"),
    )
    fragment_balance: str = setting(
        "fragment",
        "kappa of C_F: positives and negatives weigh the same for each fragment (authors' code), "
        "or in the batch as a whole (paper).",
        choices=("fragment", "batch"),
    )
    global_weight: float = setting(
        10.0,
        "beta, the weight of the global objective (authors' code: 10 in this scale).",
        minimum=0.0,
    )
    dropout: float = setting(
        0.2,
        "Dropout on region features and word vectors (paper: not stated).",
        minimum=0.0,
        maximum=0.99,
    )
    margin: float = setting(
        1.0,
        "Margin of the global objective (authors' code: 2 in this scale, of 20 regions).",
        minimum=0.0,
    )
    smoothing: float = setting(
        5.0, "n: fragments a sentence is taken to have besides its own (paper: 5).", minimum=0.0
    )
    weight_penalty: float = setting(
        0.0, "Weight of ||theta||^2 in the cost: alpha of DeFrag, lambda of M eq. 6.", minimum=0.0
    )
    fragment_start_epochs: float = setting(
        0.0,
        "Epochs of the global objective alone, before the fragment objective joins it.",
        minimum=0.0,
        of_network=False,
    )
    multiple_instance_start_epochs: float = setting(
        float(AUTO),
        "Epochs in which all regions of an image match every relation (paper: 10 of 15); "
        "-1: 2/3 of them.",
        minimum=0.0,
        of_network=False,
        auto=True,
    )

    @property
    def reads_dependencies(self):
        return True

    def shares_of_run(self, num_epochs):
        share = 0.0 if self.objective == "global" else 2 / 3
        return {"multiple_instance_start_epochs": float(round(share * num_epochs))}

    def network(self, steps_per_epoch=1, num_epochs=1):
        return {
            **super().network(steps_per_epoch, num_epochs),
            "fragment_start_steps": round(self.fragment_start_epochs * steps_per_epoch),
            "multiple_instance_start_steps": round(
                max(self.multiple_instance_start_epochs, 0) * steps_per_epoch
            ),
        }

    def check(self, data):
        super().check(data)
        unused = {
            "both": (),
            "fragment": ("fragment_start_epochs",),
            "global": ("fragment_start_epochs", "multiple_instance_start_epochs"),
        }[self.objective]
        for name in unused:
            if getattr(self, name) > 0:
                raise VsaTfError(f"--{name} has no meaning with --objective={self.objective}")
        if self.objective == "global" and self.fragment_balance != "fragment":
            raise VsaTfError("--fragment_balance has no meaning with --objective=global")
