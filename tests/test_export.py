import types

import pytest

from vsa_tf.errors import VsaTfError
from vsa_tf.export import answer_settings
from vsa_tf.inference.signatures import AnswerSettings
from vsa_tf.settings import Settings

FLAGS = (
    "beam_size",
    "num_captions",
    "max_beam_size",
    "max_caption_words",
    "length_normalization",
    "smoothness",
)


def _settings(name, **given):
    values = {flag: types.SimpleNamespace(value=given.get(flag)) for flag in FLAGS}
    return answer_settings(values, Settings.of(name))


def test_without_flags_the_defaults_hold():
    assert _settings("m_rnn") == _settings("alignment") == AnswerSettings()


def test_flags_of_the_model_are_taken():
    assert _settings("m_rnn", beam_size=9, num_captions=9) == AnswerSettings(9, 9)
    assert _settings("alignment", smoothness=0.0) == AnswerSettings(smoothness=0.0)


def test_a_narrow_beam_gives_fewer_captions():
    assert _settings("m_rnn", beam_size=2).num_captions == 2


def test_more_captions_than_beams_are_refused():
    with pytest.raises(VsaTfError, match="raise beam_size, which is 7"):
        _settings("m_rnn", num_captions=8)


@pytest.mark.parametrize(
    "name, flag", [("m_rnn", {"smoothness": 0.1}), ("alignment", {"beam_size": 3})]
)
def test_flags_of_other_models_are_refused(name, flag):
    with pytest.raises(VsaTfError, match=f"is not for a {name} model"):
        _settings(name, **flag)
