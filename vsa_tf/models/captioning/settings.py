"""Settings of the caption generators."""

import dataclasses
import pathlib
from typing import ClassVar

from vsa_tf.errors import VsaTfError
from vsa_tf.models.alignment.settings import SMOOTHNESS
from vsa_tf.models.network_settings import NetworkSettings, TaughtSettings, setting, with_default

# In place of an alignment model: what people say of regions in the records themselves.
DESCRIBED = "records"


@dataclasses.dataclass(frozen=True)
class CaptionerSettings(TaughtSettings, NetworkSettings):
    """What all caption generators have."""

    teaching: ClassVar[str] = "caption generators that see whole photographs"
    family: ClassVar[str] = "captioning"
    shared_defaults: ClassVar[dict] = {"num_regions": 1, "clip_norm": 5.0}
    # Of captioners of regions, `DvsaRnnSettings`.
    whole_frame: ClassVar[bool] = False

    image_context: str = setting(
        "frame",
        "What is seen of an image: its whole frame (papers); beside it the mean of its regions (M "
        "Table 3, of other features); or beside it the regions that each word attends to.",
        choices=("frame", "mean", "attention"),
    )
    feature_normalization: str = setting(
        "l2",
        "Scale image features to one length, l2: as they are, power: their square roots "
        "(papers: none).",
        choices=("none", "l2", "power"),
    )
    dropout: float = setting(
        0.5,
        "Dropout on image features, words and the last hidden layer (M: none).",
        minimum=0.0,
        maximum=0.99,
    )
    weight_penalty: float = setting(
        0.0, "Weight of ||theta||^2 in the cost: alpha of DeFrag, lambda of M eq. 6.", minimum=0.0
    )
    initialize_bias: bool = setting(
        True,
        "Start the softmax bias at the log frequency of each word (DVSA: yes).",
        of_network=False,
    )
    selection: str = setting(
        "perplexity",
        "What chooses the best epoch on dev; with --teachers CIDEr, if nothing is said.",
        choices=("perplexity", "CIDEr"),
        of_network=False,
    )
    beam_size: int = setting(
        1, "Beams of the final captions; 1: the best word each time.", minimum=1, of_network=False
    )
    length_normalization: bool = setting(
        True, "Rank captions of beams by log probability per word (papers: no).", of_network=False
    )
    max_caption_words: int = setting(
        20, "Longest generated caption, its end counted.", minimum=1, of_network=False
    )

    @property
    def sees_images(self):
        """Whether the image says anything about a caption."""
        return True

    @property
    def refines_images(self):
        """Whether a layer of the model sees images as features that tell similar ones."""
        return False

    @property
    def signatures(self):
        # Of a region's captions there is no single probability.
        asked = ("caption", "caption_with")
        return asked if self.captions_regions else (*asked, "log_prob")

    @classmethod
    def defaults(cls, given):
        defaults = super().defaults(given)
        if given.get("image_context", "frame") != "frame":
            del defaults["num_regions"]
        if given.get("teachers"):
            # Captions as teachers write them come at the price of people's words' perplexity.
            defaults["selection"] = "CIDEr"
        return defaults

    def can_learn_from(self, name, network):
        is_captioner = network.family == "captioning"
        return is_captioner and network.sees_images and not network.captions_regions

    def check(self, data):
        super().check(data)
        if self.teachers and data.augmentation != "none":
            raise VsaTfError(
                "--augmentation mirrors no photograph whose caption says left or right, as people "
                "wrote it: with --teachers, which write others, leave it out"
            )
        if self.image_context == "frame" and data.num_regions != 1:
            raise VsaTfError(
                "A caption generator sees one region, the whole frame: --num_regions=1, or "
                f"--image_context=mean or attention. Received: --num_regions={data.num_regions}"
            )
        if self.image_context != "frame" and data.num_regions == 1:
            raise VsaTfError(
                f"--image_context={self.image_context} is of the regions beside the whole frame. "
                "Received: --num_regions=1; leave it out"
            )


