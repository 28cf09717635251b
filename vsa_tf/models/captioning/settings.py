"""Settings of each model: dataclasses whose fields become flags (`vsa_tf.settings`)."""

import dataclasses
import pathlib
from typing import ClassVar

from vsa_tf.models.alignment.settings import AlignmentSettings, DefragSettings
from vsa_tf.models.settings import NetworkSettings, setting
from vsa_tf.program import ProgramError


@dataclasses.dataclass(frozen=True)
class CaptionerSettings(NetworkSettings):
    """What all caption generators have."""

    feature_normalization: str = setting(
        "none", "l2: scale image features to one length (papers: none).", choices=("none", "l2")
    )
    dropout: float = setting(
        0.0,
        "Dropout on image features, words and the last hidden layer.",
        minimum=0.0,
        maximum=0.99,
    )
    weight_penalty: float = setting(
        0.0, "Weight of ||theta||^2 in the cost: alpha of DeFrag, lambda of M eq. 6.", minimum=0.0
    )
    initialize_bias: bool = setting(
        True, "Start the softmax bias at the log frequency of each word (DVSA: yes)."
    )
    selection: str = setting(
        "perplexity", "What chooses the best epoch on dev.", choices=("perplexity", "CIDEr")
    )
    beam_size: int = setting(
        1, "Beams of the final captions; 1: the best word each time.", minimum=1
    )
    max_caption_words: int = setting(20, "Longest generated caption, its end counted.", minimum=1)

    def check(self, data):
        super().check(data)
        if data.num_regions != 1:
            raise ProgramError(
                "A caption generator sees one region, the whole frame: --num_regions=1. Received: "
                f"--num_regions={data.num_regions}"
            )


@dataclasses.dataclass(frozen=True)
class DvsaRnnSettings(CaptionerSettings):
    """The caption generator of DVSA, of images or regions."""

    shared_defaults: ClassVar[dict] = {"optimizer": "rmsprop", "clip_value": 5.0, "num_regions": 1}

    hidden_size: int = setting(512, "Width of the recurrent state (paper: 512).", minimum=1)
    word_embedding_size: int = setting(512, "Width of the word table.", minimum=1)
    cell: str = setting("rnn", "Recurrent cell (paper: rnn).", choices=("rnn", "gru", "lstm"))
    image_at: str = setting(
        "first", "Steps at which the image enters (paper: first).", choices=("first", "every")
    )
    beam_size: int = setting(
        7, "Beams of the final captions; 1: the best word each time (paper: 7).", minimum=1
    )
    snippets: str = setting(
        "", "model_dir of an alignment model: caption regions, learning from snippets it infers."
    )
    snippet_smoothness: float = setting(
        0.3,
        "beta of the chain that cuts sentences into snippets, in shares of a word's best score.",
        minimum=0.0,
    )
    whole_frame: bool = setting(
        False, "Show the region captioner the whole frame beside the region (paper: no)."
    )

    def check(self, data):
        super().check(data)
        if self.snippets and not (pathlib.Path(self.snippets) / "config.json").is_file():
            raise ProgramError(f"--snippets={self.snippets} is no model_dir of an alignment model")
        if self.whole_frame and not self.snippets:
            raise ProgramError(
                "--whole_frame is for the region captioner: give --snippets too, or leave it out"
            )


@dataclasses.dataclass(frozen=True)
class MRnnSettings(CaptionerSettings):
    """The multimodal recurrent network (m-RNN)."""

    shared_defaults: ClassVar[dict] = {"num_regions": 1}

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
    initialize_bias: bool = setting(
        False, "Start the softmax bias at the log frequency of each word (paper: not said)."
    )

    def check(self, data):
        super().check(data)
        if self.variant == "vis_in_rnn_both_shared" and self.recurrent_size != self.multimodal_size:
            raise ProgramError(
                "One matrix feeds two layers of --variant=vis_in_rnn_both_shared: "
                f"--recurrent_size={self.recurrent_size} and "
                f"--multimodal_size={self.multimodal_size} must be equal"
            )


