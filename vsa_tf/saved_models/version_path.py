"""Which directory holds the SavedModel."""

import pathlib

from vsa_tf.program import ProgramError


def version_path(saved_model):
    """Returns the directory of a SavedModel, a `pathlib.Path`.

    Args:
        saved_model: that directory, or the one above it, whose newest version is taken.

    Raises:
        ProgramError: there is none.
    """
    path = pathlib.Path(saved_model)
    if (path / "saved_model.pb").is_file():
        return path
    versions = [folder for folder in path.glob("*") if folder.name.isdigit()]
    versions = [folder for folder in versions if (folder / "saved_model.pb").is_file()]
    if not versions:
        raise ProgramError(
            "Expected a directory that vsa_tf.export has written, or a version in it. Received: "
            f"{str(saved_model)!r}, which holds no SavedModel"
        )
    return max(versions, key=lambda folder: int(folder.name))
