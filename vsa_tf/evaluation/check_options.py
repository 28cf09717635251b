"""What may be asked of an evaluation of a model, before anything is loaded. No TensorFlow here."""

import dataclasses
import math
import pathlib

from vsa_tf.data.dataset_info import check_stored_splits
from vsa_tf.errors import VsaTfError, named
from vsa_tf.evaluation.evaluation import CaptionOptions, EvaluationOptions, RetrievalOptions
from vsa_tf.settings import Settings

CHOICES = {
    "caption_method": (
        "greedy",
        "beam",
        *("consensus_bleu", "consensus_cider", "consensus_f1"),
        *("oracle_bleu", "oracle_cider", "oracle_f1"),
        *("nearest_bleu", "nearest_cider", "nearest_f1"),
    ),
    "neighbor_features": ("encoder", "refined"),
    "neighbor_distance": ("cosine", "euclidean"),
    "region_boxes": ("given", "detected"),
    "retrieval": ("none", "shortlist", "exact"),
    "normalization": ("marginal", "mean_image"),
    "baseline": ("cca",),
    "rescoring": ("csls", "inverted_softmax"),
}
_OF_WORDS = ("word_magnitudes", "query")
_COUNTS = (
    "beam_size",
    "num_hypotheses",
    "num_neighbors",
    "shortlist_size",
    "num_normalization_images",
)
_OF_FAMILY = {
    "captioning": (
        *_COUNTS,
        "length_normalization",
        "caption_method",
        "neighbor_features",
        "neighbor_distance",
        "neighbor_model",
        "region_boxes",
        "region_overlap",
        "retrieval",
        "normalization",
        "shortlist_model",
    ),
    "alignment": _OF_WORDS,
    "two_branch": ("phrase_model", "phrase_weight", "baseline"),
}
# Of several models together; the latter two of caption generators among them.
_OF_SEVERAL = ("weights", "rescoring", "rescoring_temperature")
_OF_CAPTIONERS = ("retrieval", "normalization", "num_normalization_images")


def check_options(
    model_dir,
    options=EvaluationOptions(),
    captions=CaptionOptions(),
    retrieval=RetrievalOptions(),
    output=None,
    data_dir=None,
    **asked,
):
    """Refuses what a model has no use for, what contradicts, and what is no allowed value.

    Args:
        model_dir, data_dir: see `evaluate_model`.
        options, captions, retrieval, output: see `evaluate_model`.
        **asked: its beam_size, length_normalization, shortlist_model, neighbor_model,
            word_magnitudes, query, phrase_model and baseline.

    Raises:
        VsaTfError: names what is refused.
    """
    for name, path in (("output", output), ("word_magnitudes", asked.get("word_magnitudes"))):
        if path and not pathlib.Path(path).parent.is_dir():
            raise VsaTfError(f"--{name}={path}: there is no such directory")
    model_dirs, _ = given_directories(model_dir, data_dir)
    given = {name: value for name, value in asked.items() if value or value == 0}
    for group in (captions, retrieval):
        for field in dataclasses.fields(group):
            if (value := getattr(group, field.name)) != field.default:
                given[field.name] = value
    if "rescoring_temperature" in given and "inverted_softmax" not in retrieval.rescoring:
        raise VsaTfError("--rescoring_temperature needs --rescoring=inverted_softmax")
    if len(model_dirs) > 1:
        _check_ensemble(model_dirs, given)
        return
    (model_dir,) = model_dirs
    settings = Settings.load(model_dir)
    if "weights" in given:
        raise VsaTfError("--weights are of several models: give --model_dir more than once")
    for family, names in _OF_FAMILY.items():
        for name in names if settings.model.family != family else ():
            if name in given:
                raise VsaTfError(
                    f"--{name} is not for the model {settings.training.model}; leave it out"
                )
    _check_values(given)
    if settings.model.reads_dependencies:
        _check_dependencies(settings, given)
    elif settings.model.family == "two_branch":
        _check_two_branch(settings, model_dir, options, given)
    elif settings.model.family == "captioning":
        _check_captioner(settings, model_dir, captions, given)
    if retrieval.iapr_tc12:
        _check_protocol(settings, model_dir, captions)
    if retrieval.rescoring:
        _check_retrieves(settings, captions, "--rescoring")


