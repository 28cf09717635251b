"""Which of the models that are served answer here, and searches of an index by them."""

import functools
import io
import os
import pathlib
import weakref

import numpy as np
from PIL import Image

from tfrecords_tools.image_decoding import ImageError, decode_image
from vsa_tf.errors import VsaTfError
from vsa_tf.inference.image_files import rounded
from vsa_tf.inference.signatures import SIGNATURE_INPUTS
from vsa_tf.search_index.embedded import Embedded
from vsa_tf.search_index.model_probe import probe, same_model
from vsa_tf.search_index.search_index import SearchIndex
from vsa_tf.server.request_limits import ServingError

_SIGNATURES = {"sentences": "embed_sentence", "images": "embed_image"}
_NUM_RESULTS = 24
_LONGEST_QUERY = 1000
_THUMBNAIL_SIDE = 320
_PHOTOGRAPH_SIDE = 2048
_THUMBNAILS_IN_MEMORY = 512


class PhotographSearch:
    """Finds the photographs of an index that answer a text, or are like a photograph.

    Either is embedded by whichever served model made the index, as its probe tells. The index is
    what it was when it was opened: what is added later is found after the server's next start.

    Args:
        index_dir: directory that `vsa_tf.index` has written.
        catalog: `ModelCatalog`.

    Raises:
        VsaTfError: there is no index, or it is damaged.
    """

    def __init__(self, index_dir, catalog):
        self._index = SearchIndex(index_dir)
        self._catalog = catalog
        # Clients name photographs by these numbers, never by a path.
        self._paths = list(
            dict.fromkeys(
                path for shard in self._index.shards["images"] for path in shard.columns["path"]
            )
        )
        folders = {str(pathlib.Path(path).absolute().parent) for path in self._paths}
        self._folder = os.path.commonpath(folders)
        self._numbers = {path: number for number, path in enumerate(self._paths)}
        self._made_the_index = weakref.WeakKeyDictionary()
        self._thumbnail = functools.lru_cache(_THUMBNAILS_IN_MEMORY)(
            lambda path: _copy(path, _THUMBNAIL_SIDE)
        )

    def __len__(self):
        return len(self._paths)

    def search(self, query, deadline=None):
        """Finds photographs.

        Args:
            query: a text, str; or an encoded photograph, bytes.
            deadline: as of `LoadedVersion.run`.

        Returns:
            dict of `results`, a list of dicts, best first: `number`, which `thumbnail` and
            `photograph` take; `path`, below the folder that all photographs of the index share;
            `score`; and `box`, of the region that answers a text, or None; and, where the model
            does not know all of the text, `unknown_words`, a list, and `means_nothing`, whether it
            knows no word of it.

        Raises:
            ServingError: the text is empty or too long, the photograph is none, or no model that
                is served made the index.
        """
        if isinstance(query, str):
            query = query.strip()
            if not 0 < len(query) <= _LONGEST_QUERY:
                raise ServingError(
                    "INVALID_ARGUMENT",
                    f"Expected a query of 1 to {_LONGEST_QUERY} characters. Received: {len(query)}",
                )
        try:
            if isinstance(query, str):
                embedded = Embedded.of_sentences(self._model("sentences", deadline), [query])
            else:
                embedded = Embedded.of_images(self._model("images", deadline), [query])
            stage = self._index.stage(embedded.kind, "images")
            hits = self._index.nearest(embedded, "images", _NUM_RESULTS, stage)
        except VsaTfError as error:
            raise ServingError("INTERNAL", str(error)) from error
        results = [
            {
                "number": self._numbers[hit.entry],
                "path": self._relative(hit.entry),
                "score": rounded(hit.score),
                "box": hit.box and rounded(hit.box),
            }
            for hit in hits
        ]
        said = [known for known in embedded.known if known.note()]  # of a text
        if not said:
            return {"results": results}
        return {
            "results": results,
            "unknown_words": list(said[0].unknown_words),
            "means_nothing": said[0].means_nothing,
        }

    def thumbnail(self, number):
        """Returns a small copy of a photograph, a JPEG's bytes.

        Args:
            number: of a result of `search`.

        Raises:
            ServingError: there is no such number, or its file is gone or no longer an image.
        """
        return self._thumbnail(self._path(number))

    def photograph(self, number):
        """Returns a copy of a photograph that fits a screen; as `thumbnail`."""
        return _copy(self._path(number), _PHOTOGRAPH_SIDE)

    def _path(self, number):
        if number >= len(self._paths):
            raise ServingError("NOT_FOUND", f"The index has no photograph {number}")
        return self._paths[number]

    def _relative(self, path):
        return pathlib.Path(path).absolute().relative_to(self._folder).as_posix()

    def _model(self, kind, deadline):
        names = []
        for model in answering_models(self._catalog):
            if _SIGNATURES[kind] in model["signatures"]:
                loaded = self._catalog.find(model["name"], model["version"])
                if self._is_of_index(loaded, kind):
                    return _ServedModel(loaded, deadline)
            names.append(model["name"])
        raise ServingError(
            "UNAVAILABLE",
            "Expected a served model that made the index. Received: "
            f"{', '.join(names) or 'none'}. Serve the one that it was made with",
        )

    def _is_of_index(self, loaded, kind):
        known = self._made_the_index.setdefault(loaded, {})
        if kind not in known:
            expected = self._index.manifest.probes[kind]
            try:
                summary = probe(_ServedModel(loaded), kind).summaries()[0]
                known[kind] = same_model(expected, summary)
            except ServingError as error:
                # Models of dependency relations refuse plain text.
                if error.code != "INVALID_ARGUMENT":
                    raise
                known[kind] = False
        return known[kind]


class _ServedModel:
    """A `LoadedVersion` that is called as an `ExportedModel` is."""

    def __init__(self, loaded, deadline=None):
        self._loaded = loaded
        self._deadline = deadline

    def call(self, name, **inputs):
        arrays = {key: np.array(value, object) for key, value in inputs.items()}
        return self._loaded.run(name, arrays, self._deadline)


def _copy(path, side):
    path = pathlib.Path(path)
    try:
        picture = Image.fromarray(decode_image(path.read_bytes()))
    except (OSError, ImageError) as error:
        raise ServingError("NOT_FOUND", f"{path.name} can no longer be read") from error
    picture.thumbnail((side, side))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=85)
    return file.getvalue()


def answering_models(catalog):
    """Lists the models of a server that answer to signatures of ours.

    Args:
        catalog: `ModelCatalog`; of each model its newest version counts.

    Returns:
        A list of dicts: `name`, `version` and `signatures`, a list of names.
    """
    models = []
    for name in catalog.available():
        try:
            loaded = catalog.find(name)
        except ServingError:  # it has no version, or lost it since
            continue
        signatures = [
            signature
            for signature, inputs in SIGNATURE_INPUTS.items()
            if signature in loaded.signature_defs
            and set(loaded.signature_defs[signature].inputs) == set(inputs)
        ]
        if signatures:
            models.append({"name": name, "version": loaded.version, "signatures": signatures})
    return models
