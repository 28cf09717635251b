"""Prints what a directory of records holds, verifies it, and shows samples.

python -m tfrecords_tools.inspect --data_dir=DIR [--check] [--render=OUT.html]
"""

import os
import sys

from absl import flags

from vsa_tf.errors import VsaTfError, check_given
from vsa_tf.program import run


def define_flags(flag_values=flags.FLAGS):
    """Defines the program's flags."""
    flags.DEFINE_string("data_dir", None, "Directory of records.", flag_values=flag_values)
    flags.DEFINE_bool("check", False, "Verify every record.", flag_values=flag_values)
    flags.DEFINE_string(
        "render",
        None,
        "HTML file to write samples with boxes and captions to.",
        flag_values=flag_values,
    )
    flags.DEFINE_integer(
        "num_samples",
        24,
        "Samples of each split on the page.",
        lower_bound=1,
        flag_values=flag_values,
    )
    flags.DEFINE_integer(
        "max_problems",
        20,
        "Problems to list before --check stops.",
        lower_bound=1,
        flag_values=flag_values,
    )


def main(flag_values=flags.FLAGS):
    """Prints the summary and does what the flags ask.

    Raises:
        VsaTfError: when the records cannot be read, or `--check` finds problems.
    """
    data_dir = flag_values.data_dir
    check_given(flag_values, data_dir="records written by tfrecords_tools.write")
    if not os.path.isdir(data_dir):
        raise VsaTfError(f"--data_dir={data_dir} is not a directory")
    render = flag_values.render
    if render and not os.path.isdir(os.path.dirname(os.path.abspath(render))):
        raise VsaTfError(f"--render={render}: its directory does not exist")
    from vsa_tf.data.dataset_info import DatasetInfo

    try:
        info = DatasetInfo.load(data_dir)
        print(_summary(info))
        if flag_values.check:
            _check(info, flag_values.max_problems)
        if render:
            from tfrecords_tools.record_rendering import render_records

            page = render_records(data_dir, flag_values.num_samples)
            with open(render, "w", encoding="utf-8") as file:
                file.write(page)
            print(f"samples: {render}")
    except (OSError, ValueError) as error:
        raise VsaTfError.of(error) from error


def _summary(info):
    lines = [f"{info.dataset}, schema version {info.contents['schema_version']}"]
    for name, split in info.splits.items():
        lines.append(
            f"  {name}: {split.num_images} images, {split.num_sentences} sentences, "
            f"{split.num_phrases} phrases, {len(split.shards)} shards"
        )
        if split.num_dependencies is not None:
            lines.append(
                f"    {split.num_dependencies} dependency relations of "
                f"{split.num_parsed_sentences} sentences"
            )
    features = f"features of {size}" if (size := info.region_feature_size) else "no features"
    lines.append(f"regions: at most {info.num_regions} an image, {features}")
    lines.append(f"images: {'stored' if info.images_stored else 'not stored'}")
    if info.object_features:
        lines.append("annotated boxes: features of each chain stored")
    for name in ("encoder", "detector", "settings", "sources"):
        parts = (f"{key}={value}" for key, value in sorted(info.contents.get(name, {}).items()))
        lines.append(f"{name}: {', '.join(parts)}")
    skipped = info.contents.get("skipped", ())
    lines.append(f"skipped: {info.contents.get('num_skipped', len(skipped))}")
    lines += [
        f"  {item['split'] or '-'} {item['source_id']}: {item['reason']}" for item in skipped[:5]
    ]
    if len(skipped) > 5:
        lines.append(f"  and {len(skipped) - 5} more in {info.data_dir}/dataset_info.json")
    return "\n".join(lines)


def _check(info, max_problems):
    from tfrecords_tools.progress import Progress
    from tfrecords_tools.record_checking import check_records

    progress = Progress(sum(split.num_images for split in info.splits.values()), sys.stderr)
    problems = check_records(info.data_dir, max_problems, progress.add)
    progress.close()
    for problem in problems:
        print(f"problem: {problem}")
    if problems:
        more = " or more" if len(problems) == max_problems else ""
        raise VsaTfError(
            f"{info.data_dir}: {len(problems)}{more} problems. Repeat the command that wrote the "
            "directory: it writes damaged shards again."
        )
    print(f"checked: {progress.done} records, no problem")


if __name__ == "__main__":
    define_flags()
    run(main, __doc__)
