"""The server of the demo page that its tests share; a plugin of pytest."""

import functools

import pytest

from tests.demo.small_demo_models import write_alignment_model, write_caption_model
from tests.demo.small_index import write_small_index
from tests.server.running_server import LIMITS
from vsa_tf.demo.demo_application import DemoApplication
from vsa_tf.server.model_config import ModelConfig
from vsa_tf.server.model_server import ModelServer


@pytest.fixture(scope="session")
def demo_models(tmp_path_factory):
    """Directories of small models, a dict of name to the path above the versions."""
    folder = tmp_path_factory.mktemp("demo_models")
    write_alignment_model(folder / "alignment" / "1")
    write_caption_model(folder / "captions" / "2")
    return {name: folder / name for name in ("alignment", "captions")}


@pytest.fixture(scope="module")
def demo_server(demo_models, tmp_path_factory):
    """Serves small models, and an index of three photographs."""
    configs = [ModelConfig(name, str(path)) for name, path in demo_models.items()]
    index_dir = write_small_index(tmp_path_factory.mktemp("demo_index"))
    pages = functools.partial(DemoApplication, index_dir=str(index_dir))
    with ModelServer(configs, LIMITS, settle_seconds=0, pages=pages) as server:
        yield server
