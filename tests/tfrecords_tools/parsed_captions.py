"""The photographs whose captions testdata/conllu/parsed.conllu parses."""

from mini_flickr8k import jpeg
from source_samples import SAMPLES

from tfrecords_tools.dependency_parses import DependencyParses, ParsedSource
from tfrecords_tools.sources.csv_captions import CsvCaptions

PARSES = SAMPLES / "conllu" / "parsed.conllu"
IMAGES = ("harbour.jpg", "kitchen.jpg", "meadow.jpg", "workshop.jpg")


def captions():
    """Returns `{image: its captions}`, list of str in the order of their numbers."""
    found = {image: [] for image in IMAGES}
    for block in PARSES.read_text(encoding="utf-8").split("\n\n"):
        lines = dict(line[2:].split(" = ") for line in block.splitlines() if line.startswith("# "))
        if lines:
            found[lines["sent_id"].rpartition("#")[0]].append(lines["text"])
    return found


def captioned_images(folder, changes=None):
    """Writes the photographs and a CSV of their captions; returns the source.

    Args:
        folder: a directory, made here.
        changes: dict of image to captions in place of its own.
    """
    (folder / "images").mkdir(parents=True)
    rows = []
    for seed, (image, texts) in enumerate((captions() | (changes or {})).items()):
        (folder / "images" / image).write_bytes(jpeg(seed=seed))
        split = "dev" if image == IMAGES[-1] else "train"
        rows += [f'{image},"{text}",{split}\n' for text in texts]
    (folder / "captions.csv").write_text("".join(rows), encoding="utf-8")
    return CsvCaptions(folder / "images", folder / "captions.csv")


def parsed_source(folder, parses=PARSES, changes=None):
    """Returns `captioned_images` with a file of parses."""
    return ParsedSource(captioned_images(folder, changes), DependencyParses(parses))
