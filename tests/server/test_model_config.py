import pathlib
import re

import pytest

from vsa_tf.server.model_config import ModelConfig, read_model_config_file

ROOT = pathlib.Path(__file__).parents[2]


def test_the_newest_version_is_wanted_by_default():
    assert ModelConfig("m", "d").wanted([3, 12, 7]) == {12}
    assert ModelConfig("m", "d").wanted([]) == set()


def test_policies_choose_versions():
    assert ModelConfig("m", "d", num_versions=2).wanted([3, 12, 7]) == {7, 12}
    assert ModelConfig("m", "d", policy="all").wanted([3, 12]) == {3, 12}
    assert ModelConfig("m", "d", policy="specific", versions=(3, 5)).wanted([3, 12]) == {3}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "a/b"}, "name='a/b'"),
        ({"name": ""}, "name=''"),
        ({"policy": "oldest"}, "policy='oldest'"),
        ({"num_versions": 0}, "num_versions=0"),
        ({"policy": "specific"}, "Expected versions"),
    ],
)
def test_impossible_configurations_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        ModelConfig(**{"name": "m", "base_path": "d", **values})


def _read(tmp_path, text):
    path = tmp_path / "models.config"
    path.write_text(text)
    return read_model_config_file(path)


def test_files_of_tensorflow_serving_are_read(tmp_path):
    configs = _read(
        tmp_path,
        """
        model_config_list {
          config { name: "captions" base_path: "/models/captions" model_platform: "tensorflow" }
          config {
            name: "alignment" base_path: "/models/alignment" model_platform: "tensorflow"
            model_version_policy { specific { versions: 3 versions: 5 } }
            version_labels { key: "stable" value: 3 }
          }
          config {
            name: "two" base_path: "/two" model_version_policy { latest { num_versions: 2 } }
          }
          config { name: "all" base_path: "/all" model_version_policy { all {} } }
        }
    """,
    )
    assert configs == [
        ModelConfig("captions", "/models/captions"),
        ModelConfig(
            "alignment",
            "/models/alignment",
            policy="specific",
            versions=(3, 5),
            labels={"stable": 3},
        ),
        ModelConfig("two", "/two", num_versions=2),
        ModelConfig("all", "/all", policy="all"),
    ]


def test_the_documented_file_is_read(tmp_path):
    page = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
    text = re.search(r"```\n(model_config_list.*?)```", page, re.DOTALL)[1]
    configs = _read(tmp_path, text)
    assert [config.name for config in configs] == ["alignment", "captions"]
    assert configs[0].labels == {"stable": 1, "canary": 2}
    assert configs[0].wanted([1, 2, 3]) == {1, 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "without models"),
        ("model_config_list { config { name: 5 } }", "Expected a readable model config"),
        ('model_config_list { config { name: "a" } }', "Expected a base_path.*'a'"),
        (
            'model_config_list { config { name: "a" base_path: "d" model_platform: "caffe" } }',
            "'caffe' for 'a'",
        ),
        (
            'model_config_list { config { name: "a" base_path: "d" } '
            'config { name: "a" base_path: "e" } }',
            "'a' twice",
        ),
        ('model_config_list { config { name: "a:b" base_path: "d" } }', "name='a:b'"),
    ],
)
def test_broken_files_are_named(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        _read(tmp_path, text)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match="nowhere"):
        read_model_config_file(tmp_path / "nowhere")
