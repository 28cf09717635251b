from vsa_tf.answers.image_files import image_files


def test_a_directory_is_the_images_below_it_by_name(tmp_path):
    for name in ("b.JPG", "a.png", "notes.txt", ".hidden.jpg", "c/d.webp", ".git/e.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    expected = [str(tmp_path / name) for name in ("a.png", "b.JPG", "c/d.webp")]
    assert image_files([tmp_path]) == expected


def test_files_are_taken_as_they_are_and_once(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    odd, first = str(tmp_path / "photo.raw"), str(tmp_path / "a.png")
    assert image_files([odd, str(tmp_path), first, odd]) == [odd, first]
