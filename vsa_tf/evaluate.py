"""Evaluates a trained model on a split of records, by the papers' protocols.

    python -m vsa_tf.evaluate --model_dir=DIR --data_dir=DIR --split=test --output=metrics.json

Prints tables laid out as the papers' and writes one JSON value; a caption generator's captions go
into `captions.json` beside it, in the COCO results format. `--word_magnitudes` and `--query` also
write what the DVSA paper's section 1 and 2 show of an alignment model. `--phrase_model` adds the
distance of a sentence's phrases to an embedding network's; `--baseline=cca` evaluates normalised
CCA in place of a two-branch network, on the features that the network reads. `--protocol=iapr_tc12`
adds recall curves, drawn in `recall_curves.png` beside the output, the number of matches, and the
ranks of an image's sentences among those of the 100 images most like it.
"""

import pathlib

from absl import flags

from vsa_tf import program
from vsa_tf.errors import VsaTfError
from vsa_tf.settings import Settings

CAPTION_METHODS = (
    "greedy",
    "beam",
    "consensus_bleu",
    "consensus_cider",
    "oracle_bleu",
    "oracle_cider",
    "nearest_bleu",
    "nearest_cider",
)
_OF_WORDS = ("word_magnitudes", "query")
_FLAGS_OF = {
    "captioning": (
        "beam_size",
        "caption_method",
        "num_hypotheses",
        "num_neighbors",
        "neighbor_features",
        "neighbor_distance",
        "retrieval",
        "shortlist_model",
        "shortlist_size",
        "num_normalization_images",
    ),
    "alignment": _OF_WORDS,
    "two_branch": ("phrase_model", "phrase_weight", "baseline"),
}


def define_flags():
    """Defines the program's flags."""
    flags.DEFINE_string("model_dir", None, "Directory that vsa_tf.train has written.")
    flags.DEFINE_string("data_dir", None, "Directory of records; default: that of the training.")
    flags.DEFINE_string("split", "test", "Split of the records.")
    flags.DEFINE_string("output", None, "File for the metrics, JSON.")
    flags.DEFINE_integer(
        "fold_size",
        0,
        "Also report the mean over folds of this many images; 0: do not.",
        lower_bound=0,
    )
    flags.DEFINE_enum(
        "protocol",
        None,
        ("iapr_tc12",),
        "Also evaluate retrieval as papers on IAPR TC-12 do: recall by the share of items that is "
        "retrieved, and among the sentences of the 100 images nearest by their features.",
    )
    flags.DEFINE_string(
        "word_magnitudes", None, "File for the words of smallest and largest magnitude, JSON."
    )
    flags.DEFINE_multi_string(
        "query", [], "A snippet of text: its best regions in the split are printed; repeatable."
    )
    flags.DEFINE_integer("seed", 0, "Seed of the bootstrap and of samples.", lower_bound=0)
    flags.DEFINE_integer(
        "beam_size",
        None,
        "Beams of a caption generator; default: that of the training.",
        lower_bound=1,
    )
    flags.DEFINE_multi_enum(
        "caption_method",
        [],
        CAPTION_METHODS,
        "Also score captions made so; repeatable. consensus: of --num_hypotheses beams the "
        "one most like the captions of similar training images; oracle: most like the true ones; "
        "nearest: the consensus of those captions themselves.",
    )
    flags.DEFINE_integer("num_hypotheses", 10, "Beams that are reranked.", lower_bound=1)
    flags.DEFINE_integer(
        "num_neighbors", 60, "Similar training images whose captions rerank.", lower_bound=1
    )
    flags.DEFINE_enum(
        "neighbor_features",
        "encoder",
        ("encoder", "refined"),
        "What tells similar images: the encoder's features, or m_rnn's g2(V_I I).",
    )
    flags.DEFINE_enum(
        "neighbor_distance",
        "cosine",
        ("cosine", "euclidean"),
        "By which images are similar (paper: not stated).",
    )
    flags.DEFINE_enum(
        "retrieval",
        "none",
        ("none", "shortlist", "exact"),
        "Retrieval by the probability of a caption generator: of all pairs, or of those that "
        "--shortlist_model finds best.",
    )
    flags.DEFINE_string("shortlist_model", None, "model_dir of an alignment model.")
    flags.DEFINE_integer(
        "shortlist_size",
        50,
        "Images that --retrieval=shortlist looks at for a sentence.",
        lower_bound=1,
    )
    flags.DEFINE_integer(
        "num_normalization_images", 100, "Training images in the mean of M eq. 7.", lower_bound=1
    )
    flags.DEFINE_string(
        "phrase_model",
        None,
        "model_dir of an embedding network of regions and phrases, or of an alignment model: an "
        "image-sentence embedding is also evaluated with the distance of each sentence's phrases "
        "(T eq. 8), or words.",
    )
    flags.DEFINE_string(
        "phrase_weight", "0.2", "Their weight, 0 to 1; tuned: chosen on the dev split (paper: 0.2)."
    )
    flags.DEFINE_enum(
        "baseline",
        None,
        ("cca",),
        "Evaluate this in place of a two-branch network, on the same features.",
    )


