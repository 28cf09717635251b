"""The program, as a user starts and stops it."""

import http.client
import json
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from tests.server.small_saved_models import write_small_model
from tests.without_tensorflow import refusal, run_without_tensorflow

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture
def refused(tmp_path):
    """Runs the program with a TensorFlow that cannot be imported, and returns its one line."""
    return lambda *arguments: refusal(
        run_without_tensorflow("vsa_tf.serve", *arguments, directory=tmp_path)
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--model_name is missing.*--model_config_file.*; --model_base_path is missing"),
        (["--model_name=m"], "error: --model_base_path is missing"),
        (["--model_base_path=."], "error: --model_name is missing"),
        (["--model_name=m", "--model_base_path=nowhere"], "base path of m, nowhere, is not a dir"),
        (["--model_name=a/b", "--model_base_path=."], "name='a/b'"),
        (["--model_config_file=f", "--model_name=m"], "exclude each other"),
        (["--model_config_file=nowhere"], "nowhere"),
        (["--model_name=m", "--model_base_path=.", "--port=8501"], "are both 8501"),
        (["--model_name=m", "--model_base_path=.", "--rest_port=70000"], "rest_port"),
        (["--model_name=m", "--model_base_path=.", "--max_batch_size=0"], "max_batch_size"),
    ],
)
def test_wrong_flags_are_refused_before_tensorflow(refused, arguments, message):
    assert re.search(message, refused(*arguments))


def test_a_broken_model_config_is_refused_before_tensorflow(refused, tmp_path):
    (tmp_path / "models.config").write_text("model_config_list { config { nam: 'a' } }")
    assert "readable model config" in refused("--model_config_file=models.config")


def test_a_version_folder_is_told_from_its_parent(refused, tmp_path):
    (tmp_path / "export" / "1").mkdir(parents=True)
    (tmp_path / "export" / "1" / "saved_model.pb").touch()
    line = refused("--model_name=m", "--model_base_path=export/1")
    assert "is a SavedModel itself" in line and line.endswith(str(tmp_path / "export"))


def test_a_model_directory_is_to_be_exported(refused, tmp_path):
    (tmp_path / "config.json").touch()
    assert "export it by vsa_tf.export" in refused("--model_name=m", "--model_base_path=.")


@pytest.fixture
def start():
    processes = []

    def start(*arguments):
        processes.append(
            subprocess.Popen(
                [sys.executable, "-m", "vsa_tf.serve", *arguments],
                cwd=ROOT,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_several_models_are_served_until_sigterm(start, tmp_path):
    for name, factor in (("two", 2), ("three", 3)):
        write_small_model(tmp_path / name / "1", factor)
    (tmp_path / "models.config").write_text(
        "model_config_list {"
        + "".join(
            f'config {{ name: "{name}" base_path: "{tmp_path / name}" '
            'model_platform: "tensorflow" }'
            for name in ("two", "three")
        )
        + "}"
    )
    process = start(
        f"--model_config_file={tmp_path / 'models.config'}",
        "--rest_port=0",
        "--port=0",
        "--settle_seconds=0",
    )
    said = []
    for line in process.stderr:
        said.append(line)
        match = re.search(r"REST at port (\d+)", line)
        if match:
            break
    # What takes seconds is told before it begins.
    assert "loading TensorFlow" in said[0]
    loading = [line for line in said if re.search("model (two|three): loading version 1 of", line)]
    assert len(loading) == 2
    assert [line for line in said if "MLIR" in line or "absl" in line] == []
    address = f"http://127.0.0.1:{match[1]}/v1/models"
    body = json.dumps({"instances": [{"sentences": "a", "x": [1, 2, 3]}]}).encode()
    for name, factor in (("two", 2), ("three", 3)):
        with urllib.request.urlopen(f"{address}/{name}:predict", body, timeout=30) as response:
            answer = json.load(response)
        assert answer["predictions"][0]["multiple"] == [factor, 2 * factor, 3 * factor]
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{address}/four:predict", body, timeout=30)
    # A computation of an hour does not keep the process.
    busy = json.dumps({"signature_name": "busy", "inputs": 10**8}).encode()
    connection = http.client.HTTPConnection("127.0.0.1", int(match[1]), timeout=30)
    connection.request("POST", "/v1/models/two:predict", busy)
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    started = time.monotonic()
    assert process.wait(30) == 0
    assert time.monotonic() - started < 7
    connection.close()
    assert "Traceback" not in process.stderr.read()


@pytest.mark.parametrize(("flag", "other"), [("port", "rest_port"), ("rest_port", "port")])
def test_a_port_in_use_is_refused_before_tensorflow(refused, flag, other):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refused("--model_name=m", "--model_base_path=.", f"--{flag}={port}", f"--{other}=0")
    assert f"cannot listen on 127.0.0.1:{port}" in line and f"another --{flag}" in line


def test_a_host_of_another_machine_is_refused(refused):
    assert "192.0.2.1" in refused("--model_name=m", "--model_base_path=.", "--host=192.0.2.1")
