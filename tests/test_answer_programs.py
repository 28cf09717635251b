"""The programs that answer, as a user types them, where importing TensorFlow would fail."""

import http.server
import json
import re
import threading

import numpy as np
import pytest
from PIL import Image

from tests.inference.given_model import ALIGN
from tests.without_tensorflow import run_without_tensorflow
from vsa_tf.models.model_table import MODELS
from vsa_tf.search_index.embedded import Embedded
from vsa_tf.search_index.index_directory import IndexManifest, IndexShard
from vsa_tf.settings import DataSettings, OptimizerSettings, Settings, TrainingSettings

PROGRAMS = ("align", "caption", "index", "localize", "search")
MODEL = ("--model_dir=alignment",)


@pytest.fixture
def run(tmp_path):
    """Runs a program in a directory with models and images, without a TensorFlow or Keras."""
    for name in ("alignment", "m_rnn"):
        (tmp_path / name).mkdir()
        settings = Settings(
            DataSettings(),
            OptimizerSettings(),
            TrainingSettings(model=name),
            MODELS[name].settings(),
        )
        (tmp_path / name / "config.json").write_text(settings.to_json({}))
    exported = tmp_path / "exported" / "1"
    exported.mkdir(parents=True)
    (exported / "saved_model.pb").write_bytes(b"")
    card = {
        "model": "m_rnn",
        "signatures": {"caption": {}},
        "answers": {"beam_size": 7, "num_captions": 5},
    }
    (exported / "model_card.json").write_text(json.dumps(card))
    (tmp_path / "asked" / "1").mkdir(parents=True)
    (tmp_path / "asked" / "1" / "saved_model.pb").write_bytes(b"")
    card["signatures"]["caption_with"] = {}
    card["answers"]["max_beam_size"] = 10
    (tmp_path / "asked" / "1" / "model_card.json").write_text(json.dumps(card))
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.jpg").write_text("no image")
    (tmp_path / "b.jpg").write_text("no image")
    (tmp_path / "boxes.json").write_text("[[0, 0, 2, 2]]")
    index = tmp_path / "indexed"
    index.mkdir()
    manifest = IndexManifest({"model_dir": str(tmp_path / "gone")}, "max_sum", "float16", {})
    manifest.save(index)
    vectors = Embedded("sentences", np.ones((1, 2), np.float16))
    IndexShard.write(index, {"sentence": ["a dog"]}, vectors)

    return lambda program, *arguments: run_without_tensorflow(
        f"vsa_tf.{program}", *arguments, directory=tmp_path
    )


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_answers_without_tensorflow(run, program):
    result = run(program, "--help")
    assert result.returncode == 0, result.stderr
    assert f"python -m vsa_tf.{program}" in result.stdout
    for flag in ("model_dir", "image_encoder", "detector", "saved_model", "server", "model_name"):
        assert re.search(rf"^  --{flag}: \S", result.stdout, re.MULTILINE), flag


