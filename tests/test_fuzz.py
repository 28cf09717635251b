"""Every reader of files: damage is one line of words, or harmless; tests/fuzz goes on with it."""

import ast
import signal
import sys
import time

import hypothesis
import pytest
from hypothesis import strategies

from tests.fuzz import reader as fuzz
from tests.fuzz import workers
from tests.fuzz.reader import Reader
from tests.fuzz.readers import READERS
from tests.source_imports import source_files

NUM_MUTATIONS = 20
NUM_EXAMPLES = 8
QUICK = [name for name, reader in READERS.items() if not reader.is_slow]
# Calls by which a function has what a file, an archive or a server holds.
_READING = {"read_bytes", "read_text", "loads", "open_memmap", "memmap", "mmap", "ZipFile"}
_READING |= {"loadmat", "fromstring", "ParserCreate", "read_index", "FileStorage", "Parse"}
_READING |= {"FromString", "ParseFromString", "TFRecordDataset", "load_weights", "getresponse"}
_READING |= {"read_lines", "text_lines", "split_lines", "decode_text", "parse_json", "read_json"}
_READING |= {"read_sealed", "read_arrays", "read_arrays_of", "open_array", "read_objects"}
_READING |= {"read_table", "array_kind", "_DataUnpickler", "DictReader"}
# `np.load`, but not `Settings.load`.
_LOADING = {"np", "json", "pickle", "csv", "saved_model", "loader", "spacy"}
_SLOW = "the long form reads it"
_TENSORFLOW = "TensorFlow, Keras or spaCy read it: a program's models are as trusted as programs"
_OWN = "a file of this package, or of this machine"
_OF_A_RUN = "what the run itself has just written"
_COVERED = "by the row of what it calls, with other words"
# What no quick row reads, and why.
WITHOUT_A_ROW = {
    "tfrecords_tools.beam_pool._WriteShard.process": _OF_A_RUN,
    "tfrecords_tools.detection.opencv_proposals.EdgeBoxes.__init__": "OpenCV reads it",
    "tfrecords_tools.encoding.keras_networks.KerasNetwork.__init__": _TENSORFLOW,
    "tfrecords_tools.encoding.saved_models.SavedModel.__init__": _TENSORFLOW,
    "tfrecords_tools.encoding.saved_models._checksum": "only its checksum is taken",
    "tfrecords_tools.exporting.exported_directory.read_records": _COVERED,
    "tfrecords_tools.parse._load_pipeline": _TENSORFLOW,
    "tfrecords_tools.parsed_copy._copy_split": "only its checksum is taken",
    "tfrecords_tools.parsed_copy._records": _COVERED,
    "tfrecords_tools.record_checking._check_record": _SLOW,
    "tfrecords_tools.record_checking._check_shard": _SLOW,
    "tfrecords_tools.record_rendering._samples": _COVERED,
    "tfrecords_tools.shard_writer.shard_file": _OF_A_RUN,
    "tfrecords_tools.worker_pool.ShardTask.run": _OF_A_RUN,
    "vsa_tf.__main__._print_programs": _OWN,
    "vsa_tf.benchmark._run": _OF_A_RUN,
    "vsa_tf.benchmark._said": _OWN,
    "vsa_tf.data.parsed_record.ParsedRecord.parse": _SLOW,
    "vsa_tf.data.record_split.RecordSplit._read_shard": _SLOW,
    "vsa_tf.demo.demo_application.static_files": _OWN,
    "vsa_tf.demo.photograph_search._copy": _COVERED,
    "vsa_tf.inference.export_model._metrics": _COVERED,
    "vsa_tf.inference.exported_model.ExportedModel.__init__": _SLOW,
    "vsa_tf.model_dir.trained_model.load_sentence_feature": _SLOW,
    "vsa_tf.reporting.write_report._write_pages": _OWN,
    "vsa_tf.search._is_image": _COVERED,
    "vsa_tf.search_index.approximate_index.ApproximateIndex.load": _SLOW,
    "vsa_tf.sentence_features.bag_of_words.MeanVector.load": _SLOW,
    "vsa_tf.sentence_features.bag_of_words.TfIdf.load": _SLOW,
    "vsa_tf.sentence_features.fisher_vector.FisherVector.load": _SLOW,
    "vsa_tf.sentence_features.text_tower.TextTower.__init__": _TENSORFLOW,
    "vsa_tf.sentence_features.text_tower.TextTower.load": _TENSORFLOW,
    "vsa_tf.sentence_features.text_tower.TextTower.of_preset": _OF_A_RUN,
    "vsa_tf.sentence_features.word_vector_table.array_to_words": _SLOW,
    "vsa_tf.server.json_request.read_json_object": _SLOW,
    "vsa_tf.server.model_versions.LoadedVersion.__init__": _TENSORFLOW,
    "vsa_tf.server.model_versions.warm_up": _TENSORFLOW,
    "vsa_tf.server.tensor_protos.read_message": _SLOW,
    "vsa_tf.settings_flags._place": _COVERED,
    "vsa_tf.table._Run.metrics": _COVERED,
    "vsa_tf.training.auto_settings.has_bfloat16": _OWN,
}


def _fresh(name, folder):
    reader = READERS[name]
    reader.write(folder)
    whole = {path: path.read_bytes() for path in reader.paths(folder)}
    return reader, whole, repr(reader.read(folder))


