"""The directories of a training run: the records it needs, what tells it from another, its lock."""

import contextlib
import dataclasses

from vsa_tf.data.dataset_info import DatasetInfo
from vsa_tf.errors import VsaTfError
from vsa_tf.files import lock_file, write_atomically
from vsa_tf.model_dir.trained_model import save_text
from vsa_tf.models.network_settings import is_open
from vsa_tf.program import silent
from vsa_tf.settings import Settings
from vsa_tf.training.auto_settings import resolve_settings

_CONFIG = "config.json"
_FLAGFILE = "flagfile"
_LOCK = ".lock"


def model_inputs(train):
    """Returns what the weights depend on besides the settings, for `config.json`.

    Args:
        train: the `SplitData` of the training split.
    """
    info = train.records.info
    inputs = {
        "num_regions": train.num_regions,
        "region_feature_size": info.region_feature_size,
        "encoder": info.encoder,
        "detector": info.detector,
        "records": info.fingerprint(train.records.split),
        **train.text.fingerprints(),
    }
    if train.text.sentence_feature is not None:
        inputs["sentence_feature_size"] = train.text.sentence_feature.dimension
    if train.text.relation_types is not None:
        inputs["num_relations"] = len(train.text.relation_types)
    return inputs


def check_model_dir(settings, model_dir, inputs, text):
    """Refuses a directory that holds another run.

    Args:
        settings: `Settings` of this run.
        model_dir: pathlib.Path of the directory, which may be missing.
        inputs: of `model_inputs`.
        text: the `CaptionText` of this run.

    Raises:
        VsaTfError: the run there has other settings, text or records.
    """
    if not (model_dir / _CONFIG).is_file():
        return
    difference = settings_difference(settings, Settings.load(model_dir))
    stored = Settings.load_inputs(model_dir)
    # What an earlier version did not store is not known to differ.
    if {**inputs, **stored} != inputs:
        difference = f"the records of {settings.training.train_split} are other ones"
    for name, fingerprint in text.fingerprints().items():
        if stored.get(name) != fingerprint:
            difference = f"{name}.txt is not the one it was trained with"
    if difference:
        raise VsaTfError(
            f"{model_dir} holds another run: {difference}. Use another --model_dir, or repeat "
            f"that run with --flagfile={model_dir / _FLAGFILE}"
        )


def begin_model_dir(settings, model_dir, inputs, text):
    """Writes what tells the run; only now, when nothing can be refused.

    Of a run that goes on only what may change is written anew.

    Args: those of `check_model_dir`; the directory is there.
    """
    if (model_dir / _CONFIG).is_file():
        if settings == Settings.load(model_dir):
            return
        inputs = Settings.load_inputs(model_dir)
    else:
        save_text(model_dir, text)
    write_atomically(model_dir / _FLAGFILE, settings.to_flags().encode("utf-8"))
    write_atomically(model_dir / _CONFIG, settings.to_json(inputs).encode("utf-8"))


def resolved_settings(settings, model_dir, num_captions, say=silent):
    """Returns `Settings`, none open: those the run there began with, or by data and machine.

    Args:
        settings: `Settings`.
        model_dir: pathlib.Path of the directory, which may be missing.
        num_captions: of the training split.
        say: called with a line, if anything was chosen.
    """
    if (model_dir / _CONFIG).is_file():
        settings = going_on(settings, Settings.load(model_dir))
    return resolve_settings(settings, num_captions, say)


def going_on(settings, stored):
    """Returns `Settings`, what is open as it is in those stored: the run that goes on."""
    return Settings(
        *(
            dataclasses.replace(
                group,
                **{
                    field.name: getattr(there, field.name)
                    for field in dataclasses.fields(group)
                    if is_open(field, getattr(group, field.name)) and hasattr(there, field.name)
                },
            )
            for group, there in zip(vars(settings).values(), vars(stored).values())
        )
    )


def settings_difference(settings, stored):
    """Says in words what differs from stored `Settings` and may not; empty if nothing does."""
    return "; ".join(
        f"--{field.name} is {here!r} here and {there!r} there"
        for field, here, there in settings.differing(stored)
        if not field.metadata["may_change"]
    )


@contextlib.contextmanager
def model_dir_lock(model_dir):
    """Makes a model directory and keeps other runs out; the lock of a killed run is free.

    Args:
        model_dir: pathlib.Path.

    Raises:
        VsaTfError: another run is training there.
    """
    model_dir.mkdir(parents=True, exist_ok=True)
    with open(model_dir / _LOCK, "w", encoding="utf-8") as file:
        lock_file(
            file,
            VsaTfError(
                f"Another run is training in {model_dir}. Wait for it, or give another --model_dir"
            ),
        )
        try:
            yield
        finally:
            (model_dir / _LOCK).unlink(missing_ok=True)


def check_splits(settings):
    """Returns the `DatasetInfo` of a run's records, before any is read.

    Args:
        settings: `Settings`.

    Raises:
        VsaTfError: they lack a split, or what a setting needs.
    """
    training = settings.training
    try:
        info = DatasetInfo.load(settings.data.data_dir)
    except (OSError, ValueError) as error:
        raise VsaTfError.of(error) from error
    for flag, name in (
        ("train_split", training.train_split),
        ("dev_split", training.dev_split),
        ("test_split", final_split(settings, info)),
    ):
        info.split(name, flag)
    context = getattr(settings.model, "image_context", "frame")
    if context != "frame" and info.used_regions(settings.data.num_regions) == 1:
        raise VsaTfError(
            f"--image_context={context} is of the regions beside the whole frame, and "
            f"{info.data_dir} holds whole frames alone. Leave it out, or write the records with a "
            "--detector"
        )
    augmentation = settings.data.augmentation
    if augmentation != "none" and info.region_feature_size:
        raise VsaTfError(
            f"--augmentation={augmentation} changes photographs, and {info.data_dir} holds "
            "features of them. Leave it out, or write the records with --image_encoder=pixels"
        )
    return info


def final_split(settings, info):
    """Returns the split of the final evaluation, of the `DatasetInfo` of a run's records."""
    if settings.training.test_split:
        return settings.training.test_split
    return "test" if "test" in info.splits else settings.training.dev_split
