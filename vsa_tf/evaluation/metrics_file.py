"""The `metrics.json` of an evaluation, and its tables as lines of text."""

from vsa_tf.data.record_views import DescribedRegions, PhraseRecords, RegionRecords

_DIRECTIONS = {
    "image_to_sentence": "image annotation",
    "image_to_sentence_shortlist": "of similar images",
    "sentence_to_image": "image search",
    "sentence_to_sentence": "sentence search",
}
_PROTOCOLS = {
    "image_to_sentence": (
        "retrieval",
        "rank of the best true match among all images and sentences of the split; ties count "
        "against; intervals: 95 % bootstrap over images",
    ),
    "sentence_to_sentence": (
        "sentence_retrieval",
        "rank of the best other sentence of the same image among all sentences of the split but "
        "the query itself, which is excluded; ties count against; a sentence that is the only one "
        "of its image does not ask",
    ),
    "recall_curves": (
        "iapr_tc12",
        "match_curves: the mean number of an image's true matches within "
        "the share of the ranked items that is retrieved, percent; recall_curves, recall of the "
        "best match alone, percent of percent; image_to_sentence_shortlist ranks the "
        "sentences of the images of the split nearest to the query by features of the whole frame "
        "(Euclidean distance; the query is one of them) alone",
    ),
    "combined_distance": (
        "combined_distance",
        "(1 - a) d(x, y) + a d_rp(x, y), d_rp the mean over the sentence's phrases of their "
        "distance to the best region of the image, or minus an alignment model's score; a sentence "
        "without phrases has d alone",
    ),
    "rescored": (
        "rescoring",
        "scores corrected for candidates that are near all queries, by the scores of all queries "
        "of the split at once, which no query alone would have; csls: Conneau et al., 2018; "
        "inverted_softmax: Smith et al., 2017, temperature in standard deviations of all scores",
    ),
    "phrase_localization": (
        "phrase_localization",
        "as of Flickr30K Entities: one item a phrase mention, union box of its chain, IoU >= 0.5 "
        "with inclusive pixels; the candidates are the records' regions; phrases whose chain has "
        "no box are dropped and counted; agreed: the candidates by their overlap with all that fit",
    ),
    "captions": (
        "captions",
        "one caption an image against all its own; COCO's scorers on PTB tokens, CIDEr is CIDEr-D; "
        "perplexity of the true captions, END and <unk> counted, perplexity_without_unknown as "
        "neuraltalk's, unknown words left out; novel: percent that are no training caption",
    ),
    "described_regions": (
        "described_regions",
        "what stands for an image is a box that people described, its captions are all that they "
        "say of it; detected: each by the region of the records with the greatest IoU, the whole "
        "frame among them, if it is least_overlap or more: the others are not scored",
    ),
}
_ENSEMBLE = (
    "the weighted mean of the models' scores, of each less their mean and over their standard "
    "deviation over all pairs of the split; where a model has no score of a sentence the others "
    "share its weight; a caption generator's is "
)
# By `CaptionOptions.normalization`.
_RELATIVE = {
    "marginal": "log P(sentence | image) less log mean P(sentence | image) over sampled training "
    "images",
    "mean_image": "log P(sentence | image) less that given the mean of all training images, for "
    "each word and END",
}
_SNIPPETS = (
    "what stands for an image is a region of the records, its captions are the snippets that an "
    "alignment model inferred for it"
)
# A share of the sentences.
_MANY_UNKNOWN = 0.1
_CAPTION_SCORES = (
    "Bleu_1",
    "Bleu_2",
    "Bleu_3",
    "Bleu_4",
    "METEOR",
    "ROUGE_L",
    "CIDEr",
    "novel",
    "distinct",
)


def evaluation_report(settings, data, metrics, baseline=None, normalization="marginal"):
    """Returns the content of `metrics.json`.

    Args:
        settings: `Settings` of the model.
        data: `SplitData`.
        metrics: dict of metrics.
        baseline: what was evaluated in place of the model, see `fit_correlation_baseline`; None:
            the model.
        normalization: of `CaptionOptions`.
    """
    protocol, records = _protocol(metrics), data.records
    if isinstance(records, RegionRecords) and not isinstance(records, DescribedRegions):
        protocol["snippets"] = _SNIPPETS
    if {"captions", "image_to_sentence"} <= metrics.keys():
        protocol["retrieval_score"] = (
            f"images by log P(sentence | image); sentences by {_RELATIVE[normalization]}"
        )
    of_baseline = {}
    if baseline is not None:
        protocol["baseline"] = baseline["protocol"]
        of_baseline = {name: baseline[name] for name in ("baseline", "baseline_choice")}
    num_sentences = records.num_captions
    if isinstance(records, PhraseRecords):
        num_sentences = records.info.split(records.split).num_sentences
    return {
        "model": settings.training.model,
        **of_baseline,
        "split": records.split,
        "dataset": records.info.dataset,
        "protocol": protocol,
        "num_images": records.num_images,
        "num_sentences": num_sentences,
        "sentences": data.tokens.counts(),
        "metrics": metrics,
    }