def check_split(model_dir, data_dir, split):
    """Refuses a split that the records of a model lack, as `check_stored_splits`.

    Args:
        model_dir, data_dir, split: see `evaluate_model`.
    """
    for model, data in zip(*given_directories(model_dir, data_dir)):
        check_stored_splits(data or Settings.load(model).data.data_dir, split=split)


def given_directories(model_dir, data_dir):
    """Returns the directories of models and of their records, two lists of one length.

    Args:
        model_dir, data_dir: see `evaluate_model`.

    Raises:
        VsaTfError: there is no model, or one twice on the same records, or neither one directory of
            records nor one for each.

    Example:

    >>> given_directories(["runs/a", "runs/b"], "data")
    (['runs/a', 'runs/b'], ['data', 'data'])
    """
    models, data = ([each] if _is_one(each) else list(each) for each in (model_dir, data_dir))
    data = data or [None]
    if not models:
        raise VsaTfError("--model_dir is missing: a directory that vsa_tf.train has written")
    if len(data) not in (1, len(models)):
        raise VsaTfError(
            f"Expected --data_dir once, or once for each of {len(models)} --model_dir. Received: "
            f"{len(data)} of them"
        )
    data = data * len(models) if len(data) == 1 else data
    first = {}
    for pair in zip(models, data):
        # Another spelling of a path would double the model's weight unseen.
        resolved = tuple(each and pathlib.Path(each).resolve() for each in pair)
        if resolved in first:
            raise VsaTfError(
                f"--model_dir={pair[0]} is the same directory as --model_dir={first[resolved]}: "
                "leave one out"
            )
        first[resolved] = pair[0]
    return models, data


def _is_one(directory):
    return directory is None or isinstance(directory, (str, pathlib.PurePath))


def _check_ensemble(model_dirs, given):
    flags = {"iapr_tc12": "protocol"}
    families = set()
    for model_dir in model_dirs:
        settings = Settings.load(model_dir)
        families.add(settings.model.family)
        _check_mean_image(settings.model, given)
        reason = _scores_no_sentences(settings.model, given.get("retrieval"))
        if reason:
            raise VsaTfError(
                "Expected models that score images and sentences. Received: "
                f"{model_dir} with the model {settings.training.model}, {reason}"
            )
    allowed = _OF_SEVERAL + (_OF_CAPTIONERS if "captioning" in families else ())
    for name in given:
        if name not in allowed:
            raise VsaTfError(
                f"--{flags.get(name, name)} is not for these models together; leave it out"
            )
    _check_values(given)
    weights = given.get("weights", "equal")
    if weights in ("equal", "tuned"):
        return
    are_weights = not isinstance(weights, str) and all(
        isinstance(each, (int, float)) and 0 <= each < math.inf for each in weights
    )
    if not are_weights or len(weights) != len(model_dirs) or not sum(weights):
        shown = weights if isinstance(weights, str) else ",".join(str(each) for each in weights)
        raise VsaTfError(
            "Expected --weights to be equal, tuned, or a number for each of "
            f"{len(model_dirs)} --model_dir, none below 0, not all 0. Received: {shown}"
        )


def _scores_no_sentences(model, retrieval):
    """Returns why a model cannot score images and sentences; empty if it can."""
    if model.family == "captioning":
        if model.captions_regions or not model.sees_images:
            return "which knows no probability of a sentence given a photograph"
        if retrieval != "exact":
            return "a caption generator: its probabilities of all pairs need --retrieval=exact"
    if model.pairs_phrases and not model.searches_regions:
        return "which tells pairs of regions and phrases, and no distances"
    return ""


def _check_mean_image(model, given):
    is_asked = model.family == "captioning" and given.get("normalization") == "mean_image"
    if is_asked and model.image_context == "attention":
        raise VsaTfError(
            "--normalization=mean_image needs images of one vector. Received: a model of "
            "--image_context=attention, whose images are sets of regions"
        )