def main():
    values = flags.FLAGS
    if not values.model_dir:
        raise VsaTfError("--model_dir is missing: a directory that vsa_tf.train has written")
    for name in ("output", "word_magnitudes"):
        if values[name].value and not pathlib.Path(values[name].value).parent.is_dir():
            raise VsaTfError(f"--{name}={values[name].value}: there is no such directory")
    check(Settings.load(values.model_dir))
    from vsa_tf.evaluation.evaluate_model import evaluate_model
    from vsa_tf.evaluation.evaluation import CaptionOptions, EvaluationOptions, RetrievalOptions

    evaluate_model(
        values.model_dir,
        values.data_dir,
        values.split,
        values.output,
        EvaluationOptions(fold_size=values.fold_size, seed=values.seed, progress=_print_progress),
        captions=CaptionOptions(
            caption_methods=tuple(values.caption_method),
            num_hypotheses=values.num_hypotheses,
            num_neighbors=values.num_neighbors,
            neighbor_features=values.neighbor_features,
            neighbor_distance=values.neighbor_distance,
            retrieval=values.retrieval,
            shortlist_size=values.shortlist_size,
            num_normalization_images=values.num_normalization_images,
        ),
        retrieval=RetrievalOptions(_phrase_weight(), iapr_tc12=values.protocol == "iapr_tc12"),
        beam_size=values.beam_size,
        shortlist_model=values.shortlist_model,
        word_magnitudes=values.word_magnitudes,
        queries=values.query,
        phrase_model=values.phrase_model,
        baseline=values.baseline,
        say=program.print_line,
    )


def check(settings):
    """Refuses flags that the model has no use for. Raises VsaTfError."""
    values, model = flags.FLAGS, settings.training.model
    for family, names in _FLAGS_OF.items():
        for name in names if settings.model.family != family else ():
            if not values[name].using_default_value:
                raise VsaTfError(f"--{name} is not for the model {model}; leave it out")
    if settings.model.reads_dependencies:
        _check_dependencies(settings)
    elif settings.model.family == "two_branch":
        _check_two_branch(settings)
    elif settings.model.family == "captioning":
        _check_captioner(settings)
    if values.protocol:
        _check_protocol(settings)


def _check_dependencies(settings):
    for name in _OF_WORDS:
        if not flags.FLAGS[name].using_default_value:
            raise VsaTfError(
                f"--{name} is of words, and this {settings.training.model} model reads dependency "
                "relations; leave it out"
            )