def ensemble_report(models, records, metrics, normalization="marginal"):
    """Returns the content of `metrics.json` of several models together.

    Args:
        models: list of a dict for each: `model_dir`, `model`, `weight`, `num_without_score`, the
            sentences that the others score without it, and `metrics`, of it alone.
        records: the `RecordSplit` of the first.
        metrics: dict of metrics of all together, and where weights were chosen `tuning`: `split`,
            and `recall_sums` for each choice.
        normalization: of `CaptionOptions`.
    """
    protocol = {"ensemble": _ENSEMBLE + _RELATIVE[normalization], **_protocol(metrics)}
    return {
        "model": "ensemble",
        "models": models,
        "split": records.split,
        "dataset": records.info.dataset,
        "protocol": protocol,
        "num_images": records.num_images,
        "num_sentences": records.num_captions,
        "metrics": metrics,
    }


def _protocol(metrics):
    return dict(text for name, text in _PROTOCOLS.items() if name in metrics)


def metrics_lines(report):
    """Yields the lines of the tables of `evaluation_report`, laid out as the papers'."""
    evaluated = report["model"]
    if "baseline" in report:
        evaluated = f"{report['baseline']}, on the features of {evaluated},"
    are_regions = {"described_regions", "snippets"} & report["protocol"].keys()
    yield (
        f"{evaluated} on {report['dataset']} {report['split']}: {report['num_images']} "
        f"{'regions' if are_regions else 'images'}, {report['num_sentences']} sentences"
    )
    if "baseline" in report:
        yield report["protocol"]["baseline"]
    if "models" in report:
        yield from _ensemble_lines(report)
        return
    unknown = report["sentences"].get("without_known_words", 0)
    if unknown and unknown >= _MANY_UNKNOWN * report["num_sentences"]:
        yield (
            f"{unknown} sentences have no word that the model knows, and what it answers to them "
            "means nothing: they may be in another language than it was trained on"
        )
    metrics = report["metrics"]
    if "described_regions" in metrics:
        yield _described_line(metrics["described_regions"])
    if "captions" in metrics:
        yield from _caption_lines(metrics)
    if "image_to_sentence" in metrics:
        yield from _retrieval_lines(metrics)
    yield from _rescored_lines(metrics)
    if "recall_curves" in metrics:
        yield "recall by the percentage of items that are retrieved:"
        yield from _curve_lines(metrics["recall_curves"], ".1f")
    if "match_curves" in metrics:
        yield "mean number of an image's own sentences among them:"
        yield from _curve_lines(metrics["match_curves"], ".2f")
    if "combined_distance" in metrics:
        yield from _combined_lines(metrics["combined_distance"])
    if "phrase_localization" in metrics:
        yield from _localization_lines(metrics["phrase_localization"])
    yield from _ceiling_lines(metrics)


def _described_line(values):
    count = f"{values['num_captioned']} of {values['num_described']} described regions"
    if values["boxes"] == "given":
        return f"{count} are captioned by their given boxes"
    return (
        f"{count} are captioned by the detected box that overlaps theirs most, IoU "
        f"{values['least_overlap']:g} or more, in the mean {values['mean_overlap']:.2f}"
    )


def _caption_lines(metrics):
    captions = metrics["captions"]
    yield (
        f"perplexity {captions['perplexity']:.2f}; "
        f"without unknown words {captions['perplexity_without_unknown']:.2f}"
    )
    yield f"{'':18}" + "".join(f"{name:>9}" for name in _CAPTION_SCORES)
    for name, row in {"captions": captions, **metrics.get("captions_by_method", {})}.items():
        cells = [row[score] for score in _CAPTION_SCORES]
        yield f"{name:18}" + "".join(f"{_cell(value):>9}" for value in cells)
        if row["collapsed"]:
            yield (
                f"{'':18}the model has collapsed: {row['distinct']} different captions for all "
                "images; train it longer or at a lower learning rate"
            )
    bleu = [value for name, value in captions.items() if name.endswith("_no_brevity_penalty")]
    if bleu:
        cells = "".join(f"{value:9.3f}" for value in bleu)
        yield f"{'as neuraltalk':18}{cells}  (BLEU without its brevity penalty)"
    for name, reason in captions.get("skipped", {}).items():
        yield f"{name} is not computed: {reason}"