def _check_retrieves(settings, captions, named):
    if settings.model.pairs_phrases:
        raise VsaTfError(f"{named} is of retrieval; this model finds boxes of phrases")
    if settings.model.family == "captioning" and captions.retrieval != "exact":
        raise VsaTfError(f"{named} needs --retrieval=exact of a caption generator")


def _check_values(given):
    for name in _COUNTS:
        if given.get(name, 1) < 1:
            raise VsaTfError(f"Expected --{name} of 1 or more. Received: --{name}={given[name]}")
    for name, allowed in CHOICES.items():
        values = given.get(name, ())
        for value in (values,) if isinstance(values, str) else values:
            if value not in allowed:
                raise VsaTfError(
                    f"Expected --{name} to be one of {', '.join(allowed)}. Received: {value}"
                )
    if given.get("normalization") == "mean_image" and "num_normalization_images" in given:
        raise VsaTfError(
            "--num_normalization_images is of --normalization=marginal: the mean image is that of "
            "all training images"
        )
    if not given.get("rescoring_temperature", 1) > 0:
        raise VsaTfError(
            f"Expected --rescoring_temperature above 0. Received: {given['rescoring_temperature']}"
        )
    if not 0 < given.get("region_overlap", 1) <= 1:
        raise VsaTfError(
            f"Expected --region_overlap above 0 and at most 1. Received: {given['region_overlap']}"
        )
    weight = given.get("phrase_weight")
    if weight is not None and not (isinstance(weight, (int, float)) and 0 <= weight <= 1):
        raise VsaTfError(
            f"Expected --phrase_weight to be a number from 0 to 1, or tuned. Received: {weight}"
        )


def _check_dependencies(settings, given):
    for name in _OF_WORDS:
        if name in given:
            raise VsaTfError(
                f"--{name} is of words, and this {settings.training.model} model reads dependency "
                "relations; leave it out"
            )


def _has_features(model_dir):
    return Settings.load_inputs(model_dir)["region_feature_size"] != 0


def _check_protocol(settings, model_dir, captions):
    named = "--protocol=iapr_tc12"
    if settings.model.pairs_phrases:
        raise VsaTfError(f"{named} is of retrieval; this model finds boxes of phrases")
    if settings.model.family == "captioning" and captions.retrieval == "none":
        raise VsaTfError(
            f"{named} needs --retrieval=exact, or --retrieval=shortlist, of a caption generator"
        )
    if not _has_features(model_dir):
        raise VsaTfError(
            f"{named} compares images by their features. Received: a model of records without them"
        )


def _check_captioner(settings, model_dir, captions, given):
    shortlist_model = given.get("shortlist_model")
    if captions.region_boxes and settings.model.image_context != "frame":
        raise VsaTfError(
            "--region_boxes shows one region. Received: a model of "
            f"--image_context={settings.model.image_context}"
        )
    if captions.region_boxes and captions.retrieval != "none":
        raise VsaTfError("--region_boxes is of captions; --retrieval is of whole images")
    if captions.retrieval == "shortlist" and not shortlist_model:
        raise VsaTfError("--retrieval=shortlist needs --shortlist_model")
    if shortlist_model:
        shortlist = Settings.load(shortlist_model)
        if shortlist.model.family != "alignment":
            raise VsaTfError(
                "Expected --shortlist_model to hold an alignment model. Received: "
                f"{shortlist_model} with the model {shortlist.training.model}"
            )
    if not settings.model.sees_images and captions.retrieval != "none":
        raise VsaTfError("--variant=rnn_base sees no image: it cannot retrieve")
    finds_similar = any(m.startswith(("consensus", "nearest")) for m in captions.caption_method)
    reads_encoder = captions.neighbor_features == "encoder" and "neighbor_model" not in given
    if finds_similar and reads_encoder and not _has_features(model_dir):
        raise VsaTfError(
            "The records hold no features to find similar images by: --neighbor_features=refined, "
            "or --neighbor_model"
        )
    if "neighbor_model" in given:
        _check_neighbor_model(settings.model, given)
    if captions.neighbor_features == "refined" and not settings.model.refines_images:
        raise VsaTfError(
            "--neighbor_features=refined needs a model whose multimodal layer sees the image"
        )
    _check_mean_image(settings.model, given)
    _check_read(captions, finds_similar, given, settings.model.beam_size)


