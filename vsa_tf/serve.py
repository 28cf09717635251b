"""Serves exported models over TensorFlow Serving's REST and gRPC interfaces.

    python -m vsa_tf.serve --model_name=NAME --model_base_path=DIR [--rest_port=8501 --port=8500]
    python -m vsa_tf.serve --model_config_file=FILE

For development: one process, no batching of requests of several clients. DIR holds a SavedModel in
a folder for each version, DIR/1, DIR/2, ...; the newest is served, and a newer one once it has been
copied there. `POST /v1/models/NAME:predict` answers, `GET /v1/models/NAME` and `.../metadata` tell
of the model, `GET /health` says whether every model answers. A browser finds a page at
http://localhost:8501/ where photographs and sentences are tried on the models; with --index_dir it
searches too. docs/serving.md has examples, and how TensorFlow Serving itself serves the same
directory. Ends at Ctrl-C or SIGTERM; running requests have five seconds.
"""

import functools
import importlib.util
import logging
import os
import pathlib
import socket

from absl import flags

from vsa_tf import program
from vsa_tf.errors import VsaTfError, check_given
from vsa_tf.server.model_config import ModelConfig
from vsa_tf.server.request_limits import RequestLimits

_LOGGER = logging.getLogger("vsa_tf.serve")  # its module is __main__
_PACKAGES = ("google.protobuf", "grpc", "tensorflow_serving.apis", "waitress", "werkzeug")


def define_flags():
    """Defines the program's flags."""
    flags.DEFINE_string("model_name", None, "The model's name in requests.")
    flags.DEFINE_string("model_base_path", None, "Directory of its version folders: 1, 2, ...")
    flags.DEFINE_string(
        "model_config_file",
        None,
        "Several models: TensorFlow Serving's text format, in the place of the two above.",
    )
    flags.DEFINE_string("host", "127.0.0.1", "Address to listen on; 0.0.0.0: all of the machine's.")
    flags.DEFINE_integer("rest_port", 8501, "Port of REST; 0: any free one.", 0, 65535)
    flags.DEFINE_integer("port", 8500, "Port of gRPC; 0: any free one.", 0, 65535)
    flags.DEFINE_integer(
        "num_threads", 0, "Requests computed at a time; 0: as many as processors.", lower_bound=0
    )
    flags.DEFINE_integer(
        "max_waiting",
        RequestLimits.max_waiting,
        "Requests that may wait for a thread; more are refused (503).",
        lower_bound=0,
    )
    flags.DEFINE_integer(
        "max_batch_size", RequestLimits.max_batch_size, "Rows of a request.", lower_bound=1
    )
    flags.DEFINE_integer(
        "max_body_megabytes", RequestLimits.max_body_bytes >> 20, "Size of a request.", 1, 1024
    )
    flags.DEFINE_integer(
        "max_text_bytes",
        RequestLimits.max_text_bytes,
        "Length of each text, which is every string of an input not named *_bytes.",
        lower_bound=1,
    )
    flags.DEFINE_integer(
        "max_values",
        RequestLimits.max_values,
        "Numbers, texts, lists and objects in a request.",
        lower_bound=1,
    )
    flags.DEFINE_float(
        "timeout_seconds",
        RequestLimits.timeout_seconds,
        "Longest time to an answer; a client that waits longer is told so (504).",
        0.001,
    )
    flags.DEFINE_float(
        "idle_seconds",
        RequestLimits.idle_seconds,
        "A connection that sends and takes nothing for so long is closed.",
        1.0,
    )
    flags.DEFINE_bool("demo", True, "Show the page.")
    flags.DEFINE_string(
        "index_dir",
        "",
        "The page searches this index, of vsa_tf.index; the model that made it is served too.",
    )
    flags.DEFINE_float("poll_seconds", 1.0, "Between two looks for new versions.", 0.01)
    flags.DEFINE_float(
        "settle_seconds", 2.0, "A version is loaded once nothing in it has changed for so long.", 0
    )


