"""The work of `vsa_tf.search`."""

import json
import pathlib
import sys

from vsa_tf.inference.image_files import rounded
from vsa_tf.program import ProgramError
from vsa_tf.search_index.approximate_index import ApproximateIndex
from vsa_tf.search_index.check_model import check_model
from vsa_tf.search_index.embedded import Embedded
from vsa_tf.search_index.search_index import LARGE_INDEX_NUMBERS, SearchIndex


def answer_query(index_dir, source, query, is_image, target, top_k, approximate=False, output=None):
    """Searches an index and writes a JSON line for each result.

    Args:
        index_dir: directory that `vsa_tf.index` has written.
        source: the `ModelSource` of the query, a model of the same vectors as the index's.
        query: a text, or the path of an image.
        is_image: which of them.
        target: `images` or `sentences`, what is looked for.
        top_k: most results.
        approximate: search with the `ApproximateIndex`.
        output: a text file; None: the standard output.

    Raises:
        ProgramError: index or model cannot be used, or are not of one model.
    """
    index = SearchIndex(index_dir)
    kind = "images" if is_image else "sentences"
    candidates = _approximate(index, kind, target) if approximate else None
    if candidates is None and index.num_numbers(target) > LARGE_INDEX_NUMBERS:
        print("a large index: --approximate would be quicker", file=sys.stderr)
    model = source.open("embed_image" if is_image else "embed_sentence")
    check_model(model, source, index.manifest, index_dir, kind)
    if is_image:
        embedded = Embedded.of_images(model, [pathlib.Path(query).read_bytes()])
    else:
        embedded = Embedded.of_sentences(model, [query])
    hits = index.search(embedded, target, top_k, candidates)
    for rank, hit in enumerate(hits, 1):
        entry = {"path" if target == "images" else "sentence": hit.entry}
        box = {} if hit.box is None else {"box": rounded(hit.box)}
        line = {"rank": rank, **entry, "score": rounded(hit.score), **box}
        print(json.dumps(line), file=output or sys.stdout, flush=True)


def _approximate(index, kind, target):
    entries = index.shards[target][0].embedded
    if entries.has_words or entries.has_regions and kind == "images":
        raise ProgramError(
            f"--approximate: {target} of {index.index_dir} are searched exactly by {kind}; leave "
            "it out"
        )
    return ApproximateIndex(index.index_dir, target)
