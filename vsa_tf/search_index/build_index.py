"""The work of `vsa_tf.index`."""

import sys
import time

from vsa_tf.program import ProgramError
from vsa_tf.search_index.approximate_index import ApproximateIndex
from vsa_tf.search_index.index_builder import IndexBuilder
from vsa_tf.search_index.search_index import LARGE_INDEX_NUMBERS, SearchIndex


def build_index(index_dir, source=None, paths=(), sentences=(), dtype="float32", approximate=False):
    """Adds to an index, or makes it, and prints what was added.

    Args:
        index_dir: its directory.
        source: the `ModelSource`; None: nothing is added.
        paths: list of image files.
        sentences: list of str.
        dtype: of the stored vectors of a new index.
        approximate: also build what an approximate search needs.

    Raises:
        ProgramError: the model cannot be used, or is not the one of the index; or, when all others
            are done, some files could not be read.
    """
    num_failed = 0
    if source is not None:
        builder = IndexBuilder(index_dir, source, dtype)
        if paths:
            num_added, num_failed = builder.add_images(paths)
            num_known = len(paths) - num_added - num_failed
            print(f"added {num_added} images to {index_dir}; {num_known} were there", flush=True)
        if sentences:
            num_added = builder.add_sentences(sentences)
            num_known = len(sentences) - num_added
            print(f"added {num_added} sentences to {index_dir}; {num_known} were there", flush=True)
    if approximate:
        _build_approximate(index_dir)
    else:
        _propose_approximate(index_dir)
    if num_failed:
        raise ProgramError(
            f"{num_failed} of {len(paths)} images could not be read; see their lines"
        )


def _build_approximate(index_dir):
    index = SearchIndex(index_dir)
    kinds = [
        kind for kind, shards in index.shards.items() if shards and not shards[0].embedded.has_words
    ]
    if not kinds:
        raise ProgramError(
            f"{index_dir} holds nothing to search approximately: sentences of words are searched "
            "exactly"
        )
    for kind in kinds:
        started = time.monotonic()
        built = ApproximateIndex.build(index, kind)
        print(
            f"approximate index of {kind}: recall@10 {built.recall:.3f} looking into "
            f"{built.num_cells} cells, built in {time.monotonic() - started:.1f} s"
        )


def _propose_approximate(index_dir):
    index = SearchIndex(index_dir)
    for kind in index.shards:
        if index.num_numbers(kind) > LARGE_INDEX_NUMBERS:
            print(
                f"an exact search of {kind} reads {index.num_numbers(kind):,} numbers: "
                f"vsa_tf.index --index_dir={index_dir} --approximate makes it quicker",
                file=sys.stderr,
            )
