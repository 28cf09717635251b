"""Parses the captions of a data set with spaCy, an extra, into a CoNLL-U file.

    python -m tfrecords_tools.parse --dataset=flickr8k --images=Flickr8k_Dataset.zip \\
        --captions=Flickr8k_text.zip --pipeline=en_core_web_sm --output=flickr8k.conllu

The file goes to `tfrecords_tools.write --dependencies`, or for records that are there already to
`tfrecords_tools.add_dependencies`. Any other parser's CoNLL-U serves as well, where comments
`# sent_id = IMAGE#k` name the captions: k counts those of an image from 0, with those that the
writer leaves out. Interrupted, the same command goes on where it was; the file does not depend on
the number of workers.
"""

import os

from absl import flags

from tfrecords_tools.conllu import write_parses
from tfrecords_tools.progress import Progress
from tfrecords_tools.sources.registry import DATASETS, check_paths, check_source, make_source
from vsa_tf.errors import VsaTfError, check_given
from vsa_tf.program import run

_SOURCE_FLAGS = ("images", "captions", "entities")


def define_flags(flag_values=flags.FLAGS):
    """Defines the program's flags."""
    define = {"flag_values": flag_values}
    flags.DEFINE_string("dataset", None, f"Data set to parse: {', '.join(DATASETS)}.", **define)
    flags.DEFINE_string("images", None, "Directory or zip of the photographs.", **define)
    flags.DEFINE_multi_string(
        "captions",
        None,
        "Directory or zip of the captions, or the file; csv and coco take several.",
        **define,
    )
    flags.DEFINE_string(
        "entities",
        None,
        "What tfrecords_tools.write is given: captions may differ by it.",
        **define,
    )
    flags.DEFINE_list("splits", None, "Splits to parse; by default all.", **define)
    flags.DEFINE_string(
        "pipeline",
        "en_core_web_sm",
        "spaCy pipeline with a parser, a package or a directory.",
        **define,
    )
    flags.DEFINE_string("output", None, "CoNLL-U file to write.", **define)
    flags.DEFINE_integer("num_workers", None, "Processes; by default one a core.", **define)


def main(flag_values=flags.FLAGS):
    """Checks the flags, parses the captions and prints how many there were.

    Raises:
        VsaTfError: for everything that the user can mend.
    """
    try:
        arguments = _check(flag_values)
        pipeline, generator = _load_pipeline(flag_values.pipeline)
        source = make_source(**arguments)
        captions = _captions(source, flag_values.splits)
        num_workers = flag_values.num_workers or len(os.sched_getaffinity(0))
        progress = Progress(len({name.rpartition("#")[0] for name, _ in captions}))
        num_parsed = write_parses(
            captions, flag_values.output, pipeline, generator, num_workers, progress
        )
        progress.close()
    except (ValueError, OSError) as error:
        raise VsaTfError.of(error) from error
    if num_parsed:
        print(f"{num_parsed} captions parsed in {progress.seconds():.1f} s")
    else:
        print("nothing left to do: the file is complete")


def _check(flag_values):
    """Returns the source's arguments; raises before anything slow is done."""
    check_given(flag_values, dataset=f"one of {', '.join(DATASETS)}", output="the CoNLL-U file")
    if flag_values.num_workers is not None and flag_values.num_workers < 1:
        raise VsaTfError(
            f"Expected --num_workers of at least 1. Received: {flag_values.num_workers}"
        )
    arguments = {name: flag_values[name].value for name in ("dataset", *_SOURCE_FLAGS)}
    check_source(**arguments)
    check_paths(**arguments)
    directory = os.path.dirname(os.path.abspath(flag_values.output))
    if not os.path.isdir(directory) or os.path.isdir(flag_values.output):
        raise VsaTfError(
            f"Expected --output of a file in a directory that exists. "
            f"Received: {flag_values.output}"
        )
    return arguments


def _load_pipeline(name):
    """Returns a spaCy pipeline, and what it is called with its versions."""
    try:
        import spacy
    except ImportError as error:
        raise VsaTfError(
            'Parsing needs spaCy, which is not installed: pip install "vsa_tf[spacy]"'
        ) from error
    try:
        pipeline = spacy.load(name)
    except OSError as error:
        raise VsaTfError(
            f"Expected --pipeline of a spaCy package or a directory. Received: {name}. "
            f"Install a package by: python -m spacy download {name}"
        ) from error
    meta = pipeline.meta
    return pipeline, f"spaCy {spacy.__version__}, {meta['lang']}_{meta['name']} {meta['version']}"


def _captions(source, splits):
    """Returns `(IMAGE#k, caption)` of all captions, in the source's order."""
    known = source.splits()
    for split in splits or ():
        if split not in known:
            raise VsaTfError(f"Expected --splits among {', '.join(known)}. Received: {split}")
    return [
        (f"{example.source_id}#{number}", caption)
        for split in splits or known
        for example in source.examples(split)
        for number, caption in zip(source.caption_numbers(example), example.captions, strict=True)
    ]


if __name__ == "__main__":
    define_flags()
    run(main, __doc__)
