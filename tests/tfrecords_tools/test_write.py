import functools
import json
import os
import re
import subprocess
import sys

import pytest
from mini_flickr8k import files, jpeg, write_zips
from program_runs import run_program
from source_samples import SAMPLES

from tfrecords_tools import write
from vsa_tf.errors import VsaTfError

run = functools.partial(run_program, write)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--output_dir=x"], "--dataset is missing"),
        (["--dataset=shape_scenes"], "--output_dir is missing"),
        (["--dataset=imagenet", "--output_dir=x"], "Expected --dataset of flickr8k, .*tfds:NAME"),
        (["--dataset=tfds:coco_captions", "--output_dir=x", "--captions=/"], "no --captions"),
        (["--dataset=tfds:coco_captions", "--output_dir=x", "--images=/absent"], "does not exist"),
        (["--dataset=csv", "--output_dir=x", "--images=/"], "Expected --captions"),
        (
            ["--dataset=csv", "--output_dir=x", "--images=/absent", "--captions=/"],
            "/absent does not exist",
        ),
        (
            ["--dataset=precomp", "--output_dir=x", "--captions=/", "--captions=/tmp"],
            "--captions once for --dataset=precomp. Received: /, /tmp",
        ),
        (
            ["--dataset=csv", "--output_dir=x", "--images=/", "--captions=/", "--captions=/absent"],
            "--captions=/absent does not exist",
        ),
        (
            ["--dataset=csv", "--output_dir=x", "--images=/", "--captions=/", "--holdout=1"],
            "--holdout=DEV,TEST, two shares.* Received: 1$",
        ),
        (
            ["--dataset=shape_scenes", "--output_dir=x", "--holdout=0.1,0.1"],
            "no --holdout for --dataset=shape_scenes",
        ),
        (["--dataset=shape_scenes", "--output_dir=x", "--images=/"], "Expected no --images"),
        (["--dataset=shape_scenes", "--output_dir=/dev/null"], "not a directory"),
        (
            ["--dataset=shape_scenes", "--output_dir=x", "--beam_options=--runner=DirectRunner"],
            "no --beam_options with --runner=local",
        ),
        (
            ["--dataset=shape_scenes", "--output_dir=x", "--runner=beam", "--num_workers=2"],
            "no --num_workers with --runner=beam.*--direct_num_workers=2",
        ),
        (["--dataset=shape_scenes", "--output_dir=x", "--num_workers=-1"], "--num_workers"),
        (["--dataset=shape_scenes", "--output_dir=x", "--num_regions=0"], "--num_regions"),
        (["--dataset=shape_scenes", "--output_dir=x", "--nms_threshold=nan"], "--nms_threshold"),
        (["--dataset=shape_scenes", "--output_dir=x", "--nostore_images"], "--store_images=true"),
        (["--dataset=shape_scenes", "--output_dir=x", "--num_examples=5"], "TRAIN,DEV,TEST"),
        (["--dataset=shape_scenes", "--output_dir=x", "--num_examples=5,a,5"], "TRAIN,DEV,TEST"),
        (["--dataset=shape_scenes", "--output_dir=x", "--detector=/absent"], "no saved_model.pb"),
        (["--dataset=shape_scenes", "--output_dir=x", "--detector=proposals:/absent"], "no file"),
        (["--dataset=shape_scenes", "--output_dir=x", "--detector=gird"], "Did you mean grid.$"),
        (["--dataset=shape_scenes", "--output_dir=x", "--detector=shapes,gird"], "Did you mean gr"),
        (["--dataset=shape_scenes", "--output_dir=x", "--image_encoder=x"], "no saved_model.pb"),
        (["--dataset=shape_scenes", "--output_dir=x", "--image_encoder=proposals:x"], "no saved_"),
        (["--dataset=shape_scenes", "--output_dir=x", "--object_features"], "--image_encoder"),
        (
            ["--dataset=shape_scenes", "--output_dir=x", "--encoder_input=imagenet"],
            "Received: --encoder_input=imagenet with --image_encoder=pixels",
        ),
        (
            [
                "--dataset=shape_scenes",
                "--output_dir=x",
                "--encoder_input=0..1",
                "--image_encoder=keras:VGG16",
            ],
            "keras:NAME brings what its network expects",
        ),
        (
            ["--dataset=shape_scenes", "--output_dir=x", "--image_encoder=keras_hub:/absent"],
            "^--image_encoder: Expected keras_hub.*: keras_hub:/absent, which is no directory",
        ),
        (
            ["--dataset=shape_scenes", "--output_dir=x", "--detector=kaggle:a/b"],
            "^--detector: Expected kaggle:OWNER/MODEL/FRAMEWORK/VARIATION.* Received: kaggle:a/b",
        ),
        (
            # Before it is downloaded.
            [
                "--dataset=shape_scenes",
                "--output_dir=x",
                "--detector=keras_hub:absent_coco",
                "--image_encoder=detector",
            ],
            "Expected --image_encoder=detector with --detector of a SavedModel",
        ),
        (["--dataset=shape_scenes", "--output_dir=x", "--num_crops=5"], "--num_crops of 1 or 10"),
        (
            ["--dataset=shape_scenes", "--output_dir=x", "--num_crops=10"],
            "--num_crops=10 with an --image_encoder of a network",
        ),
        (
            [
                "--dataset=shape_scenes",
                "--output_dir=x",
                "--num_crops=10",
                "--image_encoder=keras:VGG16",
                "--region_features=pool",
            ],
            "--region_features=crop or both. Received: .*--region_features=pool",
        ),
        (["--dataset=precomp", "--output_dir=x"], "--captions.*f30k_precomp"),
        (["--dataset=precomp", "--output_dir=x", "--captions=/", "--images=/"], "no --images"),
        (
            ["--dataset=precomp", "--output_dir=x", "--captions=/", "--num_regions=37"],
            "no --num_regions for --dataset=precomp",
        ),
        (
            ["--dataset=neuraltalk", "--output_dir=x", "--captions=/", "--detector=grid"],
            "no --detector for --dataset=neuraltalk",
        ),
        (
            [
                "--dataset=coco",
                "--output_dir=x",
                "--images=/",
                "--captions=/",
                "--restval_in_train",
            ],
            "no --restval_in_train for --dataset=coco",
        ),
        (["--dataset=shape_scenes", "--output_dir=x", "--detector=given"], "there is no network"),
        (
            [
                "--dataset=shape_scenes",
                "--output_dir=x",
                "--detector=given",
                "--image_encoder=given",
                "--nostore_images",
            ],
            "no saved_model.pb",
        ),
    ],
)
def test_wrong_flags_are_one_clear_error(arguments, message):
    with pytest.raises(VsaTfError, check=lambda error: re.search(message, error.of_flags)):
        run(*arguments)


