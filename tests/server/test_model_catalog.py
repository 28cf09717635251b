import shutil
import time

import pytest

from vsa_tf.server.model_catalog import ModelCatalog
from vsa_tf.server.model_config import ModelConfig
from vsa_tf.server.model_versions import VersionFolder
from vsa_tf.server.request_limits import ServingError


@pytest.fixture
def catalog(tmp_path):
    configs = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        configs.append(ModelConfig(name, str(tmp_path / name)))
    catalog = ModelCatalog(configs, poll_seconds=0.02, settle_seconds=0)
    yield catalog
    catalog.stop()


def test_models_are_found_by_name(catalog, tmp_path, saved_models):
    shutil.copytree(saved_models[1], tmp_path / "first" / "4")
    catalog.start()
    assert catalog.find("first").version == 4
    assert catalog.find("first", version=4).name == "first"
    assert catalog.available() == {"first": [4], "second": []}
    for name, version in (("second", None), ("third", None), ("first", 5)):
        with pytest.raises(ServingError, match="NOT_FOUND: Servable not found"):
            catalog.find(name, version)
    with pytest.raises(ServingError, match="Could not find any versions of model third"):
        catalog.versions("third")


def test_a_disk_that_fails_for_a_while_ends_nothing(catalog, tmp_path, saved_models, monkeypatch):
    shutil.copytree(saved_models[1], tmp_path / "first" / "1")
    failures = [OSError("stale file handle")] * 3
    read = VersionFolder.read

    def fail_at_first(path):
        if failures:
            raise failures.pop()
        return read(path)

    monkeypatch.setattr(VersionFolder, "read", fail_at_first)
    catalog.start()
    assert catalog.available() == {"first": [], "second": []}
    deadline = time.monotonic() + 20
    while not catalog.available()["first"] and time.monotonic() < deadline:
        time.sleep(0.02)
    assert catalog.available() == {"first": [1], "second": []}
