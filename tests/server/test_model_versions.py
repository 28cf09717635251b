import os
import shutil

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from vsa_tf.server.model_config import ModelConfig
from vsa_tf.server.model_versions import ModelVersions
from vsa_tf.server.request_limits import ServingError

INPUTS = {"sentences": np.array([b"a"], object), "x": np.float32([[1, 2, 3]])}


@pytest.fixture
def base(tmp_path):
    return tmp_path / "base"


def _versions(base, settle_seconds=0.0, **config):
    base.mkdir(exist_ok=True)
    return ModelVersions(ModelConfig("toy", str(base), **config), settle_seconds)


def _factor(loaded):
    return loaded.run("", INPUTS)["multiple"][0, 0]


def _states(versions):
    return {version: state for version, (state, _, _) in versions.states().items()}


def test_the_newest_version_is_served_by_number_not_by_text(base, saved_models):
    shutil.copytree(saved_models[1], base / "9")
    shutil.copytree(saved_models[2], base / "10")
    (base / "notes").mkdir()
    (base / "11").write_text("a file")
    versions = _versions(base)
    versions.poll()
    assert versions.find().version == 10
    assert _factor(versions.find()) == 2
    with pytest.raises(ServingError, match=r"NOT_FOUND.*Specific\(toy, 9\)"):
        versions.find(9)


def test_a_new_version_takes_the_place_of_the_old_one(base, saved_models):
    shutil.copytree(saved_models[1], base / "1")
    versions = _versions(base)
    versions.poll()
    old = versions.find()
    shutil.copytree(saved_models[2], base / "2")
    versions.poll()
    assert _factor(versions.find()) == 2
    assert _states(versions) == {2: "AVAILABLE", 1: "END"}
    # A request that has begun with the old one ends with it.
    assert _factor(old) == 1


def test_removing_the_newest_version_goes_back(base, saved_models):
    for version in (1, 2):
        shutil.copytree(saved_models[version], base / str(version))
    versions = _versions(base)
    versions.poll()
    shutil.rmtree(base / "2")
    versions.poll()
    assert _factor(versions.find()) == 1
    assert _states(versions) == {1: "AVAILABLE"}


def test_the_last_version_stays_when_all_folders_go(base, saved_models):
    shutil.copytree(saved_models[1], base / "1")
    versions = _versions(base)
    versions.poll()
    shutil.rmtree(base)
    versions.poll()
    assert _factor(versions.find()) == 1


def test_several_versions_and_labels(base, saved_models):
    for version in (1, 2, 3):
        shutil.copytree(saved_models[version], base / str(version))
    versions = _versions(base, num_versions=2, labels={"stable": 2, "gone": 1})
    versions.poll()
    assert _factor(versions.find()) == 3
    assert _factor(versions.find(2)) == 2
    assert _factor(versions.find(label="stable")) == 2
    with pytest.raises(ServingError, match=r"NOT_FOUND.*Specific\(toy, 1\)"):
        versions.find(label="gone")
    with pytest.raises(ServingError, match="INVALID_ARGUMENT: Unrecognized servable version label"):
        versions.find(label="canary")


@pytest.mark.parametrize("missing", ["saved_model.pb", "variables/variables.data-00000-of-00001"])
def test_a_half_copied_version_is_passed_over_until_it_is_whole(base, saved_models, missing):
    shutil.copytree(saved_models[1], base / "1")
    shutil.copytree(saved_models[2], base / "2")
    half = base / "2" / missing
    half.write_bytes(half.read_bytes()[:20])
    versions = _versions(base)
    versions.poll()
    assert _factor(versions.find()) == 1
    state, code, message = versions.states()[2]
    assert (state, code) == ("END", "UNKNOWN") and message
    versions.poll()
    assert _factor(versions.find()) == 1
    shutil.copyfile(saved_models[2] / missing, half)
    versions.poll()
    assert _factor(versions.find()) == 2
    assert _states(versions) == {2: "AVAILABLE", 1: "END"}


def test_a_broken_version_is_not_loaded_again_and_again(base, monkeypatch):
    (base / "1").mkdir(parents=True)
    versions = _versions(base)
    loads = []
    monkeypatch.setattr(
        "vsa_tf.server.model_versions.LoadedVersion", lambda *args: loads.append(args) or 1 / 0
    )
    versions.poll()
    versions.poll()
    assert len(loads) == 1
    (base / "1" / "saved_model.pb").write_bytes(b"")
    versions.poll()
    assert len(loads) == 2


def test_a_folder_that_was_written_to_just_now_waits(base, saved_models):
    shutil.copytree(saved_models[1], base / "1")  # with the times of the original
    versions = _versions(base, settle_seconds=3600)
    versions.poll()
    with pytest.raises(ServingError, match=r"Latest\(toy\)"):
        versions.find()
    assert _states(versions) == {}


def _write_warm_up(path, **inputs):
    log = prediction_log_pb2.PredictionLog()
    for name, value in inputs.items():
        log.predict_log.request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    (path / "assets.extra").mkdir()
    with tf.io.TFRecordWriter(str(path / "assets.extra/tf_serving_warmup_requests")) as writer:
        writer.write(log.SerializeToString())


def test_warm_up_requests_are_answered_before_clients(base, saved_models):
    shutil.copytree(saved_models[1], base / "1")
    _write_warm_up(base / "1", sentences=["warm"], x=[[1.0, 2.0, 3.0]])
    versions = _versions(base)
    versions.poll()
    assert _states(versions) == {1: "AVAILABLE"}


def test_a_version_whose_warm_up_fails_is_not_served(base, saved_models):
    shutil.copytree(saved_models[1], base / "1")
    _write_warm_up(base / "1", sentences=["warm"], x=["not a number"])
    versions = _versions(base)
    versions.poll()
    assert _states(versions) == {1: "END"}


def test_reloading_keeps_the_memory(base, saved_models):
    # A version's variables are dropped with it: of ten versions of 32 MB, few are held.
    class Large(tf.Module):
        def __init__(self):
            super().__init__()
            self.values = tf.Variable(tf.zeros([1 << 23]))

        @tf.function(input_signature=[tf.TensorSpec([], tf.int32)])
        def value(self, position):
            return {"value": self.values[position]}

    model = Large()
    tf.saved_model.save(model, str(base / "0"), signatures=model.value)
    versions = _versions(base)
    for version in range(1, 11):
        os.rename(base / str(version - 1), base / str(version))
        versions.poll()
        if version == 4:
            before = _resident_megabytes()
    assert versions.find().version == 10
    assert _resident_megabytes() - before < 100


def _resident_megabytes():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
