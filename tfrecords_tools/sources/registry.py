"""Data sets by name, as `--dataset` of `tfrecords_tools.write` takes them."""

import importlib
import os

# What each data set is made from, so that a missing flag is named before anything is read.
_REQUIRED = {
    "flickr8k": {
        "images": "Flickr8k_Dataset.zip (Flicker8k_Dataset/*.jpg), as a zip or unpacked",
        "captions": "Flickr8k_text.zip (Flickr8k.token.txt and the split lists), zip or unpacked",
    },
    "flickr30k": {
        "images": "flickr30k-images.tar.gz, unpacked",
        "captions": "a directory of results_20130124.token (flickr30k.tar.gz) and of train.txt, "
        "val.txt and test.txt (https://github.com/BryanPlummer/flickr30k_entities)",
    },
    "coco": {
        "images": "a directory of train2014 and val2014 (or 2017), unpacked",
        "captions": "annotations_trainval2014.zip (or 2017), as a zip or unpacked",
    },
    "karpathy_json": {
        "images": "the directory or zip of the photographs",
        "captions": "dataset_flickr8k.json, dataset_flickr30k.json or dataset_coco.json of "
        "caption_datasets.zip (https://cs.stanford.edu/people/karpathy/deepimagesent)",
    },
    "iapr_tc12": {
        "images": "iaprtc12.tgz, unpacked (images/*/*.jpg)",
        "captions": "a directory of annotations_complete_eng (iaprtc12.tgz) and of "
        "iaprtc12_train_list.txt and iaprtc12_test_list.txt (iaprtc12.20091111.tar.bz2)",
    },
    "pascal1k": {
        "images": "the directory or zip of the photographs, 2008_000716.jpg and so on",
        "captions": "the page http://vision.cs.uiuc.edu/pascal-sentences/, saved, or a directory "
        "of one text file a photograph",
    },
    "neuraltalk": {
        "captions": "the directory or zip of dataset.json and vgg_feats.mat "
        "(https://cs.stanford.edu/people/karpathy/deepimagesent)"
    },
    "precomp": {
        "captions": "the directory of train_ims.npy, train_caps.txt and so on, for example "
        "f30k_precomp (https://github.com/kuanghuei/SCAN)"
    },
    "csv": {
        "images": "the directory or zip of the photographs",
        "captions": "a table of rows path,caption[,split]: CSV, JSON or JSON lines",
    },
    "regions": {
        "images": "the directory or zip of the photographs",
        "captions": "descriptions of regions: region_descriptions.json of "
        "https://homes.cs.washington.edu/~ranjay/visualgenome, RefCOCO's refs as JSON with COCO's "
        "instances, or a table of rows path,ymin,xmin,ymax,xmax,sentence[,split]",
    },
    "shape_scenes": {},
    "tf_records:PATTERN": {},
    "tfds:NAME[/CONFIG][:VERSION]": {},
}
_OPTIONAL = {
    "flickr8k": ("entities",),
    "flickr30k": ("entities",),
    "coco": ("entities",),
    "karpathy_json": ("entities", "restval_in_train"),
    "neuraltalk": ("restval_in_train",),
    "csv": ("holdout",),
    "regions": ("holdout",),
    "shape_scenes": ("num_examples",),
    "tfds:NAME[/CONFIG][:VERSION]": ("images",),
}

# Module, class and what it is made from, in order; modules are imported when they are needed.
_CLASSES = {
    "flickr8k": ("flickr_captions", "Flickr8k", ("images", "captions", "entities")),
    "flickr30k": ("flickr_captions", "Flickr30k", ("images", "captions", "entities")),
    "coco": ("coco", "Coco", ("images", "captions", "entities")),
    "karpathy_json": (
        "karpathy_json",
        "KarpathyJson",
        ("images", "captions", "entities", "restval_in_train"),
    ),
    "iapr_tc12": ("iapr_tc12", "IaprTc12", ("images", "captions")),
    "pascal1k": ("pascal1k", "Pascal1k", ("images", "captions")),
    "neuraltalk": ("neuraltalk", "Neuraltalk", ("captions", "restval_in_train")),
    "precomp": ("precomp", "Precomp", ("captions",)),
    "csv": ("csv_captions", "CsvCaptions", ("images", "captions", "holdout")),
    "regions": ("region_descriptions", "RegionDescriptions", ("images", "captions", "holdout")),
}

# Forms of --dataset; what follows a colon is anything.
DATASETS = tuple(_REQUIRED)
_TF_RECORDS, _TFDS = "tf_records:", "tfds:"
# Those that bring features in place of photographs.
FEATURE_DATASETS = ("neuraltalk", "precomp")
# Those that cannot have features of others: they have their own, or nobody has made any.
_WITHOUT_OTHERS = (*FEATURE_DATASETS, "shape_scenes")
# Those whose captions may lie in several files, given one by one.
_SEVERAL_CAPTIONS = ("coco", "csv", "regions")
DEFAULT_NUM_EXAMPLES = (2000, 500, 500)


