"""What an evaluation is asked, may look at, and answers, whatever the model. No TensorFlow here."""

import dataclasses
from collections.abc import Callable

from vsa_tf.models.two_branch.settings import DEFAULT_PHRASE_WEIGHT
from vsa_tf.scoring.combined_scores import DEFAULT_TEMPERATURE


@dataclasses.dataclass(frozen=True)
class EvaluationOptions:
    """How much an evaluation does.

    Attributes:
        intervals: add bootstrap intervals over images (95 %) and what else takes its time.
        fold_size: also give retrieval as the mean over folds of this many images; 0: do not.
        seed: of the bootstrap and of samples.
        num_pictures: pictures to draw.
        progress: `progress(done, total, unit="images")` of what may take minutes.
    """

    intervals: bool = True
    fold_size: int = 0
    seed: int = 0
    num_pictures: int = 0
    progress: Callable | None = None


@dataclasses.dataclass(frozen=True)
class CaptionOptions:
    """What is asked of a caption generator besides its own captions.

    Attributes:
        caption_method: other ways of writing captions, see `CaptionMethods`.
        num_hypotheses: n, the beams that are reranked.
        num_neighbors: k, the similar training images whose captions rank them.
        neighbor_features: `encoder` or `refined`, what tells similar images where there is no
            model that does.
        neighbor_distance: between these, `cosine` or `euclidean`.
        retrieval: by probability: `none`, `shortlist` or `exact`.
        shortlist_size: images looked at for each sentence by `shortlist`.
        normalization: of probabilities that rank sentences: by the `marginal` of M eq. 7, or the
            perplexity given the `mean_image` (Kiros et al. 2014).
        num_normalization_images: training images of the mean in M eq. 7.
        region_boxes: `given` or `detected`: caption the regions that people described, each by its
            box, or by the region of the records that overlaps this most; None: what it has learnt.
        region_overlap: IoU from which a detected region stands for a given box.
    """

    caption_method: tuple = ()
    num_hypotheses: int = 10
    num_neighbors: int = 60
    neighbor_features: str = "encoder"
    neighbor_distance: str = "cosine"
    retrieval: str = "none"
    shortlist_size: int = 50
    normalization: str = "marginal"
    num_normalization_images: int = 100
    region_boxes: str | None = None
    region_overlap: float = 0.5


@dataclasses.dataclass(frozen=True)
class RetrievalOptions:
    """What is asked of retrieval besides recall among all images and sentences.

    Attributes:
        phrase_weight: a of T eq. 8, how much phrases count where there is a model of them; None:
            chosen on the dev split.
        iapr_tc12: whether retrieval is also evaluated by IAPR TC-12's protocol.
        weights: of several models together: `equal`, `tuned` on the dev split, or a number each.
        rescoring: `csls`, `inverted_softmax`: also evaluate scores so corrected for hubs, which
            reads all queries of the split at once.
        rescoring_temperature: of the inverted softmax, see `inverted_softmax_hubness`.
    """

    phrase_weight: float | None = DEFAULT_PHRASE_WEIGHT
    iapr_tc12: bool = False
    weights: str | tuple = "equal"
    rescoring: tuple = ()
    rescoring_temperature: float = DEFAULT_TEMPERATURE


@dataclasses.dataclass(frozen=True)
class GivenSplits:
    """What an evaluation may look at besides the split that it is of; None: it is not there.

    `StoredSplits` has the same attributes and reads each when it is asked for.

    Attributes:
        training: `SplitData` of the training split, seen as the evaluated one is: its photographs
            or, where regions that people described are captioned, these.
        dev: `SplitData` of the dev split, on which choices are made.
        shortlist_model: given a `RecordSplit`, returns the alignment model that makes the
            shortlist of retrieval by probability, and the `SplitData` that it reads.
        neighbor_model: given a `RecordSplit`, returns the model by whose vectors images are
            similar, and the `InputPipeline` of the images as it sees them.
        phrase_model: given a `RecordSplit`, returns the model of d_rp in T eq. 8, and the
            `SplitData` that it reads; None: sentences are compared as wholes alone.
        retrieval_model: given a `RecordSplit`, returns the model that tells which training caption
            fits an image best, and the `SplitData` that it reads.
    """

    training: object | None = None
    dev: object | None = None
    shortlist_model: Callable | None = None
    neighbor_model: Callable | None = None
    phrase_model: Callable | None = None
    retrieval_model: Callable | None = None

    @property
    def learnt(self):
        """`SplitData` of the training split as the model has learnt from it."""
        return self.training


@dataclasses.dataclass
class Evaluation:
    """What an evaluation found.

    Attributes:
        metrics: dict laid out as `metrics` of metrics.json.
        pictures: dict of name to `(caption, uint8 [h, w, 3])`.
        files: dict of file name to JSON value, such as `captions.json`.
        embedded: the `EmbeddedSplit` of an alignment model, the `EmbeddedPairs` of a two-branch
            network, else None.
        scores: float `[N, M]`, similarity of every image and sentence; None where there is none.
        ranked_phrases: list of `(ranked_boxes, truth_boxes, phrase_type)`, as of
            `phrase_localization`, ranked by agreement, in the order of the records; empty where
            none was looked for.
        captions: the `GeneratedCaptions` of a caption generator, else None.
        caption_methods: its `CaptionMethods`, else None.
    """

    metrics: dict
    pictures: dict = dataclasses.field(default_factory=dict)
    files: dict = dataclasses.field(default_factory=dict)
    embedded: object = None
    scores: object = None
    ranked_phrases: list = dataclasses.field(default_factory=list)
    captions: object = None
    caption_methods: object = None
