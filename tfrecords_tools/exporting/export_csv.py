"""Records to a table of paths and captions."""

import csv

from tfrecords_tools.exporting.exported_directory import ImageFolder, left_out, read_records
from tfrecords_tools.sources.caption_tables import COLUMNS


def export_csv(info, splits, folder, report):
    """Writes `captions.csv`, rows path,caption,split, and the images into `images`.

    `tfrecords_tools.write --dataset=csv` reads them back. Paths are relative to `images`, in the
    folders that the data set has; of records without images they are the names that it gave.

    Args:
        info: the `DatasetInfo` of the records.
        splits: names of the splits.
        folder: `pathlib.Path` of an empty directory.
        report: called with 1 after each image.

    Returns:
        A list of what the format does not carry, strings.

    Raises:
        OSError, ValueError: a record cannot be read, or a file not written.
    """
    images = ImageFolder(folder / "images")
    num_objects = num_relations = 0
    with open(folder / "captions.csv", "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for split in splits:
            for record in read_records(info, split):
                # A table names its images by their paths.
                path = record.source_id if info.dataset == "csv" else record.filename
                if info.images_stored:
                    path = images.add(record, path)
                table.writerows((path, caption, split) for caption in record.captions)
                num_objects += len(record.objects)
                num_relations += sum(map(len, record.dependencies))
                report(1)
    return left_out(info, splits, annotated_boxes=num_objects, dependency_relations=num_relations)
