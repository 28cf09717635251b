"""What an evaluation leaves behind: one JSON value, and tables laid out as the papers'."""

_DIRECTIONS = {
    "image_to_sentence": "image annotation",
    "sentence_to_image": "image search",
}
_RETRIEVAL_PROTOCOL = (
    "rank of the best true match among all images and sentences of the split; ties count against; "
    "intervals: 95 % bootstrap over images"
)
_PHRASE_PROTOCOL = (
    "Flickr30K Entities: one item a phrase mention, union box of its chain, IoU >= 0.5 with "
    "inclusive pixels; the candidates are the records' regions"
)


def evaluation_report(settings, data, metrics):
    """Returns the content of `metrics.json`.

    Args:
        settings: `Settings` of the model.
        data: `SplitData`.
        metrics: dict of metrics.
    """
    protocol = {"retrieval": _RETRIEVAL_PROTOCOL}
    if "phrase_localization" in metrics:
        protocol["phrase_localization"] = _PHRASE_PROTOCOL
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
    print(f"{'':18}{'R@1':>8}{'R@5':>8}{'R@10':>8}{'Med r':>8}{'Mean r':>8}")
    for direction, title in _DIRECTIONS.items():
        values = metrics[direction]
        row = [values[name] for name in ("R@1", "R@5", "R@10", "median_rank", "mean_rank")]
        print(f"{title:18}" + "".join(f"{value:8.1f}" for value in row))
        if "interval_95" in values:
            low, high = values["interval_95"]["R@1"]
            print(f"{'':18}R@1 is within {low:.1f} and {high:.1f} (95 %)")
    if "phrase_localization" in metrics:
        values = metrics["phrase_localization"]
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
    if "ceiling" in metrics:
        ceiling = metrics["ceiling"]
        print(
            f"image search R@1 of a perfect reader: {ceiling['sentence_to_image']:.1f}; of this "
            f"model, among the {ceiling['num_unambiguous']} sentences that are true of one image "
            f"only: {ceiling['unambiguous_R@1']:.1f}"
        )
