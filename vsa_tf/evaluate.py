"""Evaluates a trained model on a split of records, by the papers' protocols.

    python -m vsa_tf.evaluate --model_dir=DIR --data_dir=DIR --split=test --output=metrics.json

Prints tables laid out as the papers' and writes one JSON value; a caption generator's captions go
into `captions.json` beside it, in the COCO results format. `--word_magnitudes` and `--query` also
write what DVSA's supplement shows of an alignment model. `--phrase_model` adds the distance of a
sentence's phrases to an embedding network's; `--baseline=cca` evaluates normalised CCA in place of
a two-branch network, on the features that the network reads. `--protocol=iapr_tc12`
adds recall curves, drawn in `recall_curves.png` beside the output, the number of matches, and the
ranks of an image's sentences among those of the 100 images most like it.

    python -m vsa_tf.evaluate --model_dir=DIR --model_dir=DIR --split=test --weights=tuned

evaluates models together, of any kinds, and each beside them. `--rescoring` adds rows by scores
that are corrected by those of all queries at once.
"""

import dataclasses
import time

from absl import flags

from vsa_tf import program
from vsa_tf.errors import check_given
from vsa_tf.evaluation.check_options import CHOICES, check_options, check_split
from vsa_tf.evaluation.evaluation import CaptionOptions, EvaluationOptions, RetrievalOptions

_SECONDS_A_LINE = 5
_ASKED = (
    "output",
    "beam_size",
    "length_normalization",
    "shortlist_model",
    "neighbor_model",
    "word_magnitudes",
    "query",
    "phrase_model",
    "baseline",
)


def define_flags():
    """Defines the program's flags."""
    captions, retrieval = CaptionOptions(), RetrievalOptions()
    flags.DEFINE_multi_string(
        "model_dir",
        None,
        "Directory that vsa_tf.train has written; repeatable: the weighted mean of the models' "
        "standardised scores is evaluated, and each beside it.",
    )
    flags.DEFINE_multi_string(
        "data_dir",
        None,
        "Directory of records; default: that of the training. Of several models once, or once for "
        "each.",
    )
    flags.DEFINE_string(
        "weights",
        retrieval.weights,
        "Of several models: equal; tuned: chosen on the dev split; or numbers, such as 0.6,0.4.",
    )
    flags.DEFINE_multi_enum(
        "rescoring",
        [],
        CHOICES["rescoring"],
        "Also rank by scores corrected for candidates that are near all queries; repeatable. It "
        "reads all queries at once.",
    )
    flags.DEFINE_float(
        "rescoring_temperature",
        retrieval.rescoring_temperature,
        "Of --rescoring=inverted_softmax, in standard deviations of all scores.",
    )
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
    flags.DEFINE_bool(
        "length_normalization",
        None,
        "Rank captions of beams by log probability per word; default: as in the training.",
    )
    flags.DEFINE_multi_enum(
        "caption_method",
        [],
        CHOICES["caption_method"],
        "Also score captions made so; repeatable. consensus: of --num_hypotheses beams the "
        "one most like the captions of similar training images; oracle: most like the true ones; "
        "nearest: the consensus of those captions themselves.",
    )
    flags.DEFINE_integer(
        "num_hypotheses", captions.num_hypotheses, "Beams that are reranked.", lower_bound=1
    )
    flags.DEFINE_integer(
        "num_neighbors",
        captions.num_neighbors,
        "Similar training images whose captions rerank.",
        lower_bound=1,
    )
    flags.DEFINE_enum(
        "neighbor_features",
        captions.neighbor_features,
        CHOICES["neighbor_features"],
        "What tells similar images: the encoder's features, or m_rnn's g2(V_I I).",
    )
    flags.DEFINE_string(
        "neighbor_model",
        None,
        "model_dir of an alignment model or embedding network of images and sentences: its vectors "
        "tell similar images in place of --neighbor_features.",
    )
    flags.DEFINE_enum(
        "neighbor_distance",
        captions.neighbor_distance,
        CHOICES["neighbor_distance"],
        "By which images are similar (paper: not stated).",
    )
    flags.DEFINE_enum(
        "retrieval",
        captions.retrieval,
        CHOICES["retrieval"],
        "Retrieval by the probability of a caption generator: of all pairs, or of those that "
        "--shortlist_model finds best.",
    )
    flags.DEFINE_string("shortlist_model", None, "model_dir of an alignment model.")
    flags.DEFINE_integer(
        "shortlist_size",
        captions.shortlist_size,
        "Images that --retrieval=shortlist looks at for a sentence.",
        lower_bound=1,
    )
    flags.DEFINE_enum(
        "normalization",
        captions.normalization,
        CHOICES["normalization"],
        "What a sentence's probability is relative to when sentences are ranked: its mean over "
        "training images (M eq. 7), or its perplexity given their mean (Kiros et al. 2014).",
    )
    flags.DEFINE_integer(
        "num_normalization_images",
        captions.num_normalization_images,
        "Training images in the mean of M eq. 7.",
        lower_bound=1,
    )
    flags.DEFINE_enum(
        "region_boxes",
        captions.region_boxes,
        CHOICES["region_boxes"],
        "Caption the regions that people described, not images: by their given boxes (of records "
        "with --object_features, or pixels), or by the detected region that overlaps each most.",
    )
    flags.DEFINE_float(
        "region_overlap",
        captions.region_overlap,
        "IoU from which a detected region stands for a described one; others are counted.",
    )
    flags.DEFINE_string(
        "phrase_model",
        None,
        "model_dir of an embedding network of regions and phrases, or of an alignment model: an "
        "image-sentence embedding is also evaluated with the distance of each sentence's phrases "
        "(T eq. 8), or words.",
    )
    flags.DEFINE_string(
        "phrase_weight",
        str(retrieval.phrase_weight),
        "Their weight, 0 to 1; tuned: chosen on the dev split (paper: 0.2).",
    )
    flags.DEFINE_enum(
        "baseline",
        None,
        CHOICES["baseline"],
        "Evaluate this in place of a two-branch network, on the same features.",
    )


