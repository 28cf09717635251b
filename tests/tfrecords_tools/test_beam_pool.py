import functools
import os
import sys

import fake_models
import pytest
from mini_flickr8k import files, write_directories
from program_runs import run_program
from written_records import contents, write

from tfrecords_tools import write as write_program
from tfrecords_tools.sources.flickr_captions import Flickr8k
from tfrecords_tools.sources.shape_scenes import ShapeScenes
from tfrecords_tools.write_settings import WriteSettings
from vsa_tf.errors import VsaTfError

THREADS = "--direct_num_workers=2 --direct_running_mode=multi_threading"
run = functools.partial(run_program, write_program)


def test_without_beam_the_extra_is_named(monkeypatch, tmp_path):
    for name in ("tfrecords_tools.beam_pool", "tfrecords_tools.beam_pool"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    with pytest.raises(VsaTfError, match=r"pip install \"vsa_tf\[beam\]\""):
        run("--dataset=shape_scenes", f"--output_dir={tmp_path / 'out'}", "--runner=beam")
    assert not (tmp_path / "out").exists()


class TestWithBeam:
    @pytest.fixture(autouse=True)
    def _beam(self):
        pytest.importorskip("apache_beam", reason="Apache Beam is an extra")

    @pytest.fixture
    def flickr8k(self, tmp_path):
        return Flickr8k(**write_directories(tmp_path / "flickr8k", files()))

    def write(self, *arguments, options="", **keywords):
        from tfrecords_tools.beam_pool import BeamPool, beam_options

        make_pool = functools.partial(BeamPool, beam_options(options))
        return write(*arguments, make_pool=make_pool, **keywords)

    def test_records_are_those_of_the_local_writer_to_the_byte(self, flickr8k, tmp_path):
        write(flickr8k, tmp_path / "local", num_workers=1)
        result = self.write(flickr8k, tmp_path / "beam")
        assert result.num_images == 4
        assert contents(tmp_path / "beam") == contents(tmp_path / "local")

    def test_many_workers_write_the_same_bytes(self, tmp_path):
        settings = WriteSettings(num_shards=3, detector="proposals")
        source = ShapeScenes(12, 5, 0)
        write(source, tmp_path / "local", settings, make_models=None, num_workers=2)
        self.write(source, tmp_path / "beam", settings, make_models=None, options=THREADS)
        assert contents(tmp_path / "beam") == contents(tmp_path / "local")

    def test_whole_shards_are_kept_and_damaged_ones_written_again(self, flickr8k, tmp_path):
        write(flickr8k, tmp_path / "out")
        before = contents(tmp_path / "out")
        dev = tmp_path / "out" / "dev-00000-of-00001.tfrecord"
        times = dev.stat().st_mtime_ns
        shard = tmp_path / "out" / "train-00000-of-00001.tfrecord"
        shard.write_bytes(shard.read_bytes()[:-1])
        assert self.write(flickr8k, tmp_path / "out").num_images == 3
        assert contents(tmp_path / "out") == before and dev.stat().st_mtime_ns == times
        assert self.write(flickr8k, tmp_path / "out").num_images == 0

    def test_a_worker_that_dies_is_reported_and_the_next_run_goes_on(self, flickr8k, tmp_path):
        write(flickr8k, tmp_path / "expected", make_models=fake_models.make_pixels)
        with pytest.raises(RuntimeError, match="^A .* died .exit code -9.*go on.$"):
            self.write(flickr8k, tmp_path / "out", make_models=fake_models.make_dying)
        assert not [name for name in os.listdir(tmp_path / "out") if "partial" in name]
        # The two fakes say the same of themselves.
        self.write(flickr8k, tmp_path / "out", make_models=fake_models.make_pixels)
        assert contents(tmp_path / "out") == contents(tmp_path / "expected")

    def test_a_worker_with_other_models_is_refused(self, flickr8k, tmp_path, monkeypatch):
        from tfrecords_tools.beam_pool import BeamPool

        known = BeamPool.description

        def description(self):
            known(self)
            self._description["feature_size"] = 6
            return dict(self._description)

        monkeypatch.setattr(BeamPool, "description", description)
        with pytest.raises(RuntimeError, match="Expected the models that the program found"):
            self.write(flickr8k, tmp_path / "out")
        assert "dataset_info.json" not in contents(tmp_path / "out")

    def test_the_program_hands_options_on_and_writes(self, tmp_path, capsys):
        arguments = ["--dataset=shape_scenes", "--num_examples=2,1,0", "--runner=beam"]
        run(*arguments, f"--output_dir={tmp_path / 'out'}", f"--beam_options={THREADS}")
        assert "train: 2 images, 10 sentences" in capsys.readouterr().out
        write(ShapeScenes(2, 1, 0), tmp_path / "local", WriteSettings(), make_models=None)
        assert contents(tmp_path / "out") == contents(tmp_path / "local")

    def test_options_are_refused_before_the_source_is_read(self, tmp_path):
        (tmp_path / "no.csv").write_bytes(b"\xff")
        arguments = ["--dataset=csv", f"--images={tmp_path}", f"--captions={tmp_path / 'no.csv'}"]
        with pytest.raises(VsaTfError, match="FnApiRunner knows. Received: --fast"):
            run(
                *arguments,
                f"--output_dir={tmp_path / 'out'}",
                "--runner=beam",
                "--beam_options=--fast",
            )
        assert not (tmp_path / "out").exists()
