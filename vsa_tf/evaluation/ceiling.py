"""What a perfect reader would reach on a generated data set."""


def generated_ceiling(info, split):
    """Returns the best sentence-to-image R@1 that the captions of a split allow, or None.

    Captions of generated scenes may be true of several images. A reader who understands each word
    picks one of them at random: the expected R@1 is the ceiling.

    Args:
        info: `DatasetInfo`; None is returned unless it is of a generated data set.
        split: name of the split.

    Returns:
        A dict: `sentence_to_image`, percent, and `num_identical`, scenes with a twin.
    """
    if info.dataset != "shape_scenes":
        return None
    from tfrecords_tools.sources.shape_scenes import ShapeScenes

    counts = [
        info.splits[name].num_images if name in info.splits else 0
        for name in ("train", "dev", "test")
    ]
    source = ShapeScenes(*counts, seed=info.contents["settings"]["seed"])
    ceiling = source.sentence_to_image_ceiling(split)
    return {
        "sentence_to_image": 100.0 * float(ceiling.recall_at_1),
        "num_identical": int(ceiling.num_duplicates),
    }
