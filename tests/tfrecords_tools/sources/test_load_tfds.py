import logging
import sys

import pytest

from tfrecords_tools.sources.load_tfds import load_tfds


def test_missing_package_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(ValueError, match=r'needs tensorflow-datasets.* "vsa_tf\[tfds\]"'):
        load_tfds()


def test_warnings_of_its_own_names_are_not_shown(caplog):
    pytest.importorskip("tensorflow_datasets", reason="tensorflow-datasets is an extra")
    load_tfds()
    logger = logging.getLogger("absl")
    logger.warning("`FeatureConnector.dtype` is deprecated. Please change your code.")
    logger.warning("Something else.")
    assert [record.getMessage() for record in caplog.records] == ["Something else."]