def _check_neighbor_model(model, given):
    if "neighbor_features" in given:
        raise VsaTfError("--neighbor_features and --neighbor_model exclude each other")
    if model.captions_regions or "region_boxes" in given:
        raise VsaTfError("--neighbor_model tells similar photographs; this captions regions")
    with named(f"--neighbor_model={given['neighbor_model']}"):
        neighbor = Settings.load(given["neighbor_model"])
    compares = neighbor.model.family == "alignment" or neighbor.training.model == "embedding"
    if not compares or neighbor.model.pairs_phrases:
        raise VsaTfError(
            "Expected --neighbor_model to hold an alignment model, or an embedding network of "
            f"images and sentences. Received: {given['neighbor_model']} with the model "
            f"{neighbor.training.model}" + " of phrases" * neighbor.model.pairs_phrases
        )


def _check_read(captions, finds_similar, given, beam_size):
    """Refuses what nothing that is asked for reads."""
    is_shortlist, retrieves = captions.retrieval == "shortlist", captions.retrieval != "none"
    is_reranked = any(not m.startswith(("greedy", "nearest")) for m in captions.caption_method)
    searches = given.get("beam_size", beam_size) > 1 or "beam" in captions.caption_method
    retrieval, similar = "--retrieval=exact or shortlist", "--caption_method=consensus or nearest"
    for name, is_read, needs in (
        ("region_overlap", captions.region_boxes == "detected", "--region_boxes=detected"),
        ("shortlist_model", is_shortlist, "--retrieval=shortlist"),
        ("shortlist_size", is_shortlist, "--retrieval=shortlist"),
        ("normalization", retrieves, retrieval),
        ("num_normalization_images", retrieves, retrieval),
        ("length_normalization", searches, "--caption_method=beam, or --beam_size above 1"),
        ("num_hypotheses", is_reranked, "--caption_method=beam, consensus or oracle"),
        ("num_neighbors", finds_similar, similar),
        ("neighbor_features", finds_similar, similar),
        ("neighbor_model", finds_similar, similar),
        ("neighbor_distance", finds_similar, similar),
    ):
        if name in given and not is_read:
            raise VsaTfError(f"--{name} needs {needs}")


def _check_two_branch(settings, model_dir, options, given):
    model, baseline = settings.model, given.get("baseline")
    if options.fold_size and model.pairs_phrases:
        raise VsaTfError("--fold_size is of retrieval; this model finds boxes of phrases")
    if "phrase_model" in given:
        _check_phrase_model(settings, given["phrase_model"], baseline)
    elif "phrase_weight" in given:
        raise VsaTfError("--phrase_weight needs --phrase_model")
    if not baseline:
        return
    if not model.reads_sentence_features:
        raise VsaTfError(
            f"--baseline={baseline} needs a fixed text feature. Received: a model of "
            f"--text={model.text}"
        )
    if model.regions_size or model.regions_pooling == "learned":
        raise VsaTfError(
            f"--baseline={baseline} needs fixed features of images. Received: a model that has "
            "learnt to pool regions (--regions_size, --regions_pooling=learned)"
        )
    if not _has_features(model_dir):
        raise VsaTfError(
            f"--baseline={baseline} needs features of images. Received: a model that trains a CNN "
            "on pixels"
        )


def _check_phrase_model(settings, phrase_model, baseline):
    if settings.training.model != "embedding" or settings.model.pairs_phrases:
        raise VsaTfError(
            "--phrase_model adds to the distance of an embedding network of images and sentences. "
            f"Received: the model {settings.training.model} of --task={settings.model.task}"
        )
    if baseline:
        raise VsaTfError("--phrase_model and --baseline exclude each other; choose one")
    phrases = Settings.load(phrase_model)
    if phrases.model.family != "alignment" and not phrases.model.searches_regions:
        raise VsaTfError(
            "Expected --phrase_model to hold an embedding network of --task=region_phrase or an "
            f"alignment model. Received: {phrase_model} with the model {phrases.training.model}"
        )
