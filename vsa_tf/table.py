"""Trains every row of a table and prints it beside its file.

    python -m vsa_tf.table --rows=flags/tables/two_branch_1.rows --data_dir=DIR --model_dir=DIR

A line of a rows file is `NAME | FLAGS`: the flags of one `vsa_tf.train`; `#` starts a comment. Each
row is trained and evaluated in its own directory of `model_dir`; a row that is done is not done
again, and one that was interrupted goes on. Flags after `--` are given to every row. The table is
printed, and kept as `model_dir/table.json`.
"""

import dataclasses
import pathlib
import re
import shlex
import subprocess
import sys

from absl import flags

from vsa_tf import program
from vsa_tf.errors import VsaTfError, check_given
from vsa_tf.file_reading import read_lines
from vsa_tf.files import read_sealed, write_json

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
    table = []
    for number, row in enumerate(rows, 1):
        program.print_note(f"row {number} of {len(rows)}: {row.name}")
        metrics = _train(row, values.data_dir, model_dir / row.directory, more_flags)
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
    if len({row.directory for row in rows}) != len(rows) or not rows:
        raise VsaTfError(f"Expected rows of different names in {path}. See --help")
    return rows


def _train(row, data_dir, model_dir, more_flags):
    """Trains a row unless that is done. Returns its metrics."""
    path = model_dir / "metrics.json"
    if not path.is_file():
        command = [
            sys.executable,
            "-m",
            "vsa_tf.train",
            *row.flags,
            f"--data_dir={data_dir}",
            f"--model_dir={model_dir}",
            *more_flags,
        ]
        if subprocess.run(command, check=False).returncode:
            raise VsaTfError(f"row {row.name!r} failed: {shlex.join(command[1:])}")
    return read_sealed(path)["metrics"]


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
