import numpy as np
import pytest

from vsa_tf.decoding.beam_search import BeamSearch
from vsa_tf.decoding.sampling import GreedySearch, Sampling
from vsa_tf.errors import VsaTfError
from vsa_tf.inference.export_model import export_model
from vsa_tf.inference.signatures import AnswerSettings, check_export, check_numbers, version_path


def test_a_narrow_beam_gives_fewer_captions_unless_it_is_said():
    assert AnswerSettings.of() == AnswerSettings(beam_size=7, num_captions=5)
    assert AnswerSettings.of(beam_size=3) == AnswerSettings(beam_size=3, num_captions=3)
    assert AnswerSettings.of(beam_size=9).num_captions == 5
    assert AnswerSettings.of(beam_size=3, num_captions=1).num_captions == 1
    assert AnswerSettings.of(sample=True, num_captions=9).num_captions == 9
    with pytest.raises(VsaTfError, match="^num_captions=4 needs .* raise beam_size, which is 3$"):
        AnswerSettings.of(beam_size=3, num_captions=4)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"smoothness": -1},
            "^Expected smoothness with a minimum of 0.0. Received: smoothness=-1$",
        ),
        ({"smoothness": float("nan")}, "^Expected smoothness to be finite"),
        ({"beam_size": 0}, "^Expected beam_size with a minimum of 1"),
        ({"beam_size": "7"}, "^Expected beam_size of type int. Received: beam_size='7'"),
        ({"num_captions": 0}, "^Expected num_captions with a minimum of 1"),
        ({"top_p": 1.5, "sample": True}, "^Expected top_p with a maximum of 1.0"),
        ({"prefix": None}, "^Expected prefix of type str"),
        ({"beam": 3}, r"answers, beam_size, .*, seed. Received: beam. Did you mean beam_size\?$"),
        ({"wings": 2}, "answers, beam_size, .*, seed. Received: wings$"),
    ],
)
def test_settings_that_are_not_allowed_are_refused(given, message):
    with pytest.raises(VsaTfError, match=message):
        AnswerSettings.of(**given)


def test_the_decoder_is_the_one_that_is_asked_for():
    beams = AnswerSettings(
        beam_size=3, num_captions=2, max_caption_words=6, length_normalization=True
    ).make_decoder()
    assert isinstance(beams, BeamSearch)
    expected = BeamSearch(3, 2, length_normalization=True, max_length=6)
    assert beams.get_config() == expected.get_config()
    greedy = AnswerSettings.of(beam_size=1, max_caption_words=6).make_decoder()
    assert isinstance(greedy, GreedySearch)
    assert greedy.get_config() == GreedySearch(max_length=6).get_config()
    draws = {"temperature": 0.5, "top_k": 4, "top_p": 0.75, "seed": 3, "num_captions": 9}
    sampling = AnswerSettings(sample=True, max_caption_words=6, **draws).make_decoder()
    assert isinstance(sampling, Sampling)
    assert sampling.get_config() == Sampling(max_length=6, **draws).get_config()


def test_the_newest_version_is_found(tmp_path):
    with pytest.raises(VsaTfError, match="holds no SavedModel"):
        version_path(tmp_path)
    for version in ("9", "10"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "saved_model.pb").write_bytes(b"")
    # A copy under way.
    (tmp_path / "11").mkdir()
    assert version_path(tmp_path) == tmp_path / "10"
    assert version_path(tmp_path / "9") == tmp_path / "9"


def test_answers_that_are_no_numbers_are_refused():
    answers = {"score": np.float32([1, -np.inf]), "captions": np.array(["a"], object)}
    assert check_numbers(answers) is answers
    with pytest.raises(VsaTfError, match="are not numbers: it has diverged"):
        check_numbers({**answers, "score": np.float32([1, np.nan])})


def test_what_cannot_be_exported_is_refused_before_the_model_is_loaded(monkeypatch):
    with pytest.raises(VsaTfError, match="^sample goes with a model directory"):
        check_export(AnswerSettings(sample=True), "tensorflow")
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    with pytest.raises(VsaTfError, match="by TensorFlow: unset KERAS_BACKEND, which is jax"):
        export_model("nowhere", "served")