def _cell(value):
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def _retrieval_lines(metrics):
    yield f"{'':18}{'R@1':>8}{'R@5':>8}{'R@10':>8}{'Med r':>8}{'Mean r':>8}"
    for direction, title in _DIRECTIONS.items():
        if direction not in metrics:
            continue
        values = metrics[direction]
        row = [values[name] for name in ("R@1", "R@5", "R@10", "median_rank", "mean_rank")]
        yield f"{title:18}" + "".join(f"{value:8.1f}" for value in row)
        if "interval_95" in values:
            low, high = values["interval_95"]["R@1"]
            yield f"{'':18}R@1 is within {low:.1f} and {high:.1f} (95 %)"


def _rescored_lines(metrics):
    for method, values in metrics.get("rescored", {}).items():
        (name, value), *_ = values.items()
        named = f"{method}, {name} {value}"
        yield f"rescored ({named}), which reads all queries of the split at once:"
        yield from _retrieval_lines(values)


def _ensemble_lines(report):
    metrics, tuning = report["metrics"], report["metrics"].get("tuning")
    rows = {f"{m['weight']:.2f} {m['model']}, {m['model_dir']}": m for m in report["models"]}
    for title, model in rows.items():
        yield title
        if model["num_without_score"]:
            yield f"  {model['num_without_score']} sentences are scored by the others alone"
        yield from _retrieval_lines(model["metrics"])
    chosen = f", their weights chosen on {tuning['split']}" if tuning else ""
    yield f"together, by the weighted mean of standardised scores{chosen}:"
    yield from _retrieval_lines(metrics)
    yield from _rescored_lines(metrics)
    if tuning:
        sums = sorted(tuning["recall_sums"].items(), key=lambda item: -item[1])
        yield "sum of all recalls by the weights, the best ten of " + str(len(sums)) + ":"
        yield from (f"  {weights}  {value:.1f}" for weights, value in sums[:10])
    yield from _ceiling_lines(metrics)


def _curve_lines(curves, form):
    shares = next(iter(curves.values()))
    yield f"{'':18}" + "".join(f"{share:>6}" for share in shares)
    for name, curve in curves.items():
        yield f"{_DIRECTIONS[name]:18}" + "".join(f"{value:6{form}}" for value in curve.values())


def _combined_lines(values):
    chosen = f", chosen on {values['tuning']['split']}" if "tuning" in values else ""
    yield (
        f"with the distance of phrases, a = {values['weight']:.2f}{chosen}; "
        f"{values['num_without_phrases']} sentences have none"
    )
    yield from _retrieval_lines(values)
    if "tuning" in values:
        yield "sum of all recalls by a:"
        sums = [f"{a} {value:.1f}" for a, value in values["tuning"]["recall_sums"].items()]
        for first in range(0, len(sums), 7):
            yield "  " + "  ".join(sums[first : first + 7])


def _ceiling_lines(metrics):
    if "ceiling" in metrics:
        ceiling = metrics["ceiling"]
        yield (
            f"image search R@1 of a perfect reader: {ceiling['sentence_to_image']:.1f}; of this "
            f"model, among the {ceiling['num_unambiguous']} sentences that are true of one image "
            f"only: {ceiling['unambiguous_R@1']:.1f}"
        )


def _localization_lines(values):
    titles = ("R@1", "R@5", "R@10", "pointing", "bound", "chance", "number")
    yield f"{'phrases':18}" + "".join(f"{title:>9}" for title in titles)
    for name, row in {"all": values, **values["by_type"]}.items():
        if not row["num_phrases"]:
            continue
        names = ("R@1", "R@5", "R@10", "pointing", "upper_bound", "chance")
        cells = "".join(f"{row[key]:9.1f}" for key in names)
        yield f"  {name:16}{cells}{row['num_phrases']:9d}"
    if values["num_phrases"] and "agreed" in values:  # not in files of before
        cells = "".join(f"{values['agreed'][title]:9.1f}" for title in titles[:4])
        yield f"  {'all, by agreement':18}{cells[2:]}"
    if values["num_dropped"]:
        yield f"{values['num_dropped']} phrases have no box and are left out"
