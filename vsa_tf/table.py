"""Trains every row of a table and prints it beside its file.

    python -m vsa_tf.table --rows=flags/tables/two_branch_1.rows --data_dir=DIR --model_dir=DIR

A line of a rows file is `NAME | FLAGS`: the flags of one `vsa_tf.train`; `#` starts a comment. Each
row is trained and evaluated in its own directory of `model_dir`; a row that is done is not done
again while its flags and records are the same, and one that was interrupted goes on. Flags after
`--` are given to every row. All rows' flags are read before the first is trained; what they name
may come of a row before, such as `--teachers=MODEL_DIR/row_1`. The table is printed, and kept as
`model_dir/table.json`.
"""

import dataclasses
import pathlib
import re
import shlex
import subprocess
import sys

from absl import flags

from vsa_tf import program
from vsa_tf.data.dataset_info import DatasetInfo
from vsa_tf.errors import VsaTfError, check_given, named
from vsa_tf.file_reading import read_lines
from vsa_tf.files import read_sealed, write_json
from vsa_tf.settings import Settings, is_path
from vsa_tf.settings_flags import settings_from_arguments

# Of each kind of metric, what the papers' tables show.
_COLUMNS = {
    "image_to_sentence": ("R@1", "R@5", "R@10"),
    "sentence_to_image": ("R@1", "R@5", "R@10"),
    "sentence_to_sentence": ("R@1", "R@5", "R@10"),
    "phrase_localization": ("R@1", "R@5", "R@10", "pointing", "upper_bound"),
    "captions": ("perplexity", "Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4", "CIDEr"),
}


@dataclasses.dataclass(frozen=True)
class Row:
    """One row: its name, and the flags that make it."""

    name: str
    flags: tuple[str, ...]

    @property
    def directory(self):
        return re.sub(r"[^a-z0-9]+", "_", self.name.lower()).strip("_")


def define_flags():
    """Defines the program's flags."""
    flags.DEFINE_string("rows", None, "File of rows, `NAME | FLAGS` a line.")
    flags.DEFINE_string("data_dir", None, "Directory of records.")
    flags.DEFINE_string("model_dir", None, "Directory of the rows' model directories.")


def main(more_flags):
    values = flags.FLAGS
    others = [argument for argument in more_flags if not argument.startswith("-")]
    if others:
        raise VsaTfError(f"Expected only flags. Received: {' '.join(others)}")
    check_given(
        values,
        rows="a file of rows, NAME | FLAGS a line",
        data_dir="records written by tfrecords_tools.write",
        model_dir="where the rows' model directories are written",
    )
    rows = read_rows(values.rows)
    model_dir = pathlib.Path(values.model_dir)
    runs = [_Run(row, values.data_dir, model_dir / row.directory, more_flags) for row in rows]
    table = []
    for number, (row, run) in enumerate(zip(rows, runs), 1):
        program.print_note(f"row {number} of {len(rows)}: {row.name}")
        metrics = run.metrics()
        table.append({"name": row.name, "flags": list(row.flags), "metrics": metrics})
        write_json(model_dir / "table.json", table)
    print(table_text(table))


def read_rows(path):
    """Returns the `Row`s of a file. Raises VsaTfError for a line that is none."""
    try:
        lines = list(read_lines(program.flagfile_path(path)))
    except OSError as error:
        raise VsaTfError(f"--rows={path}: {error.strerror}") from error
    rows = []
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        name, bar, arguments = text.partition("|")
        if not bar or not name.strip():
            raise VsaTfError(
                f"Expected `NAME | FLAGS` in line {number} of {path}. Received: {text!r}"
            )
        try:
            rows.append(Row(name.strip(), tuple(shlex.split(arguments))))
        except ValueError as error:
            raise VsaTfError(f"line {number} of {path}: {error}: {text!r}") from None
    if not rows:
        raise VsaTfError(f"Expected rows, `NAME | FLAGS` a line. Received: {path}, which has none")
    names = {}
    for row in rows:
        if row.directory in names:
            raise VsaTfError(
                f"Expected rows of different names in {path}, each trained in its own directory. "
                f"Received: {names[row.directory]!r} and {row.name!r}, both of {row.directory!r}"
            )
        names[row.directory] = row.name
    return rows


class _Run:
    """The training of a row. Raises VsaTfError for flags that `vsa_tf.train` would refuse."""

    def __init__(self, row, data_dir, model_dir, more_flags):
        self._name = row.name
        self._model_dir = model_dir
        self._flags = (*row.flags, f"--data_dir={data_dir}", f"--model_dir={model_dir}")
        self._flags += tuple(more_flags)
        source = f"row {row.name!r}"
        self._settings = settings_from_arguments(self._flags, source)
        with named(source):
            # Not what is named: a row may be made of what one before it has left.
            self._settings.model.check(self._settings.data)

    def metrics(self):
        """Trains and evaluates unless that is done. Returns what `metrics.json` holds."""
        path = self._model_dir / "metrics.json"
        if not (path.is_file() and self._began_as_now()):
            # Where the directory holds another run, this refuses it and says what differs.
            command = [sys.executable, "-m", "vsa_tf.train", *self._flags]
            if subprocess.run(command, check=False).returncode:
                raise VsaTfError(f"row {self._name!r} failed: {shlex.join(command[1:])}")
        return read_sealed(path)["metrics"]

    def _began_as_now(self):
        """Whether the directory is of these settings and records."""
        differing = self._settings.differing(Settings.load(self._model_dir))
        if any(not is_path(field.name) for field, _, _ in differing):
            return False
        data, training = self._settings.data, self._settings.training
        stored = Settings.load_inputs(self._model_dir).get("records")
        # Records that are gone, or of before they had checksums, are not known to differ.
        if stored is None or not pathlib.Path(data.data_dir).is_dir():
            return True
        return stored == DatasetInfo.load(data.data_dir).fingerprint(training.train_split)


def table_text(table):
    """Returns the table as text, a line a row.

    Args:
        table: list of dicts of `name` and `metrics`.
    """
    width = max(len(row["name"]) for row in table)
    kinds = [kind for kind in _COLUMNS if any(kind in row["metrics"] for row in table)]
    columns = [(kind, name) for kind in kinds for name in _COLUMNS[kind]]
    groups = "".join(f"{kind:>{9 * len(_COLUMNS[kind])}}" for kind in kinds)
    lines = [" " * width + groups, " " * width + "".join(f"{name:>9.8}" for _, name in columns)]
    for row in table:
        cells = (_cell(row["metrics"].get(kind, {}).get(name)) for kind, name in columns)
        lines.append(f"{row['name']:{width}}" + "".join(f"{cell:>9}" for cell in cells))
    return "\n".join(lines)


def _cell(value):
    if value is None:
        return "-"
    return f"{value:.1f}" if value >= 1.5 else f"{value:.3f}"


if __name__ == "__main__":
    define_flags()
    program.run(main, __doc__, positional="TRAIN FLAGS")
