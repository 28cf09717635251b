"""Exports a detector of Model Garden, so that it gives boxes and features in one pass.

    python -m tfrecords_tools.export_detector --experiment=retinanet_resnetfpn_coco \\
        --checkpoint=DIR --output_dir=DIR

The SavedModel serves as --detector, and with --image_encoder=detector as encoder: normalised boxes,
and the feature pyramid that they are read from. RetinaNet, Faster and Mask R-CNN.
"""

import os

from absl import flags

from tfrecords_tools.exporting.exported_directory import whole_directory
from vsa_tf.errors import VsaTfError, check_given
from vsa_tf.program import print_note, run

_NO_CHECKPOINT = "none"


def define_flags(flag_values=flags.FLAGS):
    """Defines the program's flags."""
    define = {"flag_values": flag_values}
    flags.DEFINE_string("experiment", None, "Model Garden's name of the experiment.", **define)
    flags.DEFINE_multi_string(
        "config_file", [], "YAML of parameters that differ, as Model Garden takes it.", **define
    )
    flags.DEFINE_string(
        "params_override",
        "",
        "The same, as YAML or JSON in one line; it goes before the files'. --max_detections and "
        "--score_threshold go before both.",
        **define,
    )
    flags.DEFINE_string(
        "checkpoint",
        None,
        "Checkpoint, or directory of checkpoints, of its training; none: random weights, to try "
        "how fast it is.",
        **define,
    )
    flags.DEFINE_list(
        "image_size",
        None,
        "Height,width in pixels that photographs are fitted into; by default that of the training.",
        **define,
    )
    flags.DEFINE_integer(
        "max_detections", 100, "Most boxes of a photograph.", lower_bound=1, **define
    )
    flags.DEFINE_float(
        "score_threshold",
        0.01,
        "Least score of a box: low, so that each photograph has enough regions.",
        lower_bound=0.0,
        upper_bound=1.0,
        **define,
    )
    flags.DEFINE_string("output_dir", None, "Directory of the SavedModel.", **define)


def main(flag_values=flags.FLAGS):
    """Checks the flags and writes the SavedModel.

    Raises:
        VsaTfError: for everything that the user can mend.
    """
    check_given(
        flag_values,
        experiment="such as retinanet_resnetfpn_coco",
        checkpoint="of its training, or none for random weights",
        output_dir="where the SavedModel is written",
    )
    output_dir = flag_values.output_dir
    for path in flag_values.config_file:
        if not os.path.isfile(path):
            raise VsaTfError(f"--config_file={path} is not a file")
    try:
        size = [int(side) for side in flag_values.image_size or ()]
    except ValueError:
        size = [0]
    if size and (len(size) != 2 or min(size) < 1):
        raise VsaTfError(
            "Expected --image_size=HEIGHT,WIDTH in pixels. "
            f"Received: {','.join(flag_values.image_size)}"
        )
    try:
        with whole_directory(output_dir) as folder:
            # Once the directory is found right: it takes seconds to import.
            from tfrecords_tools.detection.garden_detector import export_detector

            levels, size, feature_size = export_detector(
                flag_values.experiment,
                None if flag_values.checkpoint == _NO_CHECKPOINT else flag_values.checkpoint,
                str(folder),
                config_files=flag_values.config_file,
                params_override=flag_values.params_override,
                image_size=size,
                max_detections=flag_values.max_detections,
                score_threshold=flag_values.score_threshold,
                say=print_note,
            )
    except (OSError, ValueError) as error:
        raise VsaTfError.of(error) from error
    print(
        f"{output_dir}: photographs fitted into {size[0]} x {size[1]}, features of {feature_size} "
        f"from levels {levels[0]} to {levels[-1]}"
    )


if __name__ == "__main__":
    define_flags()
    run(main, __doc__)
