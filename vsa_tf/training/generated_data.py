"""Writes the generated data set that a training run asks for."""

import pathlib

from vsa_tf.program import ProgramError


def generate_data(settings):
    """Writes the records of `--dataset` into `--data_dir`, unless they are there already.

    Args:
        settings: `Settings`.

    Raises:
        ProgramError: the directory holds other records.
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
        )
    except (OSError, ValueError) as error:
        raise ProgramError(f"{pathlib.Path(settings.data.data_dir)}: {error}") from error