def main():
    values = flags.FLAGS
    _check_packages()
    # What it does is told as it does it; of the libraries only what goes wrong.
    logging.basicConfig(format="%(asctime)s %(message)s")
    logging.getLogger("vsa_tf").setLevel(logging.INFO)
    configs = _model_configs(values)
    for config in configs:
        _check_base_path(config)
    _check_index(values)
    _check_ports(values)
    limits = RequestLimits(
        num_threads=values.num_threads or len(os.sched_getaffinity(0)),
        max_waiting=values.max_waiting,
        max_batch_size=values.max_batch_size,
        max_body_bytes=values.max_body_megabytes << 20,
        max_text_bytes=values.max_text_bytes,
        max_values=values.max_values,
        timeout_seconds=values.timeout_seconds,
        idle_seconds=values.idle_seconds,
    )
    for config in configs:
        if not _has_version(config):
            folder = pathlib.Path(config.base_path, "1")
            _LOGGER.warning("model %s: waiting for a version folder, %s", config.name, folder)
    _LOGGER.info("loading TensorFlow")
    from vsa_tf.demo.demo_application import DemoApplication
    from vsa_tf.server.model_server import serve_models

    pages = functools.partial(DemoApplication, index_dir=values.index_dir) if values.demo else None
    serve_models(
        configs,
        limits,
        host=values.host,
        port=values.port,
        rest_port=values.rest_port,
        poll_seconds=values.poll_seconds,
        settle_seconds=values.settle_seconds,
        pages=pages,
    )


def _check_packages():
    for package in _PACKAGES:
        try:
            found = importlib.util.find_spec(package)
        except ModuleNotFoundError:
            found = None
        if found is None:
            raise VsaTfError(f"{package} is not installed: pip install 'vsa_tf[serve]' brings it")


def _check_base_path(config):
    path = pathlib.Path(config.base_path)
    if not path.is_dir():
        raise VsaTfError(f"the base path of {config.name}, {path}, is not a directory")
    if (path / "saved_model.pb").is_file():
        raise VsaTfError(
            f"the base path of {config.name}, {path}, is a SavedModel itself. Give the directory "
            f"of its version folders: {path.resolve().parent}"
        )
    if not _has_version(config) and (path / "config.json").is_file():
        raise VsaTfError(
            f"the base path of {config.name}, {path}, is a model directory: export it by "
            "vsa_tf.export, and give the directory of the export"
        )


def _has_version(config):
    from vsa_tf.server.model_config import is_version

    return any(is_version(folder.name) for folder in pathlib.Path(config.base_path).iterdir())


def _check_index(values):
    if not values.index_dir:
        return
    if not values.demo:
        raise VsaTfError("--index_dir is searched by the page: leave out --nodemo")
    from vsa_tf.search_index.index_directory import IndexManifest, IndexShard

    if IndexManifest.load(values.index_dir) is None:
        raise VsaTfError(f"--index_dir={values.index_dir} holds no index: vsa_tf.index makes one")
    if not IndexShard.find(values.index_dir, "images"):
        raise VsaTfError(f"--index_dir={values.index_dir} holds no photographs")


def _check_ports(values):
    if values.port and values.port == values.rest_port:
        raise VsaTfError(f"--port and --rest_port are both {values.port}")
    for name in ("port", "rest_port"):
        port = values[name].value
        try:
            socket.create_server((values.host, port)).close()
        except OSError as error:
            raise VsaTfError(
                f"cannot listen on {values.host}:{port}: {error.strerror}. Choose another --{name} "
                "or --host"
            ) from error


def _model_configs(values):
    single = [name for name in ("model_name", "model_base_path") if values[name].value]
    if values.model_config_file and single:
        raise VsaTfError(f"--model_config_file and --{single[0]} exclude each other")
    if not values.model_config_file:
        check_given(
            values,
            model_name="the model's name in requests (several models: --model_config_file)",
            model_base_path="the directory of its version folders",
        )
    from vsa_tf.server.model_config import read_model_config_file

    try:
        if values.model_config_file:
            return read_model_config_file(values.model_config_file)
        return [ModelConfig(values.model_name, values.model_base_path)]
    except ValueError as error:
        raise VsaTfError.of(error) from error


if __name__ == "__main__":
    define_flags()
    program.run(main, __doc__)
