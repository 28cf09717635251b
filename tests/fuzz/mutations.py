"""A file otherwise than it was written, at random: what disks, copies, programs and enemies do."""

import io
import json
import re
import warnings
import zipfile

from vsa_tf.files import sealed

# Of a mutation of JSON: what other programs write, and what no reader counts on.
_VALUES = (
    float("inf"),
    float("-inf"),
    float("nan"),
    10**400,
    -(10**20),
    2**63,
    -1,
    1.5,
    1e300,
    True,
    None,
    "",
    "\ud800",
    "a\udcff\x00b",
    "../../outside.txt",
    "/etc/passwd",
    [],
    {},
    [[]],
    [None],
    {"a": 1},
)
# Of a number in a text, and of what stands between.
_NUMBERS = (b"-1", b"0", b"1e999", b"nan", b"-inf", b"9" * 40, b"-9223372036854775809", b"1_0")
_NUMBERS += ("٣".encode(), b"4294967296", b"0x10", b"1e-320", b"")
_PIECES = (b"\xef\xbb\xbf", b"\x00", b"\xff", b"\r", b"\x0c", b"\xe2\x80\xa8", b"#", b"\t", b"-1")
_PIECES += (b'"', b"\n\n", b"1e999", b"9" * 5000, b"\xed\xa0\x80", b"../../outside.txt", b"," * 99)
_ENTITIES = b'<!DOCTYPE a [<!ENTITY b "%s">%s]>' % (
    b"b" * 99,
    b"".join(b'<!ENTITY b%d "%s">' % (n, b"&b%d;" % (n - 1) * 9) for n in range(1, 9)),
)
_HEADERS = (
    b"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999, 3), }",
    b"{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }" % (2**62, 2**62),
    b"{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 3), }",
    b"{'descr': '<f4', 'fortran_order': False, 'shape': 5, }",
    b"{'descr': '<f4', 'fortran_order': 1, 'shape': (1e999,), }",
    b"{'descr': '|O', 'fortran_order': False, 'shape': (2, 3), }",
    b"{'descr': '<f99', 'fortran_order': False, 'shape': (2, 3), }",
    b"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }",
    b"{'descr': '<f4', 'shape': (2, 3), }",
    b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3",
    b"{'descr': '<f4', 'fortran_order': False, 'shape': (), }",
    b"(" * 300,
    b"'''",
    b"\x00\xff",
)


def damaged(data, name, rng, is_forged=True):
    """Returns the bytes of a file otherwise than they were.

    Args:
        data: bytes of the file.
        name: of the file, whose ending says what it is.
        rng: a `random.Random`.
        is_forged: whether checksums may be made to fit, as somebody does who means it; else the
            file is one that a disk or a copy has spoilt.
    """
    kinds = [_flip, _flip, _cut, _double, _insert, _nest, _change_length, _change_number, _recode]
    if name.endswith((".json", ".jsonl")):
        kinds += [_change_json if is_forged else _change_json_alone] * 6
    if name.endswith((".npy", ".npz")):
        kinds += [_change_header] * 4
    if name.endswith((".npz", ".zip")) and is_forged:
        kinds += [_repack] * 9
    if name.endswith(".xml"):
        kinds += [lambda data, rng: _ENTITIES + data.replace(b"</name>", b"&b8;</name>")]
    return rng.choice(kinds)(data, rng)


def _flip(data, rng):
    data = bytearray(data or b"\0")
    for _ in range(rng.choice((1, 1, 3, 20))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def _piece(data, rng):
    return sorted(rng.randrange(len(data) + 1) for _ in range(2))


def _cut(data, rng):
    first, last = _piece(data, rng)
    return rng.choice((data[:first], data[first:last], data[:first] + data[last:], b""))


def _double(data, rng):
    first, last = _piece(data, rng)
    return data[:last] + data[first:last] * rng.choice((0, 1, 50)) + data[first:]


def _insert(data, rng):
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.choice(_PIECES) + data[place:]


def _nest(data, rng):
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.choice((b"[", b'{"a":', b"<a>", b"(")) * 20_000 + data[place:]


def _change_length(data, rng):
    """Another number where bytes may be one: a length or count that the file could have."""
    size, order = rng.choice((1, 2, 4, 4, 8)), rng.choice(("little", "big"))
    if len(data) < size:
        return data + b"\xff" * size
    for _ in range(50):
        place = rng.randrange(len(data) - size + 1)
        if 0 < int.from_bytes(data[place : place + size], order) <= max(64, len(data)):
            break
    bits = 8 * size
    values = (0, 1, len(data), len(data) + 1, 2**16, 2**24, 2**30, 2 ** (bits - 1), 2**bits - 1)
    value = rng.choice([value for value in values if value < 2**bits])
    return data[:place] + value.to_bytes(size, order) + data[place + size :]


def _change_number(data, rng):
    found = list(re.finditer(rb"-?\d+(?:\.\d+)?", data))
    if not found:
        return _flip(data, rng)
    first, last = rng.choice(found).span()
    return data[:first] + rng.choice(_NUMBERS) + data[last:]


def _recode(data, rng):
    """Another encoding of the text, or UTF-8 of what was none."""
    text = data.decode("utf-8", "replace")
    encoding = rng.choice(("utf-16", "utf-16-le", "utf-32", "latin-1", "utf-7", "utf-8-sig"))
    return text.encode(encoding, "replace")


def _change_json(data, rng):
    """Another value of JSON, whose checksum fits, where it has one."""
    changed = _change_json_alone(data, rng)
    if rng.random() < 0.8:
        try:
            content = json.loads(changed)
        except ValueError:
            return changed
        marks = sealed({}).keys()
        if isinstance(content, dict) and content.keys() & marks:
            content = {key: value for key, value in content.items() if key not in marks}
            changed = json.dumps(sealed(content)).encode()
    return changed


def _change_json_alone(data, rng):
    try:
        content = json.loads(data)
    except ValueError:  # lines of JSON
        return _change_number(data, rng)
    holder, key = [content], 0
    while isinstance(holder[key], dict | list) and holder[key] and rng.random() > 0.15:
        holder = holder[key]
        key = rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    if rng.random() < 0.15:
        del holder[key]
    elif rng.random() < 0.1:
        deep = []
        for _ in range(rng.choice((50, 900))):
            deep = [deep]
        holder[key] = deep
    else:
        holder[key] = rng.choice(_VALUES)
    return json.dumps(content).encode()


def _change_header(data, rng):
    start = data.find(b"{'descr'")
    end = data.find(b"\n", start)
    if start < 0 or end < 0:
        return data[:-1]
    header = rng.choice(_HEADERS).ljust(end - start)
    return data[:start] + header + data[end:]


def _repack(data, rng):
    """A zip whose checksums fit, with a member that is damaged, has another name, or swells."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [[info.filename, archive.read(info)] for info in archive.infolist()]
    except (zipfile.BadZipFile, NotImplementedError, EOFError):
        return data
    if not members:
        return data
    member = rng.choice(members)
    kind = rng.randrange(5)
    if kind == 0:
        member[0] = rng.choice(("../outside.txt", "/outside.txt", "a/../../outside.txt", "/", "a"))
    elif kind == 1:
        members.append([member[0], members[0][1]])
    elif kind == 2:
        members.remove(member)
    else:
        member[1] = damaged(member[1], member[0], rng)
    packed = io.BytesIO()
    method = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with warnings.catch_warnings(), zipfile.ZipFile(packed, "w", method) as archive:
        warnings.simplefilter("ignore")  # of names twice
        for name, content in members:
            archive.writestr(name, content)
    return packed.getvalue()
