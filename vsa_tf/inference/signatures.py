"""The names that a model answers to, and what each takes."""

SIGNATURE_INPUTS = {
    "embed_image": ("image_bytes",),
    "embed_sentence": ("sentences",),
    "score": ("image_bytes", "sentences"),
    "align": ("image_bytes", "sentences"),
    "localize": ("image_bytes", "phrases"),
    "caption": ("image_bytes",),
    "log_prob": ("image_bytes", "sentences"),
}
_CAPTIONER = ("caption", "log_prob")
_FRAGMENTS = ("score", "embed_image", "embed_sentence")
_BY_KIND = {
    "alignment": ("align", "score", "localize", "embed_image", "embed_sentence"),
    "dvsa_rnn": _CAPTIONER,
    "m_rnn": _CAPTIONER,
    "image_sentence": ("score", "embed_image", "embed_sentence"),
    "region_phrase": ("localize", "embed_image", "embed_sentence"),
}


def model_signatures(settings):
    """Returns the names of a model's signatures, the main one, which is also the default, first.

    Args:
        settings: the `Settings` of the model.
    """
    if getattr(settings.model, "snippets", ""):
        # Of a region's captions there is no single probability.
        return _CAPTIONER[:1]
    if settings.model.reads_dependencies:
        # Of relations, as lines of text: there are no words in their order to align.
        return _FRAGMENTS
    # A two-branch network is what its task is.
    return _BY_KIND[getattr(settings.model, "task", settings.training.model)]
