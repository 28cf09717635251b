import types

import pytest

from tfrecords_tools.exporting.image_folder import ImageFolder


def add(folder, filename, data=b"x"):
    return folder.add(types.SimpleNamespace(filename=filename, encoded_image=data))


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        ("dog.jpg", "dog.jpg"),
        ("dog.JPEG", "dog.JPEG"),
        ("dog", "dog.jpg"),
        ("dog.png", "dog.jpg"),
        ("dog.v2.png", "dog.v2.jpg"),
        (".dog.jpg", "dog.jpg"),
        ("../dog.jpg", "_dog.jpg"),
        ("a\\b.jpg", "a_b.jpg"),
        ("a\nb\0.jpg", "a_b_.jpg"),
        (" a\u2028 b .jpg", "a b.jpg"),
        ("", "image.jpg"),
        ("..", "image.jpg"),
        ("犬.jpg", "犬.jpg"),
    ],
)
def test_files_have_safe_names_that_end_as_jpegs(tmp_path, filename, expected):
    assert add(ImageFolder(tmp_path / "images"), filename) == expected
    assert (tmp_path / "images" / expected).read_bytes() == b"x"


def test_long_names_are_cut_between_characters(tmp_path):
    # Three bytes each: 66 of them are the most of 200 bytes.
    assert add(ImageFolder(tmp_path), "犬" * 100 + ".jpg") == "犬" * 66 + ".jpg"


def test_no_image_replaces_another(tmp_path):
    folder = ImageFolder(tmp_path)
    names = [
        add(folder, name, bytes([index]))
        for index, name in enumerate(["a.jpg", "a-3.jpg", "a.jpg", "a.png", "b.jpg"])
    ]
    assert names == ["a.jpg", "a-3.jpg", "a-4.jpg", "a-5.jpg", "b.jpg"]
    assert [(tmp_path / name).read_bytes() for name in names] == [
        bytes([index]) for index in range(5)
    ]
