"""What is said of a text of which a model does not know every word."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class TextKnowledge:
    """How much of a text the model knows.

    Attributes:
        unknown_words: those that it does not know, tuple of str, each once; the answer is that to
            the others.
        means_nothing: whether it knows none: then the answer means nothing.
    """

    unknown_words: tuple = ()
    means_nothing: bool = False

    @classmethod
    def of_row(cls, row):
        """Makes it of a row of answers; those of earlier exports do not say."""
        words = [word for word in row.get("unknown_words", ()) if word]
        # A server's own models answer in bytes.
        words = [word.decode() if isinstance(word, bytes) else str(word) for word in words]
        return cls(tuple(dict.fromkeys(words)), bool(row.get("num_known_words", 1) == 0))

    @classmethod
    def of_words(cls, unknown, num_known):
        """Makes it of `CaptionText.known_words`."""
        return cls(tuple(dict.fromkeys(unknown)), num_known == 0)

    def note(self):
        """Returns what is to be said of it, str; empty where the model knows all."""
        words = ", ".join(self.unknown_words)
        if not self.means_nothing:
            return f"the model does not know {words}" if words else ""
        unknown = f": it does not know {words}" if words else ""
        return f"the model knows no word of this text, so that its answer means nothing{unknown}"

    def to_dict(self):
        """Returns what JSON lines say of it, a dict."""
        return {"unknown_words": list(self.unknown_words)} if self.unknown_words else {}
