"""Exports records, so that other tools can train on the same data.

    python -m tfrecords_tools.export --data_dir=DIR --format=coco --output_dir=DIR

coco: annotations/captions_SPLIT.json, instances_SPLIT.json of annotated boxes, images/*.jpg.
precomp: SPLIT_ims.npy and SPLIT_caps.txt, as VSE++ and SCAN read them.
csv: captions.csv, rows path,caption,split, and images/*.jpg.

What a format has no place for is said. The directory appears when all of it is written.
`python -m tfrecords_tools.write` reads each of them back; of coco and precomp the splits train,
dev and test alone.
"""

from absl import flags

from tfrecords_tools.exporting.export_formats import EXPORTERS
from tfrecords_tools.exporting.exported_directory import whole_directory
from tfrecords_tools.progress import Progress
from vsa_tf.data.dataset_info import DatasetInfo
from vsa_tf.errors import VsaTfError, check_given
from vsa_tf.program import run


def define_flags(flag_values=flags.FLAGS):
    """Defines the program's flags."""
    define = {"flag_values": flag_values}
    flags.DEFINE_string("data_dir", None, "Directory of records.", **define)
    flags.DEFINE_enum("format", None, list(EXPORTERS), "Format to export to.", **define)
    flags.DEFINE_string("output_dir", None, "Directory to write, empty or not there.", **define)
    flags.DEFINE_list("splits", None, "Splits to export; by default all.", **define)


def main(flag_values=flags.FLAGS):
    """Checks the flags, exports the records and prints what was left out.

    Raises:
        VsaTfError: for everything that the user can mend.
    """
    check_given(
        flag_values,
        data_dir="records written by tfrecords_tools.write",
        format=" or ".join(EXPORTERS),
        output_dir="a directory that is empty or not there",
    )
    output_dir, name = flag_values.output_dir, flag_values.format
    try:
        info = DatasetInfo.load(flag_values.data_dir)
        splits = _check(info, flag_values)
        with whole_directory(output_dir) as folder:
            progress = Progress(sum(info.split(split).num_images for split in splits))
            missing = EXPORTERS[name](info, splits, folder, progress.add)
        progress.close()
    except (ValueError, OSError) as error:
        raise VsaTfError.of(error) from error
    for split in splits:
        counts = info.split(split)
        print(f"{split}: {counts.num_images} images, {counts.num_sentences} sentences")
    for line in missing:
        print(f"not in {name}: {line}")
    print(f"{output_dir}: written in {progress.seconds():.1f} s")


def _check(info, flag_values):
    """Returns the names of the splits; raises before anything slow is done."""
    splits = flag_values.splits or list(info.splits)
    for split in splits:
        info.split(split, "splits")
        info.shard_paths(split)
    if len(set(splits)) < len(splits):
        raise VsaTfError(f"Expected each split once. Received: --splits={','.join(splits)}")
    if flag_values.format == "precomp" and not info.region_feature_size:
        raise VsaTfError(
            f"Expected records with features for --format=precomp. Received: {info.data_dir}, "
            "which holds images alone: write it with an --image_encoder"
        )
    return splits


if __name__ == "__main__":
    define_flags()
    run(main, __doc__)