@dataclasses.dataclass(frozen=True)
class TwoBranchSettings(NetworkSettings):
    """What the two-branch networks share (T)."""

    shared_defaults: ClassVar[dict] = {"optimizer": "adam", "batch_size": 500}

    task: str = setting(
        "image_sentence",
        "What is paired: images with sentences, or regions with phrases.",
        choices=("image_sentence", "region_phrase"),
    )
    text: str = setting(
        "hglmm",
        "Text side: Fisher vectors (paper), mean word vector, tf-idf, or a recurrence.",
        choices=("hglmm", "mean_vector", "tf_idf", "lstm", "gru"),
    )
    num_centers: int = setting(30, "Centres of the mixture of --text=hglmm (paper: 30).", minimum=1)
    text_feature_size: int = setting(
        6000, "Principal components of --text=hglmm (paper: 6000); 0: all numbers.", minimum=0
    )
    recurrent_size: int = setting(
        512, "Width of the recurrence of --text=lstm (paper: 512).", minimum=1
    )
    word_pooling: str = setting(
        "last",
        "What a recurrence hands on (paper: its last state).",
        choices=("last", "mean", "max"),
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
        "none", "l2: scale image features to one length (paper: none).", choices=("none", "l2")
    )
    text_normalization: str = setting(
        "none", "l2: scale sentence features to one length (paper: none).", choices=("none", "l2")
    )
    regions_context: bool = setting(
        False, "Show the image branch the mean of the regions beside the frame (paper: no)."
    )
    region_geometry: bool = setting(
        False, "Add the place and size of its box to every region's feature (paper: no)."
    )
    num_neighbors: int = setting(
        2,
        "Texts of an image, or phrases of a chain, in a batch (paper: 2); 1: no such sampling.",
        minimum=1,
    )
    num_proposals: int = setting(
        10,
        "Proposals that overlap too little, drawn for each phrase of a batch (paper: all).",
        minimum=1,
    )
    num_positives: int = setting(
        1,
        "Proposals that overlap enough, drawn for each phrase (paper: 1; similarity: all).",
        minimum=1,
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

    @property
    def reads_sentence_features(self):
        return self.text not in ("lstm", "gru")

    @property
    def contrasts_images(self):
        return self.task == "image_sentence"

    def check(self, data):
        super().check(data)
        if self.reads_sentence_features:
            if not self.train_word_vectors:
                raise ProgramError(f"--notrain_word_vectors has no meaning with --text={self.text}")
            if self.text == "tf_idf" and self.word_vectors:
                raise ProgramError("--word_vectors has no meaning with --text=tf_idf")
            if data.tokenizer != "word":
                raise ProgramError(
                    f"--text={self.text} counts words: it needs --tokenizer=word. Received: "
                    f"--tokenizer={data.tokenizer}"
                )
        if data.batch_size % self.num_neighbors:
            raise ProgramError(
                f"--batch_size={data.batch_size} must be a multiple of "
                f"--num_neighbors={self.num_neighbors}"
            )
        if self.regions_context and (self.task != "image_sentence" or data.num_regions == 1):
            raise ProgramError(
                "--regions_context needs --task=image_sentence and more regions than the frame"
            )
        if self.region_geometry and self.task != "region_phrase":
            raise ProgramError("--region_geometry needs --task=region_phrase: a frame is a frame")


@dataclasses.dataclass(frozen=True)
class EmbeddingSettings(TwoBranchSettings):
    """The embedding network."""

    margin: float = setting(0.05, "Margin m (paper: 0.05).", minimum=0.0)
    image_to_text_weight: float = setting(1.0, "lambda 1 (paper: 1; phrases: 1).", minimum=0.0)
    text_to_image_weight: float = setting(1.5, "lambda 2 (paper: 1.5; phrases: 4).", minimum=0.0)
    image_neighborhood_weight: float = setting(
        0.0, "lambda 3 (paper: 0; phrases: 0.1).", minimum=0.0
    )
    text_neighborhood_weight: float = setting(
        0.05, "lambda 4 (paper: 0.05; phrases: 0.1).", minimum=0.0
    )
    neighborhood_epochs: int = setting(
        2, "Last epochs, in which lambda 3 and 4 count (paper: 2).", minimum=0
    )
    negatives: str = setting(
        "top_k",
        "Triplets that count: those of the largest loss (paper: top_k); softmax: InfoNCE.",
        choices=("top_k", "hardest", "softmax"),
    )
    num_hard_negatives: int = setting(
        10, "K of --negatives=top_k (paper: 10; phrases: 30).", minimum=1
    )
    temperature: float = setting(0.07, "Of --negatives=softmax.", minimum=0.001)
    learn_temperature: bool = setting(False, "Train the temperature, from that start.")

    def check(self, data):
        super().check(data)
        if self.learn_temperature and self.negatives != "softmax":
            raise ProgramError("--learn_temperature has no meaning without --negatives=softmax")
        if not (self.image_to_text_weight or self.text_to_image_weight):
            raise ProgramError(
                "--image_to_text_weight and --text_to_image_weight are both 0: nothing is learnt"
            )


@dataclasses.dataclass(frozen=True)
class SimilaritySettings(TwoBranchSettings):
    """The similarity network."""

    num_fusion_layers: int = setting(
        3, "Layers on the product of the branches (paper: 3).", minimum=1, maximum=3
    )
    negatives: str = setting(
        "random",
        "Pairs that do not match: drawn at random (paper), or the best of some drawn.",
        choices=("random", "hardest"),
    )
    num_hard_negatives: int = setting(10, "How many --negatives=hardest draws.", minimum=1)


MODEL_SETTINGS = {
    "alignment": AlignmentSettings,
    "defrag": DefragSettings,
    "dvsa_rnn": DvsaRnnSettings,
    "m_rnn": MRnnSettings,
    "embedding": EmbeddingSettings,
    "similarity": SimilaritySettings,
}
