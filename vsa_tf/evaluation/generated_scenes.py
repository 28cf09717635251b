"""Generated data sets: written where a run asks for one, and what a perfect reader would reach."""

import pathlib

import numpy as np

from vsa_tf.errors import VsaTfError


def generated_ceiling(records, ranks):
    """Compares sentence-to-image ranks with the best that the captions of a split allow.

    A caption of a generated scene may be true of several images of the split. A reader who
    understands every word picks one of them at random: the expected R@1 is the ceiling.

    Args:
        records: the `RecordSplit`.
        ranks: its `RetrievalRanks`.

    Returns:
        A dict, empty unless the data set is generated, of `ceiling`, a dict: `sentence_to_image`,
        the ceiling of R@1 in percent; `num_identical`, scenes with a twin; `num_unambiguous`,
        sentences that are true of one image only, and `unambiguous_R@1`, percent, among them.
    """
    info = records.info
    if info.dataset != "shape_scenes":
        return {}
    from tfrecords_tools.sources.shape_scenes import ShapeScenes

    counts = [
        info.splits[name].num_images if name in info.splits else 0
        for name in ("train", "dev", "test")
    ]
    source = ShapeScenes(*counts, seed=info.contents["settings"]["seed"])
    ceiling = source.sentence_to_image_ceiling(records.split)
    unambiguous = np.asarray(ceiling.num_true_scenes) == 1
    found = ranks.sentence_to_image[unambiguous] == 1
    return {
        "ceiling": {
            "sentence_to_image": 100.0 * float(ceiling.recall_at_1),
            "num_identical": int(ceiling.num_duplicates),
            "num_unambiguous": int(unambiguous.sum()),
            "unambiguous_R@1": 100.0 * float(np.mean(found)),
        }
    }


def generate_data(settings, stream=None):
    """Writes the records of `--dataset` into `--data_dir`, unless they are there already.

    Args:
        settings: `Settings`.
        stream: a text file for the progress; None: it is not shown.

    Raises:
        VsaTfError: the directory holds other records.
    """
    from tfrecords_tools.sources.shape_scenes import ShapeScenes
    from tfrecords_tools.write_settings import WriteSettings
    from tfrecords_tools.writer import write_records

    counts = [int(count) for count in settings.data.num_examples.split(",")]
    source = ShapeScenes(*counts, seed=settings.training.seed)
    try:
        write_records(
            source,
            settings.data.data_dir,
            WriteSettings(
                detector="proposals",
                image_encoder="pixels",
                nms_threshold=0.7,
                seed=settings.training.seed,
            ),
            num_workers=0,
            stream=stream,
        )
    except (OSError, ValueError) as error:
        raise VsaTfError(f"{pathlib.Path(settings.data.data_dir)}: {error}") from error
