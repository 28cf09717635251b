"""Detectors: photographs to scored boxes.

A detector has `describe()`, a dict of what it is for `dataset_info.json`, and
`detect(images, examples)`, a list of `(boxes float32 [K, 4], scores float32 [K])`, one an image;
boxes are normalised `ymin, xmin, ymax, xmax`, whatever their order.
"""

from tfrecords_tools.detection.edge_boxes import EdgeBoxes
from tfrecords_tools.detection.file_proposals import FileProposals
from tfrecords_tools.detection.grid_detector import GridDetector
from tfrecords_tools.detection.saved_model_detector import SavedModelDetector
from tfrecords_tools.detection.selective_search import SelectiveSearch
from tfrecords_tools.detection.source_proposals import SourceProposals
from tfrecords_tools.detection.whole_frame_only import WholeFrameOnly

_BY_NAME = {
    "none": WholeFrameOnly,
    "grid": GridDetector,
    "proposals": SourceProposals,
    "selective_search": SelectiveSearch,
}
_BY_FILE = {"proposals": FileProposals, "edge_boxes": EdgeBoxes}


def make_detector(spec):
    """Returns the detector that `--detector` names.

    Args:
        spec: a SavedModel directory or TF-Hub handle with the object-detection signature,
            `proposals:FILE.json`, `proposals` (those that come with the data set),
            `selective_search`, `edge_boxes:MODEL.yml.gz`, `grid` or `none`.

    Raises:
        ValueError: for a spec that cannot be used.
    """
    if spec in _BY_NAME:
        return _BY_NAME[spec]()
    name, _, file = spec.partition(":")
    if name in _BY_FILE:
        return _BY_FILE[name](file)
    return SavedModelDetector(spec)
