"""Notebooks without Jupyter: their code is run as it would, and their outputs are written anew.

python -m tests.notebooks docs/tour.ipynb
"""

import ast
import base64
import contextlib
import io
import json
import linecache
import os
import pathlib
import pprint
import sys
import tempfile
import zlib

from PIL import Image

# Of kept pictures: few enough for a small file, and more than boxes and letters need.
_COLORS = 128


def read_cells(path):
    """Returns the sources of a notebook's cells, a list of `(cell_type, source)`."""
    notebook = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    return [(cell["cell_type"], "".join(cell["source"])) for cell in notebook["cells"]]


def run_cell(source, namespace):
    """Runs one cell.

    Args:
        source: its code.
        namespace: dict, that of the cells before, which it changes.

    Returns:
        What it printed, str, and the value of its last line; None where that is no expression.
    """
    tree = ast.parse(source)
    # As Jupyter does: TensorFlow reads the source of functions, and tracebacks show it.
    name = f"<cell {zlib.crc32(source.encode())}>"
    linecache.cache[name] = len(source), None, source.splitlines(keepends=True), name
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed, value = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, name, "exec"), namespace)
        if last:
            value = eval(compile(ast.Expression(last.value), name, "eval"), namespace)
    return printed.getvalue(), value


def write_outputs(path):
    """Runs a notebook in a temporary directory and keeps in its file what came out."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    before, namespace, count = os.getcwd(), {}, 0
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                count += 1
                outputs = _outputs(*run_cell("".join(cell["source"]), namespace), count)
                cell |= {"execution_count": count, "outputs": outputs}
        os.chdir(before)
    content = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True)
    path.write_text(f"{content}\n", encoding="utf-8")


def _outputs(printed, value, count):
    outputs = []
    if printed:
        lines = printed.splitlines(keepends=True)
        outputs.append({"name": "stdout", "output_type": "stream", "text": lines})
    if value is not None:
        result = {"execution_count": count, "metadata": {}, "output_type": "execute_result"}
        outputs.append({**result, "data": _data(value)})
    return outputs


def _data(value):
    if isinstance(value, Image.Image):
        file = io.BytesIO()
        value.quantize(_COLORS).save(file, "PNG", optimize=True)
        png = base64.b64encode(file.getvalue()).decode("ascii")
        return {"image/png": png, "text/plain": [f"{value.width} x {value.height} pixels"]}
    return {"text/plain": pprint.pformat(value, sort_dicts=False).splitlines(keepends=True)}


if __name__ == "__main__":
    write_outputs(pathlib.Path(sys.argv[1]).absolute())
