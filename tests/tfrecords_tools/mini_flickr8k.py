"""A hand-made Flickr8K: four photographs in its official files."""

import io
import zipfile

import numpy as np
from PIL import Image

TRAIN = ("101_a.jpg", "102_b.jpg", "103_c.jpg")
DEV = ("104_d.jpg",)
# The second sentence of 101 comes first in Entities, and "grey" is spelt "gray" there.
CAPTIONS = {
    "101_a.jpg": ("A grey dog runs .", "Two men watch a dog ."),
    "102_b.jpg": ("A red ball .", "The ball lies on grass ."),
    "103_c.jpg": ("A house .", "An old house ."),
    "104_d.jpg": ("A child sleeps .", "Somebody sleeps ."),
}
SENTENCES = {
    "101": (
        "[/EN#2/people Two men] watch [/EN#1/animals a dog] .\n[/EN#1/animals A gray dog] runs .\n"
    ),
    "102": "[/EN#3/other A red ball] .\n[/EN#3/other The ball] lies on [/EN#4/scene grass] .\n",
    "103": "[/EN#5/scene A house] .\n[/EN#5/scene An old house] .\n",
    "104": "[/EN#6/people A child] sleeps .\n[/EN#0/notvisual Somebody] sleeps .\n",
}


def annotation(width, height, *objects):
    """XML of `(names, (xmin, ymin, xmax, ymax) or None)` objects."""
    parts = [f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"]
    for names, box in objects:
        inner = "".join(f"<name>{name}</name>" for name in names)
        if box is None:
            inner += "<scene>1</scene><nobndbox>1</nobndbox>"
        else:
            tags = zip(("xmin", "ymin", "xmax", "ymax"), box)
            inner += "<bndbox>" + "".join(f"<{tag}>{value}</{tag}>" for tag, value in tags)
            inner += "</bndbox>"
        parts.append(f"<object>{inner}</object>")
    return f"<annotation>{''.join(parts)}</annotation>"


ANNOTATIONS = {
    # Of a photograph of 100 x 50: the box is its right half, which is 0, .5, 1, 1.
    "101": annotation(100, 50, (("1",), (51, 1, 100, 50)), (("2", "1"), (1, 1, 50, 25))),
    "102": annotation(80, 80, (("3",), (1, 1, 40, 80)), (("4",), None)),
    "103": annotation(80, 80, (("5",), None)),
    "104": annotation(80, 80, (("6",), (21, 41, 60, 80))),
}


def jpeg(width=48, height=32, seed=0, mode="RGB"):
    """Bytes of a smooth photograph-like JPEG."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (4, 4, 3), np.uint8))
    picture = coarse.resize((width, height), Image.Resampling.BILINEAR).convert(mode)
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=90)
    return data.getvalue()


def files():
    """Returns `{archive: {name: bytes}}` of images, captions and entities."""
    tokens = "".join(
        f"{name}#{index}\t{caption}\n"
        for name, captions in CAPTIONS.items()
        for index, caption in enumerate(captions)
    )
    return {
        "images": {
            f"Flicker8k_Dataset/{name}": jpeg(seed=seed) for seed, name in enumerate(CAPTIONS)
        },
        "captions": {
            "Flickr8k.token.txt": tokens.encode(),
            "Flickr_8k.trainImages.txt": "".join(f"{name}\n" for name in TRAIN).encode(),
            "Flickr_8k.devImages.txt": "".join(f"{name}\n" for name in DEV).encode(),
        },
        "entities": {
            **{f"Sentences/{key}.txt": text.encode() for key, text in SENTENCES.items()},
            **{f"Annotations/{key}.xml": text.encode() for key, text in ANNOTATIONS.items()},
        },
    }


def write_directories(folder, contents):
    """Writes the files as directories; returns `{archive: path}`."""
    for archive, members in contents.items():
        for name, data in members.items():
            path = folder / archive / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    return {archive: str(folder / archive) for archive in contents}


def write_zips(folder, contents):
    """Writes the files as zips; returns `{archive: path}`."""
    paths = {}
    for archive, members in contents.items():
        paths[archive] = str(folder / f"{archive}.zip")
        with zipfile.ZipFile(paths[archive], "w", zipfile.ZIP_DEFLATED) as file:
            for name, data in members.items():
                file.writestr(name, data)
    return paths
