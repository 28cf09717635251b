"""Data sets by name, as `--dataset` of `tfrecords_tools.write` takes them."""

import importlib

# What each data set is made from, so that a missing flag is named before anything is read.
_REQUIRED = {
    "flickr8k": {
        "images": "Flickr8k_Dataset.zip (Flicker8k_Dataset/*.jpg), as a zip or unpacked",
        "captions": "Flickr8k_text.zip (Flickr8k.token.txt and the split lists), zip or unpacked",
    },
    "csv": {
        "images": "the directory or zip of the photographs",
        "captions": "the CSV file, rows path,caption[,split]",
    },
    "shape_scenes": {},
}
_OPTIONAL = {"flickr8k": ("entities",), "csv": (), "shape_scenes": ("num_examples",)}

DATASETS = tuple(_REQUIRED)
DEFAULT_NUM_EXAMPLES = (2000, 500, 500)


def make_source(dataset, *, images=None, captions=None, entities=None, num_examples=None, seed=0):
    """Builds the source of a data set.

    Args:
        dataset: one of `DATASETS`.
        images: directory or zip of photographs.
        captions: directory, zip or file of sentences.
        entities: directory or zip of Flickr30K Entities.
        num_examples: `(train, dev, test)` counts of a generated data set.
        seed: of a generated data set.

    Returns:
        A source: `name`, `splits()`, `examples(split)`, `skipped`, `checksums()`.

    Raises:
        ValueError: when a path is missing or does not belong to the data set.
        OSError: when a file cannot be read.
    """
    check_source(
        dataset, images=images, captions=captions, entities=entities, num_examples=num_examples
    )
    if dataset == "shape_scenes":
        module = importlib.import_module("tfrecords_tools.sources.shape_scenes")
        return module.ShapeScenes(*(num_examples or DEFAULT_NUM_EXAMPLES), seed=seed)
    if dataset == "csv":
        module = importlib.import_module("tfrecords_tools.sources.csv_captions")
        return module.CsvCaptions(images, captions)
    module = importlib.import_module("tfrecords_tools.sources.flickr8k")
    return module.Flickr8k(images, captions, entities)


def check_source(dataset, **arguments):
    """Checks that a data set is given what it is made from, and nothing else.

    Raises:
        ValueError: naming the flag, what to get, and where to put it.
    """
    if dataset not in _REQUIRED:
        raise ValueError(f"Expected --dataset of {', '.join(DATASETS)}. Received: {dataset!r}")
    for flag, what in _REQUIRED[dataset].items():
        if not arguments.get(flag):
            raise ValueError(f"Expected --{flag} for --dataset={dataset}: {what}. Received: none")
    for flag, value in arguments.items():
        if value and flag not in (*_REQUIRED[dataset], *_OPTIONAL[dataset]):
            raise ValueError(
                f"Expected no --{flag} for --dataset={dataset}, which does not use it. "
                f"Received: {value!r}"
            )
