from tfrecords_tools.sources.caption_source import CaptionSource
from tfrecords_tools.sources.source import Skip, SourceExample


class Photographs(CaptionSource):
    """Photographs of one split, whose captions have numbers of their own."""

    def __init__(self, photographs):
        super().__init__()
        self._photographs = photographs

    def splits(self):
        return ("train",)

    def _parse(self, split):
        for name, captions in self._photographs.items():
            usable = self._usable_captions(split, name, captions)
            if usable:
                yield SourceExample(name, f"{name}.jpg", tuple(text for _, text in usable))


def test_captions_keep_their_places_when_others_are_left_out():
    source = Photographs(
        {
            "a": [(770, ""), (12, "A dog"), (13, " "), (5, "A cat")],
            "b": [(9, "A bird"), (8, "A cow")],
            "c": [(1, "")],
        }
    )
    first, second = source.examples("train")
    assert first.captions == ("A dog", "A cat")
    assert list(source.caption_numbers(first)) == [1, 3]
    assert list(source.caption_numbers(second)) == [0, 1]
    assert Skip("train", "a#770", "the caption is empty") in source.skipped
