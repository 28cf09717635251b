"""An index holds the vectors of one model."""

from vsa_tf.inference.model_source import ModelSource
from vsa_tf.program import ProgramError
from vsa_tf.search_index.model_probe import probe, same_model


def check_model(model, source, manifest, index_dir, kind):
    """Refuses a model that embeds other than the one of an index.

    Args:
        model: the opened model.
        source: the `ModelSource` that names it.
        manifest: the `IndexManifest`.
        index_dir: the index's directory.
        kind: `images` or `sentences`, what will be embedded.

    Raises:
        ProgramError: names both.
    """
    if not same_model(manifest.probes[kind], probe(model, kind).summaries()[0]):
        raise ProgramError(
            f"Expected the model of {index_dir}, {ModelSource(**manifest.model)}. Received: "
            f"{source}, which embeds {kind} otherwise. Give that model, or another --index_dir"
        )
