"""What an export is made of."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class ExportOptions:
    """Settings of `export_model`. No TensorFlow here.

    Attributes:
        model_dir: directory that training wrote.
        export_dir: directory of the versions.
        image_encoder: the encoder of the model's records; empty to take the one that they name.
        detector: the detector, likewise.
        data_dir: records with examples to check the export; None: the training's.
        split: of the examples; None: the training's dev split.
        num_examples: that are compared.
        example_image: photographs to compare in place of the records' own.
    """

    model_dir: str
    export_dir: str
    image_encoder: str = ""
    detector: str = ""
    data_dir: str | None = None
    split: str | None = None
    num_examples: int = 4
    example_image: tuple = ()
