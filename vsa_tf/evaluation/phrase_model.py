"""The model of regions that helps a network of whole images to retrieve (T eq. 8)."""

from vsa_tf.model_dir.load_split import as_model_sees, read_records
from vsa_tf.model_dir.trained_model import TrainedModel
from vsa_tf.program import ProgramError


class PhraseModel:
    """A model of regions and parts of sentences, and a split as it sees it.

    The model is an embedding network of regions and phrases, or a `FragmentModel`.

    Args:
        model_dir: directory that training wrote.
    """

    def __init__(self, model_dir):
        self._trained = TrainedModel(model_dir)

    def load(self, records):
        """Returns the model and the `SplitData` of a split, of its phrases where it reads these.

        The model may have learnt from other records of the same photographs, with other regions:
        then its own are read.

        Args:
            records: the `RecordSplit`, or what has its `info`, `split` and `captions`.

        Raises:
            ProgramError: its records cannot be read, or are of other photographs or captions.
        """
        settings, inputs, info = self._trained.settings, self._trained.inputs, records.info
        num_regions = min(settings.data.num_regions or info.num_regions, info.num_regions)
        received = {"encoder": info.encoder, "detector": info.detector, "num_regions": num_regions}
        if any(inputs[name] != value for name, value in received.items()):
            own_records = read_records(settings.data.data_dir, records.split)
            if own_records.captions != records.captions:
                raise ProgramError(
                    f"Expected {settings.data.data_dir}, which --phrase_model was trained on, to "
                    f"hold the photographs and captions of {info.data_dir} in split "
                    f"{records.split}. Received: others"
                )
            records = own_records
        self._trained.check_records(records)
        return self._trained.model, as_model_sees(records, self._trained.text, settings)
