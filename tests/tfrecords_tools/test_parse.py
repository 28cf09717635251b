import functools
import re
import subprocess
import sys

import pytest
from program_runs import run_program

from tfrecords_tools import parse
from tfrecords_tools.conllu import ConlluFile
from vsa_tf.errors import VsaTfError

run = functools.partial(run_program, parse)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--output=x"], "--dataset is missing"),
        (["--dataset=shape_scenes"], "--output is missing"),
        (["--dataset=csv", "--output=x", "--images=/"], "Expected --captions"),
        (["--dataset=csv", "--output=x", "--images=/absent", "--captions=/"], "/absent does not"),
        (["--dataset=shape_scenes", "--output=x", "--images=/"], "Expected no --images"),
        (["--dataset=shape_scenes", "--output=/absent/x"], "Expected --output of a file"),
        (["--dataset=shape_scenes", "--output=/"], "Expected --output of a file"),
        (["--dataset=shape_scenes", "--output=x", "--num_workers=0"], "--num_workers of at least"),
    ],
)
def test_wrong_flags_are_one_clear_error(arguments, message):
    with pytest.raises(VsaTfError, check=lambda error: re.search(message, error.of_flags)):
        run(*arguments)


def test_without_spacy_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(VsaTfError, match=r"pip install \"vsa_tf\[spacy\]\""):
        run("--dataset=shape_scenes", f"--output={tmp_path / 'x'}")


def test_help_imports_neither_tensorflow_nor_spacy():
    code = (
        "import sys; sys.argv = ['parse', '--help']\n"
        "from tfrecords_tools import parse; from vsa_tf.program import run\n"
        "parse.define_flags()\n"
        "try: run(parse.main, parse.__doc__)\n"
        "except SystemExit as end: assert not end.code\n"
        "assert not {'tensorflow', 'spacy'} & set(sys.modules)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "--pipeline" in result.stdout


class TestWithSpacy:
    @pytest.fixture(autouse=True)
    def _spacy(self):
        pytest.importorskip("spacy", reason="spaCy is an extra")

    @pytest.fixture
    def pipeline(self, tmp_path):
        from given_pipeline import chain_pipeline

        chain_pipeline().to_disk(tmp_path / "pipeline")
        return tmp_path / "pipeline"

    @pytest.fixture
    def source(self, tmp_path):
        (tmp_path / "images").mkdir()
        for name in "ab":
            (tmp_path / "images" / f"{name}.jpg").write_bytes(b"not looked into")
        rows = "path,caption,split\na.jpg,Dogs run,train\na.jpg,Two dogs,train\nb.jpg,Cats,dev\n"
        (tmp_path / "captions.csv").write_text(rows, encoding="utf-8")
        return [
            "--dataset=csv",
            f"--images={tmp_path / 'images'}",
            f"--captions={tmp_path / 'captions.csv'}",
        ]

    def test_captions_of_a_data_set_are_parsed_once(self, tmp_path, pipeline, source, capsys):
        output = tmp_path / "out.conllu"
        arguments = [*source, f"--pipeline={pipeline}", f"--output={output}", "--num_workers=1"]
        run(*arguments)
        assert "3 captions parsed in" in capsys.readouterr().out
        found = sorted((parsed.caption_index, parsed.relations) for parsed in ConlluFile(output))
        assert found == [(0, ()), (0, (("dep", "Dogs", "run"),)), (1, (("dep", "Two", "dogs"),))]
        assert output.read_text(encoding="utf-8").startswith("# generator = spaCy ")
        run(*arguments)
        assert "nothing left to do" in capsys.readouterr().out

    def test_captions_have_the_numbers_of_the_data_set(self, tmp_path, pipeline, source):
        rows = (f"a.jpg,{caption},train\n" for caption in ("", "Dogs run", "!", "Two dogs"))
        (tmp_path / "captions.csv").write_text("".join(rows), encoding="utf-8")
        output = tmp_path / "out.conllu"
        run(*source, f"--pipeline={pipeline}", f"--output={output}", "--num_workers=1")
        found = [(parsed.caption_index, parsed.tokens) for parsed in ConlluFile(output)]
        assert found == [(1, ("Dogs", "run")), (3, ("Two", "dogs"))]

    def test_splits_are_chosen(self, tmp_path, pipeline, source):
        output = tmp_path / "out.conllu"
        arguments = [*source, f"--pipeline={pipeline}", f"--output={output}", "--num_workers=1"]
        run(*arguments, "--splits=dev")
        assert [parsed.relations for parsed in ConlluFile(output)] == [()]
        with pytest.raises(VsaTfError, match="Expected splits among .*Received: night"):
            run(*arguments, "--splits=night")

    def test_a_pipeline_that_is_not_there_is_named(self, tmp_path, source):
        with pytest.raises(VsaTfError, match="python -m spacy download xx_absent"):
            run(*source, "--pipeline=xx_absent", f"--output={tmp_path / 'x'}")
