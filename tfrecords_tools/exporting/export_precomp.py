"""Records to the features and captions that VSE++ and SCAN are trained on."""

import contextlib

import numpy as np

from tfrecords_tools.exporting.exported_directory import left_out, one_line, read_records

_CAPTIONS_PER_IMAGE = 5


def export_precomp(info, splits, folder, report):
    """Writes `SPLIT_ims.npy`, `SPLIT_caps.txt` and `SPLIT_ids.txt`, the images' names.

    `tfrecords_tools.write --dataset=precomp` reads them back. The array is float32 `[N, R, D]`,
    row 0 being the whole frame, or `[N, D]` where there is no other region; of records that were
    made from such an array it is that array, without the mean that stands for the frame. Regions
    that an image lacks repeat its row 0. Captions are five lines an image: of more the first five,
    fewer are repeated in turn.

    Args:
        info: the `DatasetInfo` of the records; they hold features.
        splits: names of the splits.
        folder: `pathlib.Path` of an empty directory.
        report: called with 1 after each image.

    Returns:
        A list of what the format does not carry, strings.

    Raises:
        OSError, ValueError: a record cannot be read, or a file not written.
    """
    is_mean = info.encoder.get("dataset") in ("precomp", "bottom_up") and info.num_regions > 1
    num_regions = info.num_regions - is_mean
    counts = dict.fromkeys(
        ("annotated_boxes", "captions_after_the_fifth", "dependency_relations"), 0
    )
    num_filled = num_repeated = 0
    for split in splits:
        with contextlib.ExitStack() as stack:
            features = stack.enter_context(open(folder / f"{split}_ims.npy", "wb"))
            lines, ids = (
                stack.enter_context(
                    open(folder / f"{split}_{name}.txt", "w", encoding="utf-8", newline="\n")
                )
                for name in ("caps", "ids")
            )
            _write_header(features, info, split, num_regions)
            for record in read_records(info, split):
                rows = record.region_features.astype("<f4")
                if is_mean and len(rows) > 1:
                    rows = rows[1:]
                missing = num_regions - len(rows)
                features.write(np.concatenate([rows, *[rows[:1]] * missing]).tobytes())
                captions = record.captions
                for number in range(_CAPTIONS_PER_IMAGE):
                    lines.write(one_line(captions[number % len(captions)]) + "\n")
                ids.write(one_line(record.source_id) + "\n")
                num_filled += missing > 0
                num_repeated += len(captions) < _CAPTIONS_PER_IMAGE
                counts["annotated_boxes"] += len(record.objects)
                counts["captions_after_the_fifth"] += max(0, len(captions) - _CAPTIONS_PER_IMAGE)
                counts["dependency_relations"] += sum(map(len, record.dependencies))
                report(1)
    lines = left_out(info, splits, images_carried=False, features_carried=True, **counts)
    if info.num_regions > 1 and not is_mean:
        lines.append("where the regions lie")
    if num_filled:
        lines.append(
            f"how many regions there are: {num_filled} images have fewer than {num_regions}, the "
            "rest of their rows repeats the first"
        )
    if num_repeated:
        lines.append(
            f"how many captions there are: {num_repeated} images have fewer than five, which are "
            "repeated"
        )
    return lines


def _write_header(file, info, split, num_regions):
    shape = (info.split(split).num_images, num_regions, info.region_feature_size)
    if num_regions == 1:
        shape = shape[::2]
    # Written row by row after it: a mapped array would count as memory of this process.
    np.lib.format.write_array_header_1_0(
        file, {"descr": "<f4", "fortran_order": False, "shape": shape}
    )