def make_source(
    dataset,
    *,
    images=None,
    captions=None,
    entities=None,
    restval_in_train=False,
    holdout=None,
    num_examples=None,
    features=None,
    splits_file=None,
    seed=0,
):
    """Builds the source of a data set.

    Args:
        dataset: one of `DATASETS`.
        images: directory or zip of photographs, or the directory of tensorflow-datasets.
        captions: directory, zip or file of sentences, or a list of them.
        entities: directory or zip of Flickr30K Entities, or of COCO's instances.
        restval_in_train: whether Karpathy's `restval` joins `train`.
        holdout: `(dev, test)` shares of the photographs of tables that name no split.
        num_examples: `(train, dev, test)` counts of a generated data set.
        features: spec of features of the photographs, see `feature_files`, or None.
        splits_file: file of the split of each photograph, see `read_splits`, in place of the data
            set's own splits; or None.
        seed: of a generated data set.

    Returns:
        A `Source`; one of `FEATURE_DATASETS`, or with features, has a `feature_size`.

    Raises:
        ValueError: when a path is missing or does not belong to the data set.
        OSError: when a file cannot be read.
    """
    arguments = {
        "images": images,
        "captions": captions,
        "entities": entities,
        "restval_in_train": restval_in_train,
        "holdout": holdout,
        "num_examples": num_examples,
    }
    check_source(dataset, features=features, splits_file=splits_file, **arguments)
    source = _make_source(dataset, arguments, seed)
    if features:
        module = importlib.import_module("tfrecords_tools.sources.bottom_up")
        has_photographs = brings_photographs(dataset, images, features)
        source = module.BottomUpSource(source, module.BottomUpFeatures(features), has_photographs)
    if not splits_file:
        return source
    module = importlib.import_module("tfrecords_tools.sources.caption_source")
    return module.SplitSource(source, splits_file)


def brings_photographs(dataset, images, features):
    """Returns whether the photographs of a data set are there, of which features may do without."""
    if dataset in FEATURE_DATASETS:
        return False
    return not features or bool(images) or dataset.startswith((_TF_RECORDS, _TFDS))


def _make_source(dataset, arguments, seed):
    images, captions = arguments["images"], arguments["captions"]
    if dataset not in _SEVERAL_CAPTIONS and isinstance(captions, (list, tuple)):
        (arguments["captions"],) = captions
    if dataset.startswith(_TF_RECORDS):
        module = importlib.import_module("tfrecords_tools.sources.tf_records")
        return module.TfRecords(dataset.removeprefix(_TF_RECORDS))
    if dataset.startswith(_TFDS):
        module = importlib.import_module("tfrecords_tools.sources.tfds_builder")
        return module.TfdsBuilder(dataset.removeprefix(_TFDS), images)
    if dataset == "shape_scenes":
        module = importlib.import_module("tfrecords_tools.sources.shape_scenes")
        return module.ShapeScenes(*(arguments["num_examples"] or DEFAULT_NUM_EXAMPLES), seed=seed)
    module_name, class_name, names = _CLASSES[dataset]
    module = importlib.import_module(f"tfrecords_tools.sources.{module_name}")
    return getattr(module, class_name)(*(arguments[name] for name in names))


def check_source(dataset, **arguments):
    """Checks that a data set is given what it is made from, and nothing else.

    Raises:
        ValueError: naming the flag, what to get, and where to put it.
    """
    name, _, rest = dataset.partition(":")
    forms = {form.partition(":")[0]: form for form in DATASETS if ":" in form}
    kind = forms.get(name, dataset) if rest.strip() else dataset
    if kind not in DATASETS:
        raise ValueError(f"Expected --dataset of {', '.join(DATASETS)}. Received: {dataset!r}")
    needed = {flag: what for flag, what in _REQUIRED[kind].items() if not arguments.get(flag)}
    allowed = [*_REQUIRED[kind], *_OPTIONAL.get(kind, ()), "splits_file"]
    if kind not in _WITHOUT_OTHERS:
        allowed.append("features")
        if arguments.get("features"):
            needed.pop("images", None)
    if needed:
        raise ValueError(
            f"Expected {' and '.join(f'--{flag}' for flag in needed)} for --dataset={dataset}: "
            f"{'; '.join(needed.values())}. Received: none"
        )
    for flag, value in arguments.items():
        if value and flag not in allowed:
            raise ValueError(
                f"Expected no --{flag} for --dataset={dataset}, which does not use it. "
                f"Received: {value!r}"
            )
    for flag in ("restval_in_train", "holdout"):
        if arguments.get("splits_file") and arguments.get(flag):
            raise ValueError(
                f"Expected no --{flag} with --splits_file, whose splits are in place of the data "
                f"set's own. Received: {arguments[flag]!r}"
            )
    captions = arguments.get("captions")
    if isinstance(captions, (list, tuple)) and len(captions) > 1 and kind not in _SEVERAL_CAPTIONS:
        raise ValueError(
            f"Expected --captions once for --dataset={dataset}. Received: {', '.join(captions)}"
        )


def check_paths(**arguments):
    """Checks that what a data set is made from is there, and that a file of splits is one.

    Raises:
        ValueError: naming the flag and the path.
    """
    if arguments["dataset"].startswith(_TF_RECORDS):
        module = importlib.import_module("tfrecords_tools.sources.tf_records")
        module.split_files(arguments["dataset"].removeprefix(_TF_RECORDS))
    if arguments.get("features"):
        module = importlib.import_module("tfrecords_tools.sources.bottom_up")
        module.feature_files(arguments["features"])
    for flag in ("images", "captions", "entities", "splits_file"):
        given = arguments.get(flag) or []
        for path in [given] if isinstance(given, str) else given:
            if not os.path.exists(path):
                raise ValueError(f"--{flag}={path} does not exist")
    if arguments.get("splits_file"):
        module = importlib.import_module("tfrecords_tools.sources.caption_source")
        module.read_splits(arguments["splits_file"])
