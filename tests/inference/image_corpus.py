"""Image files of every format, mode and depth, as people and programs keep them."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

_FORMATS = {
    "JPEG": [{}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_blocks": 3}],
    "MPO": [{"save_all": True}],
    "PNG": [{}, {"bits": 1}, {"bits": 4}, {"transparency": 1}, {"bits": 2, "transparency": 1}],
    "BMP": [{}],
    "GIF": [{}, {"interlace": 0}, {"transparency": 2}, {"save_all": True}],
    "WEBP": [{}, {"lossless": True}, {"save_all": True}, {"lossless": True, "save_all": True}],
}
_MASKS = {
    16: [(0xF800, 0x7E0, 0x1F), (0x7C00, 0x3E0, 0x1F)],
    24: [(0xFF0000, 0xFF00, 0xFF)],
    32: [
        (0xFF0000, 0xFF00, 0xFF, 0),
        (0xFF000000, 0xFF0000, 0xFF00, 0),
        (0xFF000000, 0xFF0000, 0xFF00, 0xFF),
        (0xFF, 0xFF00, 0xFF0000, 0xFF000000),
        (0xFF0000, 0xFF00, 0xFF, 0xFF000000),
        (0, 0, 0, 0),
    ],
}
HEIGHT, WIDTH = 37, 53


def random(seed=0):
    return np.random.default_rng(seed)


def photograph(height=HEIGHT, width=WIDTH):
    """A slope with noise, so that blocks of a JPEG have all frequencies."""
    slope = np.add.outer(np.arange(height) * 3, np.arange(width) * 2)[..., None]
    noise = random().integers(0, 60, (height, width, 3))
    return Image.fromarray((slope + noise).clip(0, 255).astype(np.uint8))


def encoded(image, image_format, **settings):
    file = io.BytesIO()
    image.save(file, image_format, **settings)
    return file.getvalue()


def exif(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def written_files():
    """What Pillow writes, by a name that says how."""
    image = photograph()
    opaque = random(1).integers(0, 256, (HEIGHT, WIDTH, 4)).astype(np.uint8)
    alpha = Image.fromarray(opaque)
    deep = Image.fromarray(random(2).integers(0, 65536, (HEIGHT, WIDTH)).astype(np.uint16))
    images = [image.convert(mode) for mode in ("1", "L", "RGB", "CMYK", "YCbCr")]
    images += [alpha, alpha.convert("LA"), deep, deep.convert("I")]
    images += [image.quantize(count) for count in (200, 16, 4, 2)]
    files = {}
    for image_format, ways in _FORMATS.items():
        for number, picture in enumerate(images):
            for way in ways:
                frames = {"append_images": [picture.transpose(0)]} if "save_all" in way else {}
                try:
                    data = encoded(picture, image_format, **way, **frames)
                except (OSError, ValueError, TypeError, KeyError, SystemError):
                    continue  # it has no such files
                files[f"{image_format} of {picture.mode} {number} {way}"] = data
    for image_format in ("JPEG", "PNG", "WEBP"):
        for number in range(1, 10):
            data = encoded(image, image_format, exif=exif(number))
            files[f"{image_format} of orientation {number}"] = data
    return files


def chunk(kind, data):
    check = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + check


def png(depth, color_type, transparent=None, palette=None, before=(), after=()):
    """A PNG of random samples; `before` and `after` are chunks around its pixels."""
    rng = random(depth + color_type)
    size = (WIDTH * depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color_type] + 7) // 8
    rows = [bytes([rng.integers(0, 5)]) + rng.bytes(size) for _ in range(HEIGHT)]
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, color_type, 0, 0, 0)
    chunks = [chunk(b"IHDR", header), *before]
    if color_type == 3:
        chunks.append(chunk(b"PLTE", palette or rng.bytes(3 * 2**depth)))
    if transparent is not None:
        chunks.append(chunk(b"tRNS", transparent))
    pixels = chunk(b"IDAT", zlib.compress(b"".join(rows)))
    return b"".join([b"\x89PNG\r\n\x1a\n", *chunks, pixels, *after, chunk(b"IEND", b"")])


def png_files():
    """Every depth and colour type, with and without what is transparent."""
    # A second eXIf chunk counts for nothing, whatever the first holds.
    twice = [chunk(b"eXIf", b""), chunk(b"eXIf", exif(6).removeprefix(b"Exif\0\0"))]
    files = {
        "png of many texts": png(8, 2, before=[chunk(b"tEXt", b"a\0b")] * 50),
        "png of EXIF twice": png(8, 2, before=twice),
    }
    for depth in (1, 2, 4, 8, 16):
        files[f"png of {depth} bits of grey"] = png(depth, 0)
        for level in (0, 1, 300):
            name = f"png of {depth} bits of grey without {level}"
            files[name] = png(depth, 0, struct.pack(">H", level))
    for depth in (8, 16):
        for color_type in (2, 4, 6):
            files[f"png of {depth} bits and type {color_type}"] = png(depth, color_type)
        # One sample less in its low byte: at 16 bits another colour, at 8 the same.
        for low in (0, 1):
            first = np.array(Image.open(io.BytesIO(png(8, 2))))[0, 0]
            level = b"".join(bytes([value if depth == 16 else 0, value - low]) for value in first)
            files[f"png of {depth} bits without a colour, {low}"] = png(depth, 2, level)
    deep = Image.open(io.BytesIO(png(16, 0)))
    for low in (0, 1):
        level = struct.pack(">H", int(np.array(deep)[3, 3]) ^ low)
        files[f"png of 16 bits without a level that is there, {low}"] = png(16, 0, level)
    for depth in (1, 2, 4, 8):
        for transparent in (None, b"", b"\0", b"\x80\0"):
            files[f"png of {depth} bits of a palette, {transparent}"] = png(depth, 3, transparent)
        files[f"png of {depth} bits of half a palette"] = png(
            depth, 3, palette=random().bytes(3 * 2 ** (depth - 1))
        )
    return files


def bmp(depth, compression=0, colors=b"", masks=b"", num_colors=0, header=40, height=HEIGHT):
    """A BMP of random samples; `header` is the size of its header, `height` may be negative."""
    stride = (WIDTH * depth + 31) // 32 * 4
    data = random(depth).bytes(stride * HEIGHT)
    if depth == 8 and num_colors == 2:
        data = bytes(value % 2 for value in data)
    if header == 12:
        head = struct.pack("<IHHHH", 12, WIDTH, HEIGHT, 1, depth)
    else:
        head = struct.pack("<IiiHHI", header, WIDTH, height, 1, depth, compression)
        head += struct.pack("<IiiII", len(data), 2835, 2835, num_colors, 0)
        if header > 40:
            head, masks = (head + masks).ljust(header, b"\0"), b""
    offset = 14 + len(head) + len(masks) + len(colors)
    start = struct.pack("<2sIHHI", b"BM", offset + len(data), 0, 0, offset)
    return start + head + masks + colors + data


def bmp_files():
    """Every depth and way to say what the colours are."""
    files = {}
    for depth in (1, 4, 8):
        colors = random(9).bytes(4 * 2**depth)
        files[f"bmp of {depth} bits"] = bmp(depth, colors=colors)
        files[f"bmp of {depth} bits from the top"] = bmp(depth, colors=colors, height=-HEIGHT)
        files[f"bmp of {depth} bits of OS/2"] = bmp(depth, colors=colors[: 3 * 2**depth], header=12)
        half = max(2, 2 ** (depth - 1))
        files[f"bmp of {depth} bits of few"] = bmp(
            depth, colors=colors[: 4 * half], num_colors=half
        )
    black_and_white = b"\0\0\0\0\xff\xff\xff\0"
    files["bmp of 1 bit, black and white"] = bmp(1, colors=black_and_white, num_colors=2)
    files["bmp of 8 bits, black and white"] = bmp(8, colors=black_and_white, num_colors=2)
    for depth, all_masks in _MASKS.items():
        files[f"bmp of {depth} bits"] = bmp(depth)
        for masks in all_masks:
            for header in (40, 56, 124) if depth == 32 else (40,):
                if header == 40 and masks[3:] not in ((), (0,)):
                    continue
                data = struct.pack(f"<{len(masks)}I", *masks)
                data = data[:12] if header == 40 else data
                name = f"bmp of {depth} bits of {[hex(mask) for mask in masks]}, {header}"
                files[name] = bmp(depth, 3, masks=data, header=header)
    return files


def gif(screen, place, transparent=None, own_colors=False, interlaced=False, before=b""):
    """A GIF whose picture of 20 x 15 stands at a place of a screen; `before` are blocks."""
    picture = photograph().crop((0, 0, 20, 15)).quantize(64)
    data = encoded(picture, "GIF", interlace=int(interlaced))
    size = 3 << 1 + data[10] % 8
    start = data.index(b",\0\0\0\0\x14\0\x0f\0", 13 + size)
    control = b""
    if transparent is not None:
        control = bytes([0x21, 0xF9, 4, 1, 0, 0, transparent, 0])
    flags = data[start + 9] | (0x80 | data[10] % 8) * own_colors
    descriptor = struct.pack("<BHHHHB", 0x2C, *place, 20, 15, flags)
    descriptor += random().bytes(size) if own_colors else b""
    screen = data[:6] + struct.pack("<HH", *screen) + data[10 : 13 + size]
    return screen + before + control + descriptor + data[start + 10 :]


def gif_files():
    """Pictures on, beside and larger than their screen, and what a palette lacks."""
    files = {}
    for screen, place in (((20, 15), (0, 0)), ((40, 30), (5, 7)), ((10, 10), (0, 3))):
        for transparent in (None, 0, 3, 200):
            for own_colors in (False, True):
                name = f"gif {screen} {place} {transparent} {own_colors}"
                files[name] = gif(screen, place, transparent, own_colors, own_colors)
    data = gif((20, 15), (0, 0))
    size = 3 << 1 + data[10] % 8
    few = bytes([data[10] & 0xF8 | 3])
    files["gif of few colours"] = data[:10] + few + data[11 : 13 + 48] + data[13 + size :]
    none = bytes([data[10] & 0x7F])
    files["gif without colours"] = data[:10] + none + data[11:13] + data[13 + size :]
    files["gif of comments"] = gif((20, 15), (0, 0), before=b"\x21\xfe\5hello\0" * 50)
    files["gif without an end"] = data[:-1]
    return files


def webp_chunk(kind, data):
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def animated_webp(picture, canvas, place, has_opacity=False, **settings):
    """An animated WebP of the same frame twice, which stands at a place of a canvas."""

    def three(number):
        return struct.pack("<I", number)[:3]

    data, position, content = encoded(picture, "WEBP", **settings), 12, b""
    while position < len(data):
        kind, length = struct.unpack_from("<4sI", data, position)
        end = position + 8 + length + length % 2
        content += data[position:end] if kind in (b"ALPH", b"VP8 ", b"VP8L") else b""
        position = end
    sizes = [place[0] // 2, place[1] // 2, picture.width - 1, picture.height - 1, 100]
    frame = b"".join(map(three, sizes)) + b"\0" + content
    flags = bytes([0x02 | 0x10 * has_opacity, 0, 0, 0])
    chunks = webp_chunk(b"VP8X", flags + three(canvas[0] - 1) + three(canvas[1] - 1))
    chunks += webp_chunk(b"ANIM", b"\xff\x80\x40\xff\0\0") + webp_chunk(b"ANMF", frame) * 2
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


def webp_files():
    """Animations with and without opacity, whose frames fill the canvas or do not."""
    pixels = random(1).integers(0, 256, (16, 20, 4)).astype(np.uint8)
    files = {}
    for picture in (Image.fromarray(pixels), Image.fromarray(pixels).convert("RGB")):
        for lossless in (False, True):
            for has_opacity in (False, True):
                for canvas, place in (((20, 16), (0, 0)), ((40, 30), (4, 6))):
                    name = f"webp {picture.mode} {lossless} {has_opacity} {canvas}"
                    files[name] = animated_webp(
                        picture, canvas, place, has_opacity, lossless=lossless
                    )
    turned = encoded(photograph(), "WEBP", exif=exif(6))
    place = turned.index(b"EXIF")
    chunks = turned[8:place] + b"EXIF\0\0\0\0" + turned[place:]
    files["webp of EXIF twice"] = b"RIFF" + struct.pack("<I", len(chunks)) + chunks
    return files


def jpeg_files():
    """Files with more, or less, around their pixels than encoders write."""
    image = photograph()
    data = encoded(image, "JPEG")
    segment = 4 + 14  # the first, which says that it is a JFIF file
    inks = encoded(image.convert("CMYK"), "JPEG")
    adobe = inks.index(b"\xff\xee")
    adobe_end = adobe + 2 + int.from_bytes(inks[adobe + 2 : adobe + 4], "big")
    is_rgb = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0"
    xmp = b"\xff\xe1\0\x20http://ns.adobe.com/xap/1.0/\0x"
    return {
        "jpeg of inks without Adobe's marker": inks[:adobe] + inks[adobe_end:],
        "jpeg of inks as brightness and colour": inks[: adobe_end - 1] + b"\2" + inks[adobe_end:],
        "jpeg of fill bytes": data[:2] + b"\xff" * 1000 + data[2:],
        "jpeg of trailing bytes": data + random().bytes(5000),
        "jpeg without JFIF": data[:2] + data[2 + segment :],
        "jpeg of RGB": data[:2] + is_rgb + encoded(image, "JPEG", subsampling=0)[2 + segment :],
        "jpeg of XMP and EXIF": data[:2] + xmp + encoded(image, "JPEG", exif=exif(3))[2:],
        # The first ends within the words that tell it from others.
        "jpeg of EXIF twice": data[:2]
        + b"\xff\xe1\0\x04Exif\0\0"
        + encoded(image, "JPEG", exif=exif(6))[2:],
        "large jpeg": encoded(photograph(80, 100), "JPEG"),
        "jpeg of odd sides": encoded(photograph(121, 163), "JPEG"),
        "very large jpeg": encoded(photograph(241, 323), "JPEG"),
    }


def corpus():
    """All of them, dict of name to bytes."""
    return {
        **written_files(),
        **jpeg_files(),
        **png_files(),
        **bmp_files(),
        **gif_files(),
        **webp_files(),
    }
