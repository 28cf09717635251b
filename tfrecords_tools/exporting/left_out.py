"""What records hold and a format has no place for."""


def left_out(info, splits, *, images_carried=True, features_carried=False, **counts):
    """Says what was not exported.

    Args:
        info: the `DatasetInfo` of the records.
        splits: names of the exported splits.
        images_carried: whether the format has images.
        features_carried: whether the format has features.
        **counts: how many of something were left out, `annotated_boxes=3`.

    Returns:
        A list of strings, empty where the format carried everything.
    """
    lines = []
    num_images = sum(info.split(split).num_images for split in splits)
    if images_carried and not info.images_stored:
        lines.append(f"{num_images} images: the records do not hold them, only their names")
    if not images_carried and info.images_stored:
        lines.append(f"{num_images} images")
    if not features_carried and info.num_regions > 1:
        lines.append(f"regions, at most {info.num_regions} an image")
    if not features_carried and info.region_feature_size:
        lines.append(f"features of {info.region_feature_size} numbers")
    if info.object_features:
        lines.append("features of annotated boxes")
    counts["phrases"] = sum(info.split(split).num_phrases for split in splits)
    lines += [
        f"{count} {name.replace('_', ' ')}" for name, count in sorted(counts.items()) if count
    ]
    return lines