@pytest.mark.parametrize("name", QUICK)
def test_damage_is_refused_in_words_or_harmless(tmp_path, name):
    reader, whole, expected = _fresh(name, tmp_path)
    for number in range(NUM_MUTATIONS):
        path, is_forged = workers.mutate(reader, tmp_path, whole, number, seed=0)
        found = fuzz.outcome(lambda: reader.read(tmp_path), None if is_forged else expected)
        assert found in (fuzz.READ, fuzz.REFUSED), (number, path)
        path.write_bytes(whole[path])


_PLACES = strategies.floats(0, 1)
_EDITS = strategies.lists(
    strategies.tuples(_PLACES, _PLACES, strategies.binary(max_size=12)), min_size=1, max_size=3
)


def _edited(data, edits):
    for first, length, new in edits:
        start = int(first * len(data))
        # Mostly short pieces.
        data = data[:start] + new + data[start + int(length**4 * len(data)) :]
    return data


@pytest.mark.parametrize("name", QUICK)
def test_whatever_is_written_over_a_file_is_refused_in_words_or_read(tmp_path, name):
    reader, whole, expected = _fresh(name, tmp_path)

    @hypothesis.settings(max_examples=NUM_EXAMPLES, deadline=None, database=None, derandomize=True)
    @hypothesis.given(strategies.sampled_from(sorted(whole)), _EDITS | strategies.binary())
    def check(path, edits):
        changed = edits if isinstance(edits, bytes) else _edited(whole[path], edits)
        path.write_bytes(changed)
        try:
            found = fuzz.outcome(
                lambda: reader.read(tmp_path), expected if reader.is_checked else None
            )
            assert found in (fuzz.READ, fuzz.REFUSED)
        finally:
            path.write_bytes(whole[path])

    check()


def _readers_in(path):
    """Yields the names of a file's functions that read."""
    tree = ast.parse(path.read_text(encoding="utf-8"))

    def walk(node, name):
        for child in ast.iter_child_nodes(node):
            inner = name
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                inner = f"{name}.{child.name}" if name else child.name
            if isinstance(child, ast.Call) and _reads(child):
                yield name
            yield from walk(child, inner)

    yield from walk(tree, "")


def _reads(call):
    function = call.func
    if isinstance(function, ast.Name):
        return function.id in _READING or function.id == "open" and _mode(call, 1)[:1] == "r"
    if not isinstance(function, ast.Attribute):
        return False
    owner = function.value
    owner = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
    if function.attr == "open" and owner not in ("os", "Image", "directory", "source"):
        return _mode(call, 0)[:1] == "r"
    is_loading = function.attr in ("load", "reader") and owner in _LOADING
    return function.attr in _READING or is_loading


def _mode(call, position):
    given = [keyword.value for keyword in call.keywords if keyword.arg == "mode"]
    given += call.args[position : position + 1]
    return given[0].value if given and isinstance(given[0], ast.Constant) else "r"


def test_every_function_that_reads_files_has_a_row(tmp_path):
    reading = {
        f"{module}.{name}"
        for module, path in source_files().items()
        for name in _readers_in(path)
        if name
    }
    modules = {str(path): module for module, path in source_files().items()}
    called = set()

    def note(frame, event, _):
        if event == "call" and frame.f_code.co_filename in modules:
            name = frame.f_code.co_qualname.replace(".<locals>", "")
            called.add(f"{modules[frame.f_code.co_filename]}.{name}")

    for name in QUICK:
        (tmp_path / name).mkdir()
        READERS[name].write(tmp_path / name)
        sys.setprofile(note)
        try:
            READERS[name].read(tmp_path / name)
        finally:
            sys.setprofile(None)
    missing = reading - called
    assert missing == set(WITHOUT_A_ROW), "\n".join(sorted(missing ^ set(WITHOUT_A_ROW)))


def _of(read, **options):
    return Reader("it", lambda folder: (folder / "a.txt").write_text("a" * 99), read, **options)


def _text(folder):
    return (folder / "a.txt").read_bytes()


def _if_changed(act):
    return lambda folder: _text(folder) == b"a" * 99 or act()


def _raise(error):
    raise error


@pytest.mark.parametrize(
    ("kind", "read", "options"),
    [
        (fuzz.READ, _text, {}),
        (fuzz.OTHER, _text, {"is_checked": True}),
        (fuzz.FOREIGN, _if_changed(lambda: _raise(KeyError("a"))), {}),
        # What is not raised here is not this project's, however it is called.
        (fuzz.FOREIGN, _if_changed(lambda: _raise(ValueError("a long message of words"))), {}),
        (fuzz.MEMORY, _if_changed(lambda: bytearray(2 << 30)), {}),
        (fuzz.HANG, _if_changed(lambda: [None for _ in iter(int, 1)]), {}),
        (fuzz.HANG, _if_changed(lambda: time.sleep(99)), {}),
        (fuzz.ENDED, _if_changed(lambda: signal.raise_signal(signal.SIGKILL)), {}),
    ],
)
def test_the_fuzzer_finds_each_fault_and_keeps_its_file(tmp_path, monkeypatch, kind, read, options):
    monkeypatch.setattr(workers, "SECONDS", 0.1)
    monkeypatch.setattr(workers, "WAITED_SECONDS", 3)
    trial = workers.try_reader(_of(read, **options), range(2), 0, tmp_path)
    assert trial.outcomes[kind] == (1 if options else 2), trial
    assert len(list(tmp_path.glob("it-*/a.txt"))) == sum(
        map(trial.outcomes.get, fuzz.FAULTS, [0] * 5)
    )
