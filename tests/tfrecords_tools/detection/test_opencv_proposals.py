import sys
import types

import pytest

from tfrecords_tools.detection.load_opencv import load_opencv


def test_without_opencv_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ValueError, match=r'pip install "vsa_tf\[opencv\]"'):
        load_opencv()


def test_opencv_without_contrib_is_told_from_none(monkeypatch):
    # What is left where another package that fills the same folder was installed later.
    monkeypatch.setitem(sys.modules, "cv2", types.SimpleNamespace(__version__="5.0.0"))
    with pytest.raises(ValueError, match="OpenCV 5.0.0 without.*--force-reinstall"):
        load_opencv()