@dataclasses.dataclass(frozen=True)
class DvsaRnnSettings(CaptionerSettings):
    """The caption generator of DVSA, of images or regions."""

    hidden_size: int = setting(512, "Width of the recurrent state (paper: 512).", minimum=1)
    word_embedding_size: int = with_default(NetworkSettings, "word_embedding_size", 512)
    cell: str = setting("lstm", "Recurrent cell (paper: rnn).", choices=("rnn", "gru", "lstm"))
    image_at: str = setting(
        "first", "Steps at which the image enters (paper: first).", choices=("first", "every")
    )
    beam_size: int = setting(
        7,
        "Beams of the final captions; 1: the best word each time (paper: 7).",
        minimum=1,
        of_network=False,
    )
    snippets: str = setting(
        "",
        "Caption regions, learning from snippets: model_dir of the alignment model that infers "
        f"them, or {DESCRIBED}: those that people wrote, phrases or descriptions with boxes.",
        of_network=False,
    )
    snippet_smoothness: float = setting(
        SMOOTHNESS,
        "beta of the chain that cuts sentences into snippets, in shares of a word's best score.",
        minimum=0.0,
        of_network=False,
    )
    snippet_overlap: float = setting(
        0.5,
        f"Of --snippets={DESCRIBED} without features of people's boxes: IoU from which a detected "
        "region stands for one; above 0.",
        minimum=0.0,
        maximum=1.0,
        of_network=False,
    )
    whole_frame: bool = setting(
        False,
        "Show the region captioner the whole frame beside the region (paper: no).",
        of_network=False,
    )

    @property
    def captions_regions(self):
        return bool(self.snippets)

    @property
    def reads_descriptions(self):
        return self.snippets == DESCRIBED

    def check(self, data):
        super().check(data)
        is_inferred = self.snippets not in ("", DESCRIBED)
        self.check_read("snippet_smoothness", is_inferred, "--snippets=ALIGNMENT_DIR")
        self.check_read("snippet_overlap", self.reads_descriptions, f"--snippets={DESCRIBED}")
        if not self.snippet_overlap:
            raise VsaTfError(
                "Expected --snippet_overlap above 0 and at most 1. Received: "
                f"{self.snippet_overlap}"
            )
        if is_inferred and not (pathlib.Path(self.snippets) / "config.json").is_file():
            raise VsaTfError(
                f"--snippets={self.snippets} is no model_dir of an alignment model, nor {DESCRIBED}"
            )
        if self.snippets and self.image_context != "frame":
            raise VsaTfError(
                "The region captioner (--snippets) sees one region, and with --whole_frame its "
                f"frame. Received: --image_context={self.image_context}; leave it out"
            )
        if self.teachers and self.snippets:
            raise VsaTfError("--teachers write captions of whole photographs: leave out --snippets")
        if self.whole_frame and not self.snippets:
            raise VsaTfError(
                "--whole_frame is for the region captioner: give --snippets too, or leave it out"
            )


@dataclasses.dataclass(frozen=True)
class MRnnSettings(CaptionerSettings):
    """The multimodal recurrent network (m-RNN)."""

    shared_defaults: ClassVar[dict] = {**CaptionerSettings.shared_defaults, "learning_rate": 0.0015}
    flickr8k: ClassVar[dict] = {"batch_size": 128, "num_epochs": 10}

    variant: str = setting(
        "m-rnn",
        "Connections, as in the paper's Table 9 and sections 7 and 8.",
        choices=(
            "m-rnn",
            "no_emb_input",
            "one_layer_emb",
            "emb_one_input",
            "vis_in_rnn",
            "vis_in_rnn_both",
            "vis_in_rnn_both_shared",
            "rnn_base",
            "shared",
        ),
    )
    word_embedding_size: int = setting(
        128, "Width of the first word layer (paper: 128).", minimum=1
    )
    recurrent_size: int = setting(
        256, "Width of the second word layer and the recurrence (paper: 256).", minimum=1
    )
    multimodal_size: int = setting(512, "Width of the multimodal layer (paper: 512).", minimum=1)
    cell: str = setting("relu", "Recurrent cell (paper: relu).", choices=("relu", "gru", "lstm"))
    weight_penalty: float = with_default(CaptionerSettings, "weight_penalty", 1e-5)

    @property
    def sees_images(self):
        return self.variant != "rnn_base"

    @property
    def refines_images(self):
        # V_I I: of the two, one sees no image, the other shows it to the recurrence alone.
        return self.variant not in ("rnn_base", "vis_in_rnn")

    def check(self, data):
        super().check(data)
        if self.image_context != "frame" and not self.refines_images:
            raise VsaTfError(
                f"--variant={self.variant} shows its multimodal layer no image. Received: "
                f"--image_context={self.image_context}; leave one of the two out"
            )
        if self.variant == "vis_in_rnn_both_shared" and self.recurrent_size != self.multimodal_size:
            raise VsaTfError(
                "One matrix feeds two layers of --variant=vis_in_rnn_both_shared: "
                f"--recurrent_size={self.recurrent_size} and "
                f"--multimodal_size={self.multimodal_size} must be equal"
            )
