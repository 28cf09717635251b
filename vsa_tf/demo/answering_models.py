"""Which of the served models answer what the page asks."""

from vsa_tf.inference.signatures import SIGNATURE_INPUTS
from vsa_tf.server.request_limits import ServingError


def answering_models(catalog):
    """Lists the models of a server that answer to signatures of ours.

    Args:
        catalog: `ModelCatalog`; of each model its newest version counts.

    Returns:
        A list of dicts: `name`, `version` and `signatures`, a list of names.
    """
    models = []
    for name in catalog.available():
        try:
            loaded = catalog.find(name)
        except ServingError:  # it has no version, or lost it since
            continue
        signatures = [
            signature
            for signature, inputs in SIGNATURE_INPUTS.items()
            if signature in loaded.signature_defs
            and set(loaded.signature_defs[signature].inputs) == set(inputs)
        ]
        if signatures:
            models.append({"name": name, "version": loaded.version, "signatures": signatures})
    return models
