"""Copies records and adds the dependency parses of their captions: nothing is encoded again.

    python -m tfrecords_tools.add_dependencies --data_dir=OLD --dependencies=FILE.conllu \\
        --output_dir=NEW

The new records are what `tfrecords_tools.write --dependencies` would have written. Any parser's
CoNLL-U serves, where comments `# sent_id = IMAGE#k` name the captions: see tfrecords_tools.parse.
"""

import os

from absl import flags

from tfrecords_tools.dependency_parses import DependencyParses
from tfrecords_tools.progress import Progress
from vsa_tf.data.dataset_info import DatasetInfo
from vsa_tf.errors import VsaTfError, check_given
from vsa_tf.program import run


def define_flags(flag_values=flags.FLAGS):
    """Defines the program's flags."""
    define = {"flag_values": flag_values}
    flags.DEFINE_string("data_dir", None, "Directory of records without parses.", **define)
    flags.DEFINE_string("dependencies", None, "CoNLL-U file of parses of their captions.", **define)
    flags.DEFINE_string("output_dir", None, "Directory for the new records.", **define)


def main(flag_values=flags.FLAGS):
    """Checks the flags, copies the records and prints what was added.

    Raises:
        VsaTfError: for everything that the user can mend.
    """
    _check(flag_values)
    try:
        parses = DependencyParses(flag_values.dependencies)
        from tfrecords_tools.parsed_copy import copy_with_dependencies  # imports TensorFlow

        splits = DatasetInfo.load(flag_values.data_dir).splits
        progress = Progress(sum(split.num_images for split in splits.values()))
        info = copy_with_dependencies(
            flag_values.data_dir, parses, flag_values.output_dir, progress.add
        )
        progress.close()
    except (ValueError, OSError) as error:
        raise VsaTfError.of(error) from error
    for name, split in info["splits"].items():
        print(
            f"{name}: {split['num_parsed_sentences']} of {split['num_sentences']} sentences have "
            f"dependency relations, {split['num_dependencies']} in all"
        )
    listed = os.path.join(flag_values.output_dir, "dataset_info.json")
    num_skipped = sum(skip.count for skip in parses.skipped())
    print(f"skipped: {num_skipped} of parses (listed in {listed})")


def _check(flag_values):
    check_given(
        flag_values,
        data_dir="records written by tfrecords_tools.write",
        dependencies="a CoNLL-U file of parses",
        output_dir="where the new records are written",
    )
    data_dir, output_dir = flag_values.data_dir, flag_values.output_dir
    if not os.path.isdir(data_dir):
        raise VsaTfError(f"--data_dir={data_dir} is not a directory")
    if not os.path.isfile(flag_values.dependencies):
        raise VsaTfError(f"--dependencies={flag_values.dependencies} is not a file")
    if os.path.exists(output_dir) and not os.path.isdir(output_dir):
        raise VsaTfError(f"--output_dir={output_dir} is not a directory")
    if os.path.realpath(output_dir) == os.path.realpath(data_dir):
        raise VsaTfError(
            f"--output_dir={output_dir} is --data_dir: records are copied, never changed"
        )


if __name__ == "__main__":
    define_flags()
    run(main, __doc__)
