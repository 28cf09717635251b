"""The folder of photographs that neuraltalk has captioned, in the form of its data."""

import json

_FILES = ("tasks.txt", "result_struct.json")


def neuraltalk_results(archive):
    """Gives what `predict_on_images.py` read and wrote the form of a `dataset.json`.

    Args:
        archive: an `Archive` with `tasks.txt`, names in the order of the features' columns, and
            `result_struct.json`, the caption that was generated for each.

    Returns:
        Bytes of JSON, all photographs in the split `test`; None where a file is missing.

    Raises:
        OSError: when a file cannot be read.
        ValueError: when one is of another form.
    """
    names, results = (archive.find(name) for name in _FILES)
    if names is None or results is None:
        return None
    try:
        names = archive.read(names).decode("utf-8").split()
        captions = {
            result["img_path"]: result["candidate"]["text"]
            for result in json.loads(archive.read(results))["imgblobs"]
        }
        missing = [name for name in names if name not in captions]
        if missing:
            raise ValueError(f"no caption of {missing[0]}")
    except (KeyError, TypeError, ValueError) as error:
        reason = f"no entry {error}" if isinstance(error, KeyError) else str(error)
        raise ValueError(
            f"Expected names in {_FILES[0]} and for each of them img_path and candidate.text in "
            f"imgblobs of {_FILES[1]}. Received: {reason}."
        ) from None
    images = [
        {
            "filename": name,
            "imgid": number,
            "split": "test",
            "sentences": [{"raw": captions[name], "imgid": number, "sentid": number}],
        }
        for number, name in enumerate(names)
    ]
    return json.dumps({"dataset": "neuraltalk", "images": images}).encode()