def test_program_writes_and_prints_rate_and_counts(tmp_path, capsys):
    paths = write_zips(tmp_path, files())
    arguments = [f"--{name}={path}" for name, path in paths.items()]
    arguments += ["--dataset=flickr8k", f"--output_dir={tmp_path / 'out'}", "--num_workers=0"]
    run(*arguments, "--detector=grid", "--num_regions=5", "--splits=dev")
    printed = capsys.readouterr().out
    assert "dev: 1 images, 2 sentences, 2 phrases in 1 shards" in printed
    assert "images/s, after a start-up of" in printed
    assert "dev: as published it has 1000 images" in printed
    info = json.loads((tmp_path / "out" / "dataset_info.json").read_text())
    assert list(info["splits"]) == ["dev"] and info["num_regions"] == 5
    run(*arguments, "--detector=grid", "--num_regions=5", "--splits=dev")
    assert "nothing left to do" in capsys.readouterr().out


def test_splits_without_a_photograph_are_told(tmp_path, capsys):
    contents = files()
    del contents["images"]["Flicker8k_Dataset/104_d.jpg"]
    arguments = [f"--{name}={path}" for name, path in write_zips(tmp_path, contents).items()]
    run(*arguments, "--dataset=flickr8k", f"--output_dir={tmp_path / 'out'}", "--num_workers=0")
    lines = capsys.readouterr().out.splitlines()
    reason = "the photograph is not in --images"
    assert f"dev: not written, it has no usable photograph, first reason: {reason}" in lines
    assert any("skipped: 1 (listed in" in line for line in lines)


