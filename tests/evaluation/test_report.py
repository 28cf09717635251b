import types

import pytest

from vsa_tf.evaluation.report import evaluation_report, print_tables

CAPTIONS = {
    "perplexity": 24.391, "perplexity_without_unknown": 20.0, "Bleu_1": 0.565, "Bleu_2": 0.386,
    "Bleu_3": 0.256, "Bleu_4": 0.17, "METEOR": None, "ROUGE_L": 0.4, "CIDEr": 0.5, "novel": None,
    "distinct": 3, "collapsed": False,
}
SETTINGS = types.SimpleNamespace(training=types.SimpleNamespace(model="m_rnn"))


def _report(metrics):
    tokens = types.SimpleNamespace(num_truncated=1, num_empty=2, num_unknown=3)
    records = types.SimpleNamespace(
        split="test", num_images=7, num_captions=35, info=types.SimpleNamespace(dataset="small")
    )
    data = types.SimpleNamespace(tokens=tokens, records=records)
    return evaluation_report(SETTINGS, data, metrics)


def _lines(metrics, capsys):
    print_tables(_report(metrics))
    return capsys.readouterr().out.splitlines()


def test_the_report_says_what_was_evaluated_and_how():
    report = _report({"captions": CAPTIONS})
    assert (report["model"], report["dataset"], report["split"]) == ("m_rnn", "small", "test")
    assert (report["num_images"], report["num_sentences"]) == (7, 35)
    assert report["sentences"] == {"truncated": 1, "without_words": 2, "without_known_words": 3}
    assert report["metrics"] == {"captions": CAPTIONS}


@pytest.mark.parametrize(
    ("names", "protocols"),
    [
        (["captions"], {"captions"}),
        (
            ["captions", "image_to_sentence", "sentence_to_image"],
            {"captions", "retrieval", "retrieval_score"},
        ),
        (["image_to_sentence", "phrase_localization"], {"retrieval", "phrase_localization"}),
    ],
)
def test_every_number_has_its_protocol(names, protocols):
    assert _report(dict.fromkeys(names, {}))["protocol"].keys() == protocols


def test_captions_are_a_row_for_each_method(capsys):
    nearest = {**CAPTIONS, "Bleu_4": 0.1234, "novel": 0.0, "METEOR": 0.2}
    lines = _lines({"captions": CAPTIONS, "captions_by_method": {"nearest_cider": nearest}}, capsys)
    assert lines[0] == "m_rnn on small test: 7 images, 35 sentences"
    assert "perplexity 24.39" in lines[1] and "without unknown words 20.00" in lines[1]
    names = ["Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4", "METEOR", "ROUGE_L", "CIDEr", "novel"]
    assert lines[2].split() == [*names, "distinct"]
    assert lines[3].split() == [
        "captions", "0.565", "0.386", "0.256", "0.170", "-", "0.400", "0.500", "-", "3"
    ]
    assert lines[4].split()[:6] == ["nearest_cider", "0.565", "0.386", "0.256", "0.123", "0.200"]
    assert len(lines) == 5


def test_a_collapsed_model_is_named_below_its_row(capsys):
    lines = _lines({"captions": {**CAPTIONS, "collapsed": True, "distinct": 1}}, capsys)
    assert "collapsed: 1 different captions for all images" in lines[4]


def test_what_could_not_be_computed_is_said(capsys):
    skipped = {"METEOR": "java is not installed"}
    lines = _lines({"captions": {**CAPTIONS, "skipped": skipped}}, capsys)
    assert lines[-1] == "METEOR is not computed: java is not installed"