@pytest.mark.parametrize(
    ("program", "arguments", "message"),
    [
        *((program, ["--no_such_flag=1"], "no_such_flag") for program in PROGRAMS),
        *(
            (program, [], f"--model_dir, --saved_model or --server is missing: .*; {rest}")
            for program, rest in {
                "align": "--image is missing: .*; --sentence is missing: ",
                "caption": "IMAGE is missing: ",
                "localize": "--image is missing: .*; --phrase is missing: ",
            }.items()
        ),
        (
            "align",
            [*MODEL, "--saved_model=exported", "--sentence=dog", "a.jpg"],
            "--model_dir and --saved",
        ),
        ("align", [*MODEL, "--image=a.jpg"], "--sentence is missing"),
        ("align", [*MODEL, "--sentence= "], "--sentence is missing"),
        ("align", [*MODEL, "--sentence=dog"], "--image is missing"),
        ("align", [*MODEL, "--output=p.png", "-"], "Received: lines of standard input"),
        ("localize", [*MODEL, "--phrase= ", "-"], "--phrase is missing"),
        ("align", [*MODEL, "--sentence=dog", "empty"], "empty holds no image files"),
        ("align", [*MODEL, "--sentence=dog", "--output=p.png", "a.jpg", "b.jpg"], "Received: 2"),
        ("align", [*MODEL, "--sentence=dog", "--output=nowhere/p.png", "a.jpg"], "no such dir"),
        ("align", ["--model_dir=m_rnn", "--sentence=dog", "a.jpg"], "that aligns.*m_rnn, which"),
        ("align", ["--saved_model=exported", "--sentence=dog", "a.jpg"], "answers caption alone"),
        ("align", ["--saved_model=empty", "--sentence=dog", "a.jpg"], "holds no SavedModel"),
        (
            "align",
            ["--saved_model=exported", "--sentence=dog", "--smoothness=0", "a.jpg"],
            "--smoothness goes with --model_dir",
        ),
        ("align", [*MODEL, "--sentence=dog", "--smoothness=-1", "a.jpg"], "smoothness"),
        ("localize", [*MODEL, "--image=a.jpg"], "--phrase is missing"),
        ("localize", [*MODEL, "--phrase=dog"], "--image is missing"),
        ("localize", [*MODEL, "--phrase=dog", "--boxes=boxes.json", "a.jpg"], "box 0 of --boxes"),
        ("localize", [*MODEL, "--phrase=dog", "--output=p.png", "a.jpg", "b.jpg"], "Received: 2"),
        (
            "localize",
            [*MODEL, "--phrase=dog", "--phrase=cat", "--output=p.png", "a.jpg"],
            "--output draws one --phrase. Received: 2",
        ),
        ("localize", [*MODEL, "--phrase=dog", "--output=nowhere/p.png", "a.jpg"], "no such dir"),
        (
            "localize",
            ["--saved_model=exported", "--phrase=dog", "--boxes=boxes.json", "a.jpg"],
            "--boxes goes with --model_dir",
        ),
        ("localize", ["--model_dir=m_rnn", "--phrase=dog", "a.jpg"], "that finds phrases"),
        ("caption", ["--model_dir=m_rnn"], "IMAGE is missing"),
        ("caption", ["--model_dir=m_rnn", "empty"], "empty holds no image files"),
        ("caption", [*MODEL, "a.jpg"], "that writes captions.*alignment"),
        ("caption", ["--model_dir=m_rnn", "--num_captions=9", "a.jpg"], "raise --beam_size"),
        ("caption", ["--saved_model=exported", "--sample", "a.jpg"], "--sample goes with"),
        # An export of an earlier release.
        ("caption", ["--saved_model=exported", "--prefix=a", "a.jpg"], "--prefix goes with"),
        ("caption", ["--saved_model=exported", "--beam_size=3", "a.jpg"], "--beam_size=7, with"),
        ("caption", ["--saved_model=exported", "--num_captions=6", "a.jpg"], "exported with 5"),
        ("caption", ["--saved_model=asked", "--sample", "a.jpg"], "--sample goes with"),
        ("caption", ["--saved_model=asked", "--beam_size=11", "a.jpg"], "at most 10, as"),
        ("caption", ["--saved_model=asked", "--num_captions=8", "a.jpg"], "which is 7"),
        ("caption", ["--server=h:1", "--model_name=m", "--max_words=7", "a.jpg"], "--max_words"),
        (
            "index",
            [],
            "--index_dir is missing: .*; --images, --sentences or --embeddings is missing",
        ),
        ("index", ["--index_dir=a.jpg", *MODEL, "--images=a.jpg"], "is a file"),
        ("index", ["--index_dir=new", *MODEL], "--images, --sentences or --embeddings is missing"),
        (
            "index",
            ["--index_dir=new", "--embeddings=empty", "--image_encoder=keras:MobileNetV2"],
            "--embeddings needs no model: leave out --image_encoder, or add --images",
        ),
        ("index", ["--index_dir=new", "--images=a.jpg"], "--server is missing"),
        ("index", ["--index_dir=new", *MODEL, "--images=empty"], "empty holds no image"),
        ("index", ["--index_dir=new", *MODEL, "empty"], "empty holds no image"),
        ("index", ["--index_dir=new", *MODEL, "--sentences=nowhere"], "--sentences=nowhere"),
        ("index", ["--index_dir=new", "--model_dir=m_rnn", "--images=a.jpg"], "that embeds"),
        ("index", ["--index_dir=new", "--approximate"], "holds no index yet"),
        (
            "index",
            ["--index_dir=indexed", *MODEL, "--images=a.jpg", "--dtype=float32"],
            "--dtype=float16, as indexed was made",
        ),
        ("search", ["--query=dog"], "--index_dir is missing"),
        ("search", [], "--index_dir is missing: .*; --query is missing"),
        ("search", ["--index_dir=indexed"], "--query is missing"),
        ("search", ["--index_dir=empty", "--query=dog"], "holds no index"),
        ("search", ["--index_dir=indexed", "--query=dog", "--top_k=0"], "top_k"),
        ("search", ["--index_dir=indexed", "--query=dog", "--target=images"], "sentences alone"),
        ("search", ["--index_dir=indexed", "--query=a.jpg"], "--query=a.jpg is a file, but not"),
        ("search", ["--index_dir=indexed", "--query=dog"], "gone, which is not there: name the"),
        ("search", ["--index_dir=indexed", "--query=dog", "--model_dir=m_rnn"], "that embeds"),
        ("search", ["--index_dir=indexed", "data", "--query=dog"], "Received: data"),
    ],
)
def test_wrong_flags_are_one_line_before_tensorflow(run, program, arguments, message):
    result = run(program, *arguments)
    assert result.returncode == 1, result.stderr
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert re.search(message, line)