def test_features_of_neuraltalk_are_written_without_further_flags(tmp_path, capsys):
    run(
        "--dataset=neuraltalk",
        f"--captions={SAMPLES / 'neuraltalk'}",
        "--num_workers=0",
        f"--output_dir={tmp_path}",
    )
    printed = capsys.readouterr().out
    assert "train: 2 images, 4 sentences, 0 phrases" in printed
    assert "regions: at most 1, features of 3; skipped: 0" in printed
    assert "fewer regions" not in printed


def test_what_the_rows_of_precomputed_features_are_is_said(tmp_path, capsys):
    run(
        "--dataset=precomp",
        f"--captions={SAMPLES / 'precomp'}",
        "--num_workers=0",
        f"--output_dir={tmp_path}",
    )
    printed = capsys.readouterr().out
    assert "train: the rows of its array are captions" in printed
    assert "dev: the rows of its array are images" in printed


def test_own_photographs_without_splits_are_held_out_and_it_is_said(tmp_path, capsys):
    images = tmp_path / "images"
    images.mkdir()
    for number in range(12):
        (images / f"{number}.jpg").write_bytes(jpeg(seed=number))
    # Two tables, each with captions that the other has not.
    rows = [f"{number}.jpg,A dog number {number} .\n" for number in range(12)]
    (tmp_path / "first.csv").write_text("".join(rows[:7]))
    lines = [json.dumps({"file_name": f"{n}.jpg", "text": "A cat sits ."}) for n in range(5, 12)]
    (tmp_path / "second.jsonl").write_text("\n".join([*lines, '{"file_name": "0.jpg"}']))
    arguments = [
        *("--dataset=csv", f"--images={images}", f"--captions={tmp_path / 'first.csv'}"),
        *(f"--captions={tmp_path / 'second.jsonl'}", f"--output_dir={tmp_path / 'out'}"),
        "--num_workers=0",
    ]
    run(*arguments)
    printed = capsys.readouterr().out
    assert (
        "12 photographs have no split: by a hash of their paths 1 are held out for dev" in printed
    )
    assert "photographs to train on are few: 10" in printed
    assert "regions: at most 1, no features; skipped: 1 (listed in" in printed
    assert "rows left out: 1, first second.jsonl line 8" in printed
    info = json.loads((tmp_path / "out" / "dataset_info.json").read_text())
    counts = {name: split["num_images"] for name, split in info["splits"].items()}
    assert counts == {"train": 10, "dev": 1, "test": 1} and info["num_skipped"] == 1
    assert sum(split["num_sentences"] for split in info["splits"].values()) == 14
    # Another hold-out makes other records, also where the counts are alike.
    with pytest.raises(VsaTfError, match="holdout is 0.1,0.1 there and 0.11,0.1 now"):
        run(*arguments, "--holdout=0.11,0.1")


def test_a_file_of_splits_divides_what_is_written(tmp_path, capsys):
    given = write_zips(tmp_path, files())
    splits = tmp_path / "splits.csv"
    splits.write_text("104_d.jpg,train\n102_b.jpg,test\n103_c,test\n999.jpg,test\n")
    arguments = [
        *("--dataset=flickr8k", f"--output_dir={tmp_path / 'out'}", "--num_workers=0"),
        *(f"--{flag}={path}" for flag, path in given.items()),
        f"--splits_file={splits}",
    ]
    run(*arguments)
    printed = capsys.readouterr().out
    assert re.search("^photographs left out, which .*: 1, first .*101_a.jpg$", printed, re.M)
    assert re.search("^names in .* of no photograph: 1, first 999.jpg$", printed, re.M)
    # The name without a photograph, and the photograph without a name, which is told apart.
    assert "skipped: 2, of these 1 not named by --splits_file (listed in" in printed
    # Whatever was published.
    assert "as published" not in printed and "not written" not in printed
    info = json.loads((tmp_path / "out" / "dataset_info.json").read_text())
    counts = {name: split["num_images"] for name, split in info["splits"].items()}
    assert counts == {"train": 1, "test": 2}
    listed = [skip for skip in info["skipped"] if skip["source_id"] == "999.jpg"]
    assert len(listed) == 1 and listed[0]["split"] == ""
    # Another division makes other records, also where the counts are alike.
    splits.write_text("101_a.jpg,train\n102_b.jpg,test\n103_c,test\n")
    with pytest.raises(VsaTfError, match="splits_file is .* there and .* now"):
        run(*arguments)
    splits.write_text("101_a.jpg,train\n101_a.jpg,dev\n")
    with pytest.raises(VsaTfError, match="Received: train and dev for '101_a.jpg'$"):
        run(*arguments)
    with pytest.raises(VsaTfError, match="splits_file=/absent does not exist"):
        run(*arguments, "--splits_file=/absent")


