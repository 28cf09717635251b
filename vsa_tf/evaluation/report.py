"""What an evaluation leaves behind: one JSON value, and tables laid out as the papers'."""

_DIRECTIONS = {
    "image_to_sentence": "image annotation",
    "sentence_to_image": "image search",
}
_PROTOCOLS = {
    "image_to_sentence": (
        "retrieval",
        "rank of the best true match among all images and sentences of the split; ties count "
        "against; intervals: 95 % bootstrap over images",
    ),
    "phrase_localization": (
        "phrase_localization",
        "Flickr30K Entities: one item a phrase mention, union box of its chain, IoU >= 0.5 with "
        "inclusive pixels; the candidates are the records' regions",
    ),
    "captions": (
        "captions",
        "one caption an image against all its own; COCO's scorers on PTB tokens, CIDEr is CIDEr-D; "
        "perplexity of the true captions, END and <unk> counted, perplexity_without_unknown as "
        "neuraltalk's, unknown words left out; novel: percent that are no training caption",
    ),
}
_CAPTION_SCORES = (
    "Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4", "METEOR", "ROUGE_L", "CIDEr", "novel", "distinct",
)


def evaluation_report(settings, data, metrics):
    """Returns the content of `metrics.json`.

    Args:
        settings: `Settings` of the model.
        data: `SplitData`.
        metrics: dict of metrics.
    """
    protocol = dict(text for name, text in _PROTOCOLS.items() if name in metrics)
    if {"captions", "image_to_sentence"} <= metrics.keys():
        protocol["retrieval_score"] = (
            "images by log P(sentence | image); sentences by that less log mean P(sentence | image) "
            "over sampled training images"
        )
    tokens = data.tokens
    return {
        "model": settings.training.model,
        "split": data.records.split,
        "dataset": data.records.info.dataset,
        "protocol": protocol,
        "num_images": data.records.num_images,
        "num_sentences": data.records.num_captions,
        "sentences": {
            "truncated": tokens.num_truncated,
            "without_words": tokens.num_empty,
            "without_known_words": tokens.num_unknown,
        },
        "metrics": metrics,
    }


def print_tables(report):
    """Prints the metrics of `evaluation_report`."""
    print(
        f"{report['model']} on {report['dataset']} {report['split']}: "
        f"{report['num_images']} images, {report['num_sentences']} sentences"
    )
    metrics = report["metrics"]
    if "captions" in metrics:
        _print_captions(metrics)
    if "image_to_sentence" in metrics:
        _print_retrieval(metrics)
    if "phrase_localization" in metrics:
        _print_localization(metrics["phrase_localization"])
    if "ceiling" in metrics:
        ceiling = metrics["ceiling"]
        print(
            f"image search R@1 of a perfect reader: {ceiling['sentence_to_image']:.1f}; of this "
            f"model, among the {ceiling['num_unambiguous']} sentences that are true of one image "
            f"only: {ceiling['unambiguous_R@1']:.1f}"
        )


def _print_captions(metrics):
    captions = metrics["captions"]
    print(
        f"perplexity {captions['perplexity']:.2f}; "
        f"without unknown words {captions['perplexity_without_unknown']:.2f}"
    )
    print(f"{'':18}" + "".join(f"{name:>9}" for name in _CAPTION_SCORES))
    for name, row in {"captions": captions, **metrics.get("captions_by_method", {})}.items():
        cells = [row[score] for score in _CAPTION_SCORES]
        print(f"{name:18}" + "".join(f"{_cell(value):>9}" for value in cells))
        if row["collapsed"]:
            print(
                f"{'':18}the model has collapsed: {row['distinct']} different captions for all "
                "images; train it longer or at a lower learning rate"
            )
    bleu = [value for name, value in captions.items() if name.endswith("_no_brevity_penalty")]
    if bleu:
        cells = "".join(f"{value:9.3f}" for value in bleu)
        print(f"{'as neuraltalk':18}{cells}  (BLEU without its brevity penalty)")
    for name, reason in captions.get("skipped", {}).items():
        print(f"{name} is not computed: {reason}")


def _cell(value):
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def _print_retrieval(metrics):
    print(f"{'':18}{'R@1':>8}{'R@5':>8}{'R@10':>8}{'Med r':>8}{'Mean r':>8}")
    for direction, title in _DIRECTIONS.items():
        values = metrics[direction]
        row = [values[name] for name in ("R@1", "R@5", "R@10", "median_rank", "mean_rank")]
        print(f"{title:18}" + "".join(f"{value:8.1f}" for value in row))
        if "interval_95" in values:
            low, high = values["interval_95"]["R@1"]
            print(f"{'':18}R@1 is within {low:.1f} and {high:.1f} (95 %)")


def _print_localization(values):
    titles = ("R@1", "R@5", "R@10", "bound", "chance", "number")
    print(f"{'phrases':18}" + "".join(f"{title:>8}" for title in titles))
    for name, row in {"all": values, **values["by_type"]}.items():
        if not row["num_phrases"]:
            continue
        cells = [row[key] for key in ("R@1", "R@5", "R@10", "upper_bound", "chance")]
        print(
            f"  {name:16}" + "".join(f"{cell:8.1f}" for cell in cells)
            + f"{row['num_phrases']:8d}"
        )
