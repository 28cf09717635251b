"""What is wrong with an input, as opposed to a model."""


class InputError(ValueError):
    """An image or a text that a model cannot read; the message is the reason."""