def _check_protocol(settings):
    values = flags.FLAGS
    named = f"--protocol={values.protocol}"
    if settings.model.pairs_phrases:
        raise VsaTfError(f"{named} is of retrieval; this model finds boxes of phrases")
    if settings.model.family == "captioning" and values.retrieval == "none":
        raise VsaTfError(
            f"{named} needs --retrieval=exact, or --retrieval=shortlist, of a caption generator"
        )
    if Settings.load_inputs(values.model_dir)["region_feature_size"] == 0:
        raise VsaTfError(
            f"{named} compares images by their features. Received: a model of records without them"
        )


def _check_captioner(settings):
    values = flags.FLAGS
    if values.retrieval == "shortlist" and not values.shortlist_model:
        raise VsaTfError("--retrieval=shortlist needs --shortlist_model")
    if values.shortlist_model:
        shortlist = Settings.load(values.shortlist_model)
        kind = shortlist.training.model
        if shortlist.model.family != "alignment":
            raise VsaTfError(
                "Expected --shortlist_model to hold an alignment model. Received: "
                f"{values.shortlist_model} with the model {kind}"
            )
    if not settings.model.sees_images and values.retrieval != "none":
        raise VsaTfError("--variant=rnn_base sees no image: it cannot retrieve")
    finds_similar = any(m.startswith(("consensus", "nearest")) for m in values.caption_method)
    if finds_similar and values.neighbor_features == "encoder":
        if Settings.load_inputs(values.model_dir)["region_feature_size"] == 0:
            raise VsaTfError(
                "The records hold no features to find similar images by: "
                "--neighbor_features=refined"
            )
    if values.neighbor_features == "refined" and not settings.model.refines_images:
        raise VsaTfError(
            "--neighbor_features=refined needs a model whose multimodal layer sees the image"
        )


def _check_two_branch(settings):
    values, model = flags.FLAGS, settings.model
    if values.fold_size and model.pairs_phrases:
        raise VsaTfError("--fold_size is of retrieval; this model finds boxes of phrases")
    _phrase_weight()
    if values.phrase_model:
        _check_phrase_model(settings)
    elif not values["phrase_weight"].using_default_value:
        raise VsaTfError("--phrase_weight needs --phrase_model")
    if values.baseline:
        if not model.reads_sentence_features:
            raise VsaTfError(
                f"--baseline={values.baseline} needs a fixed text feature. Received: a model of "
                f"--text={model.text}"
            )
        if Settings.load_inputs(values.model_dir)["region_feature_size"] == 0:
            raise VsaTfError(
                f"--baseline={values.baseline} needs features of images. Received: a model that "
                "trains a CNN on pixels"
            )


def _check_phrase_model(settings):
    values = flags.FLAGS
    if settings.training.model != "embedding" or settings.model.pairs_phrases:
        raise VsaTfError(
            "--phrase_model adds to the distance of an embedding network of images and sentences. "
            f"Received: the model {settings.training.model} of --task={settings.model.task}"
        )
    if values.baseline:
        raise VsaTfError("--phrase_model and --baseline exclude each other; choose one")
    phrases = Settings.load(values.phrase_model)
    model = phrases.training.model
    if phrases.model.family != "alignment" and not phrases.model.searches_regions:
        raise VsaTfError(
            "Expected --phrase_model to hold an embedding network of --task=region_phrase or an "
            f"alignment model. Received: {values.phrase_model} with the model {model}"
        )


def _phrase_weight():
    """Returns a of T eq. 8; None: chosen on dev."""
    text = flags.FLAGS.phrase_weight
    if text == "tuned":
        return None
    try:
        weight = float(text)
    except ValueError:
        weight = -1.0
    if not 0 <= weight <= 1:
        raise VsaTfError(
            f"Expected --phrase_weight to be a number from 0 to 1, or tuned. Received: {text}"
        )
    return weight


def _print_progress(done, total):
    if done == total or done % 80 == 0:
        program.print_line(f"{done} of {total} images")


if __name__ == "__main__":
    define_flags()
    program.run(main, __doc__)