@pytest.mark.parametrize("detector", ["selective_search", "edge_boxes:/absent"])
def test_missing_opencv_is_one_clear_error(monkeypatch, tmp_path, detector):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(VsaTfError, match=r"vsa_tf\[opencv\]"):
        run("--dataset=shape_scenes", f"--output_dir={tmp_path}", f"--detector={detector}")


def test_images_with_fewer_regions_than_asked_are_counted(tmp_path, capsys):
    paths = write_zips(tmp_path, files())
    arguments = [f"--{name}={path}" for name, path in paths.items()]
    arguments += ["--dataset=flickr8k", "--num_workers=0", "--num_regions=50"]
    # The grid has 38 windows.
    run(*arguments, f"--output_dir={tmp_path / 'grid'}", "--detector=grid")
    assert (
        "images of fewer regions than --num_regions=50, as too few were found: 4"
        in capsys.readouterr().out
    )
    joined, boxes = tmp_path / "joined", tmp_path / "p.json"
    boxes.write_text("{}")
    with pytest.raises(VsaTfError, match="p.json has no proposals for"):
        run(*arguments, f"--output_dir={joined}", f"--detector=grid,proposals:{boxes}")
    names = [os.path.basename(name) for name in files()["images"]]
    boxes.write_text(json.dumps({name: {"boxes": [[0, 0, 0.1, 0.1]]} for name in names}))
    run(*arguments, f"--output_dir={joined}", f"--detector=grid,proposals:{boxes}")
    assert "fewer regions" in capsys.readouterr().out
    alone, info = (
        json.loads((tmp_path / name / "dataset_info.json").read_text())
        for name in ("grid", "joined")
    )
    assert info["detector"]["spec"] == "grid,proposals:p.json"
    assert info["num_regions"] == alone["num_regions"] + 1
    run(*arguments, f"--output_dir={tmp_path / 'none'}", "--detector=none")
    assert "fewer regions" not in capsys.readouterr().out


def test_damaged_archive_is_one_clear_error(tmp_path):
    paths = write_zips(tmp_path, files())
    with open(paths["captions"], "wb") as file:
        file.write(b"<html>")
    arguments = [f"--{name}={path}" for name, path in paths.items()]
    with pytest.raises(VsaTfError, match="captions.zip.*not a sound zip"):
        run("--dataset=flickr8k", f"--output_dir={tmp_path / 'out'}", *arguments)


def test_help_and_wrong_flags_answer_without_tensorflow():
    code = (
        "import sys; sys.modules['tensorflow'] = None; import runpy; "
        "sys.argv = ['write', *sys.argv[1:]]; "
        "runpy.run_module('tfrecords_tools.write', run_name='__main__', alter_sys=True)"
    )
    absent = ["--dataset=shape_scenes", "--output_dir=x", "--image_encoder=kaggle:a/b"]
    for arguments, status in ((["--help"], 0), (["--no_such_flag=1"], 1), ([], 1), (absent, 1)):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            capture_output=True,
            text=True,
            env={"PYTHONPATH": ":".join(sys.path)},
        )
        assert done.returncode == status, done
        if status:
            assert len(done.stderr.splitlines()) == 1 and "tensorflow" not in done.stderr
        else:
            assert "--num_regions" in done.stdout + done.stderr