def test_a_damaged_index_is_one_line(run, tmp_path):
    (tmp_path / "indexed" / "index.json").write_text('{"format": 1')
    result = run("search", "--index_dir=indexed", "--query=dog")
    assert result.returncode == 1
    assert "index.json is no index that can be read" in result.stderr
    (tmp_path / "indexed" / "index.json").write_text('{"format": 2}')
    result = run("search", "--index_dir=indexed", "--query=dog")
    assert "its format is 2, and this program's is 1" in result.stderr


# Of one row each, by signature; a photograph and a sentence at right angles.
SERVED = {
    "align": ALIGN,
    "localize": {
        "boxes": np.float32([[[0, 0, 1, 1]]]),
        "scores": np.float32([[2]]),
        "num_boxes": np.int32([1]),
    },
    "caption": {
        "captions": np.array([["a dog"]], object),
        "log_prob": np.float32([[-1]]),
        "tokens": np.array([[["a", "dog"]]], object),
        "token_log_probs": np.float32([[[-0.5, -0.25, -0.25]]]),
    },
    "embed_image": {"embedding": np.float32([[1, 0]])},
    "embed_sentence": {"embedding": np.float32([[0, 1]])},
    "score": {"score": np.float32([-((2 + 1e-4) ** 0.5)])},
}
DTYPES = {"float32": "DT_FLOAT", "int32": "DT_INT32", "object": "DT_STRING"}


class _Served(http.server.BaseHTTPRequestHandler):
    """TensorFlow Serving's REST interface for `SERVED`."""

    def do_GET(self):
        signatures = {
            name: {
                "inputs": {},
                "outputs": {
                    key: {"dtype": DTYPES[value.dtype.name]} for key, value in answer.items()
                },
            }
            for name, answer in SERVED.items()
        }
        self._answer({"metadata": {"signature_def": {"signature_def": signatures}}})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        num_rows = len(next(iter(asked["inputs"].values())))
        answer = SERVED[asked["signature_name"]]
        outputs = {key: value.tolist() * num_rows for key, value in answer.items()}
        (first, *others) = outputs.values()
        self._answer({"outputs": outputs if others else first})

    def _answer(self, content):
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def served():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Served) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"--server=127.0.0.1:{server.server_port}", "--model_name=served"
        server.shutdown()


def test_what_a_server_answers_needs_neither_tensorflow_nor_keras(run, served, tmp_path):
    Image.new("RGB", (16, 16)).save(tmp_path / "good.png")
    for program, *arguments in (
        ("align", "good.png", "--sentence=a red dog", "--output=picture.png"),
        ("localize", "good.png", "--phrase=a dog"),
        ("caption", "good.png", "--num_captions=1"),
        ("index", "--index_dir=of_server", "--images=good.png"),
        ("search", "--index_dir=of_server", "--query=a dog"),
        ("search", "--index_dir=of_server", "--query=good.png"),
    ):
        result = run(program, *served, *arguments)
        assert result.returncode == 0, f"{program}: {result.stderr}"
    assert json.loads(result.stdout)["path"] == str(tmp_path / "good.png")