def main():
    values = flags.FLAGS
    check_given(values, model_dir="a directory that vsa_tf.train has written")
    asked = {
        "options": EvaluationOptions(
            fold_size=values.fold_size, seed=values.seed, progress=_printed_progress()
        ),
        "captions": CaptionOptions(
            **{each.name: values[each.name].value for each in dataclasses.fields(CaptionOptions)}
            | {"caption_method": tuple(values.caption_method)}
        ),
        "retrieval": RetrievalOptions(
            _phrase_weight(),
            iapr_tc12=values.protocol == "iapr_tc12",
            weights=_weights(),
            rescoring=tuple(values.rescoring),
            rescoring_temperature=values.rescoring_temperature,
        ),
        **{name: values[name].value for name in _ASKED},
    }
    check_options(values.model_dir, data_dir=values.data_dir, **asked)
    check_split(values.model_dir, values.data_dir, values.split)
    from vsa_tf.evaluation.evaluate_model import evaluate_model

    evaluate_model(
        values.model_dir,
        data_dir=values.data_dir,
        split=values.split,
        **asked,
        say=program.print_line,
        warn=program.print_warning,
    )


def _phrase_weight():
    """Returns a of T eq. 8; None: chosen on dev; what is no number is refused with the rest."""
    text = flags.FLAGS.phrase_weight
    try:
        return None if text == "tuned" else float(text)
    except ValueError:
        return text


def _weights():
    """Returns the weight of each model, or the word; what is neither is refused with the rest."""
    text = flags.FLAGS.weights
    try:
        return tuple(float(each) for each in text.split(","))
    except ValueError:
        return text


def _printed_progress(clock=time.monotonic):
    """Returns what prints how far a long work is, a line every few seconds."""
    last = clock()

    def show(done, total, unit="images"):
        nonlocal last
        if clock() - last >= _SECONDS_A_LINE:
            last = clock()
            program.print_note(f"{done} of {total} {unit}")

    return show


if __name__ == "__main__":
    define_flags()
    program.run(main, __doc__)
