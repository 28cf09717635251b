"""Image files that mean harm, or were harmed: both decoders answer or refuse, and soon.

    python -m tests.inference.image_faults --decoder=graph --first=0 --count=10000

decodes that many mutations of the corpus in a child process, and another where that one ends: each
end, error of another kind and mutation of more than two seconds is a line, the last the counts.
"""

import argparse
import pathlib
import random
import resource
import struct
import subprocess
import sys
import tempfile
import time
import zlib

from tests.inference.image_corpus import animated_webp, chunk, corpus, encoded, photograph, png

_SECONDS, _LIMIT_SECONDS = 2, 120
_NUMBERS = (0, 1, 7, 8, 255, 256, 16383, 32767, 40000, 65535, 2**24, 2**31 - 1, 2**31, 2**32 - 1)


def attacks():
    """Files over a bound, dict of name to bytes: little to send, much to do."""
    jpeg, gif = encoded(photograph(), "JPEG"), encoded(photograph(), "GIF")
    progressive = encoded(photograph(), "JPEG", progressive=True)
    scan = progressive[progressive.rindex(b"\xff\xda") : -2]
    size = progressive.index(b"\xff\xc2") + 5
    large = progressive[:size] + struct.pack(">HH", 4800, 4800) + progressive[size + 4 :]
    entries = struct.pack("<H", 10_000) + struct.pack("<HHII", 0x9000, 3, 1, 1) * 10_000
    exif = b"Exif\0\0II*\0\x08\0\0\0" + entries
    parts = [exif[:65_000], b"Exif\0\0" + exif[65_000:]]
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1_000_000)))
    picture = gif.index(b",\0\0\0\0", 13 + 3 * 256)
    still = encoded(photograph(), "WEBP")
    webp = animated_webp(photograph(), (53, 37), (0, 0))
    pairs = (b"ABCD" + bytes(4) + b"EFGH" + bytes(4)) * 50_000
    return {
        "fill bytes": jpeg[:2] + b"\xff" * (1 << 20) + jpeg[2:],
        "comments": jpeg[:2] + b"\xff\xfe\0\2" * 250_000 + jpeg[2:],
        "EXIF entries": jpeg[:2] + b"".join(map(_exif_segment, parts)) + jpeg[2:],
        "EXIF segments": jpeg[:2] + _exif_segment(exif[:18]) * 10_000 + jpeg[2:],
        "scans": progressive[:-2] + scan * 200 + b"\xff\xd9",
        "scanned pixels": large[:-2] + scan * 20 + b"\xff\xd9",
        "compressed texts": png(8, 2, before=[text] * 2000),
        "compressed texts behind the pixels": png(8, 2, after=[text] * 2000),
        "chunks": png(8, 2, before=[chunk(b"teST", b"")] * 400_000),
        "chunks of two lengths": png(
            8, 2, before=[chunk(b"teST", b""), chunk(b"teST", b"a")] * 9999
        ),
        "frame of 40,000 x 40,000": gif[: picture + 5] + b"\x40\x9c\x40\x9c" + gif[picture + 9 :],
        "blocks": gif[:picture] + b"\x21\xfe" + b"\1a" * 500_000 + b"\0" + gif[picture:],
        "blocks of two lengths": gif[:picture] + b"\x21\xfe" + b"\1a\2aa" * 9999 + gif[picture:],
        "extensions": gif[:picture] + b"\x21\xfe\0" * 100_000 + gif[picture:],
        "WebP chunks": still + pairs,
        "chunks of an animation": webp + pairs,
        "canvas of 16,384 x 16,384": webp[:24] + b"\xff\x3f\0" * 2 + webp[30:],
        "bmp of 20,000 x 20,000": b"BM"
        + bytes(12)
        + struct.pack("<IIIHHI", 40, 20000, 20000, 1, 1, 0)
        + bytes(50),
    }


def _exif_segment(content):
    return b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content


def mutation(files, seed):
    """Returns `(name, bytes)` of one of the files, changed in one to six places."""
    rng = random.Random(seed)
    name = rng.choice(sorted(files))
    data = bytearray(files[name])
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        # Half of the changes are to headers.
        place = rng.randrange(min(len(data), rng.choice((120, len(data))))) if data else 0
        way = rng.random()
        if way < 0.35:
            data[place : place + 1] = bytes([rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))])
        elif way < 0.7:
            size, order = rng.choice((2, 3, 4)), rng.choice(("little", "big"))
            number = rng.choice(_NUMBERS) % 256**size
            data[place : place + size] = number.to_bytes(size, order)
        elif way < 0.8:
            del data[place : place + rng.choice((1, 2, 4, 10, 100, len(data)))]
        elif way < 0.9:
            data[place:place] = data[place : place + rng.choice((1, 4, 12, 50))]
        else:
            data[place:place] = rng.randbytes(rng.choice((1, 2, 8)))
    return name, bytes(data)


def _decoder(name):
    """Returns a function of bytes, and the error that it may raise."""
    if name == "writer":
        from tfrecords_tools.image_decoding import decode_image
        from tfrecords_tools.image_structure import ImageError

        return decode_image, ImageError
    import tensorflow as tf

    from vsa_tf.inference.graph_images import graph_image

    specification = [tf.TensorSpec([], tf.string)]
    return tf.function(graph_image, specification, autograph=False), tf.errors.InvalidArgumentError


def _decode(decoder, first, count, position):
    """Decodes mutations; the file `position` holds the number of the one begun last."""
    decode, expected = _decoder(decoder)
    files = corpus()
    decode(files["very large jpeg"])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    counts = {"decoded": 0, "refused": 0, "other errors": 0, "slow": 0}
    for seed in range(first, first + count):
        position.write_text(str(seed))
        name, data = mutation(files, seed)
        started = time.monotonic()
        try:
            decode(data)
            counts["decoded"] += 1
        except expected:
            counts["refused"] += 1
        except Exception as error:
            counts["other errors"] += 1
            print(f"{seed} ({name}): {type(error).__name__}: {error}", flush=True)
        seconds = time.monotonic() - started
        if seconds > _SECONDS:
            counts["slow"] += 1
            print(f"{seed} ({name}): {seconds:.1f} s", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{counts}, memory {before // 1024} -> {peak // 1024} MB", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--decoder", choices=("writer", "graph"), default="graph")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--position", help="Of the child process alone.")
    values = parser.parse_args()
    if values.position:
        _decode(values.decoder, values.first, values.count, pathlib.Path(values.position))
        return
    first, last = values.first, values.first + values.count
    with tempfile.TemporaryDirectory() as folder:
        position = pathlib.Path(folder) / "position"
        while first < last:
            command = [sys.executable, "-m", "tests.inference.image_faults"]
            command += [f"--decoder={values.decoder}", f"--position={position}"]
            command += [f"--first={first}", f"--count={last - first}"]
            ended = subprocess.run(command, stderr=subprocess.DEVNULL).returncode
            if ended == 0:
                return
            seed = int(position.read_text())
            print(f"{seed}: the process ended, {ended}", flush=True)
            first = seed + 1


if __name__ == "__main__":
    main()
