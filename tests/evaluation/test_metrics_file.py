import types

import pytest

from tests.data.given_phrases import given_phrases
from vsa_tf.data.caption_rows import TokenStore
from vsa_tf.data.record_views import RegionRecords
from vsa_tf.evaluation.metrics_file import ensemble_report, evaluation_report, metrics_lines
from vsa_tf.text.vocabulary import UNK_ID

CAPTIONS = {
    "perplexity": 24.391,
    "perplexity_without_unknown": 20.0,
    "Bleu_1": 0.565,
    "Bleu_2": 0.386,
    "Bleu_3": 0.256,
    "Bleu_4": 0.17,
    "METEOR": None,
    "ROUGE_L": 0.4,
    "CIDEr": 0.5,
    "novel": None,
    "distinct": 3,
    "collapsed": False,
}
SETTINGS = types.SimpleNamespace(training=types.SimpleNamespace(model="m_rnn"))


RECALLS = {"R@1": 12.34, "R@5": 50.0, "R@10": 75.0, "median_rank": 5.0, "mean_rank": 9.5}
RETRIEVAL = {"image_to_sentence": RECALLS, "sentence_to_image": RECALLS}


def _report(metrics, baseline=None, **options):
    # One too long, two without words, one of an unknown word.
    tokens = TokenStore([[4] * 9, [], [], [UNK_ID]], max_words=2)
    records = types.SimpleNamespace(
        split="test", num_images=7, num_captions=35, info=types.SimpleNamespace(dataset="small")
    )
    data = types.SimpleNamespace(tokens=tokens, records=records)
    return evaluation_report(SETTINGS, data, metrics, baseline, **options)


def _lines(metrics, baseline=None):
    return list(metrics_lines(_report(metrics, baseline)))


def test_the_report_says_what_was_evaluated_and_how():
    report = _report({"captions": CAPTIONS})
    assert (report["model"], report["dataset"], report["split"]) == ("m_rnn", "small", "test")
    assert (report["num_images"], report["num_sentences"]) == (7, 35)
    assert report["sentences"] == {"truncated": 1, "without_words": 2, "without_known_words": 3}
    assert report["metrics"] == {"captions": CAPTIONS}


def test_sentences_of_another_language_are_told():
    report = _report({})
    assert len(list(metrics_lines(report))) == 1  # 3 of 35 are few
    (_, line) = metrics_lines({**report, "num_sentences": 30})
    assert line.startswith("3 sentences have no word that the model knows")
    # Counts of dependency relations know no words.
    assert len(list(metrics_lines({**report, "sentences": {"truncated": 1}}))) == 1


@pytest.mark.parametrize(
    ("names", "protocols"),
    [
        (["captions"], {"captions"}),
        (
            ["captions", "image_to_sentence", "sentence_to_image"],
            {"captions", "retrieval", "retrieval_score"},
        ),
        (["image_to_sentence", "phrase_localization"], {"retrieval", "phrase_localization"}),
        (
            ["image_to_sentence", "sentence_to_sentence", "combined_distance"],
            {"retrieval", "sentence_retrieval", "combined_distance"},
        ),
    ],
)
def test_every_number_has_its_protocol(names, protocols):
    assert _report(dict.fromkeys(names, {}))["protocol"].keys() == protocols


@pytest.mark.parametrize(
    ("normalization", "text"),
    [
        ("marginal", "log P(sentence | image) less log mean P(sentence | image) over sampled"),
        ("mean_image", "log P(sentence | image) less that given the mean of all training images"),
    ],
)
def test_what_sentences_are_relative_to_is_said(normalization, text):
    report = _report({"captions": CAPTIONS, **RETRIEVAL}, normalization=normalization)
    assert f"sentences by {text}" in report["protocol"]["retrieval_score"]
    records = types.SimpleNamespace(
        split="test", num_images=7, num_captions=35, info=types.SimpleNamespace(dataset="small")
    )
    report = ensemble_report([], records, RETRIEVAL, normalization)
    assert f"a caption generator's is {text}" in report["protocol"]["ensemble"]


def test_regions_that_stand_for_images_are_called_regions():
    regions = {"boxes": "given", "num_captioned": 7, "num_described": 7}
    lines = _lines({"captions": CAPTIONS, "described_regions": regions})
    assert lines[0] == "m_rnn on small test: 7 regions, 35 sentences"
    records = RegionRecords(given_phrases(), [0, 1], [1, 1], ["two men", "kite"])
    data = types.SimpleNamespace(tokens=TokenStore([[4], [4]], max_words=2), records=records)
    report = evaluation_report(SETTINGS, data, {"captions": CAPTIONS})
    assert "an alignment model inferred" in report["protocol"]["snippets"]
    assert next(metrics_lines(report)) == "m_rnn on given train: 2 regions, 2 sentences"


def test_captions_are_a_row_for_each_method():
    nearest = {**CAPTIONS, "Bleu_4": 0.1234, "novel": 0.0, "METEOR": 0.2}
    lines = _lines({"captions": CAPTIONS, "captions_by_method": {"nearest_cider": nearest}})
    assert lines[0] == "m_rnn on small test: 7 images, 35 sentences"
    assert "perplexity 24.39" in lines[1] and "without unknown words 20.00" in lines[1]
    names = ["Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4", "METEOR", "ROUGE_L", "CIDEr", "novel"]
    assert lines[2].split() == [*names, "distinct"]
    assert lines[3].split() == [
        "captions",
        "0.565",
        "0.386",
        "0.256",
        "0.170",
        "-",
        "0.400",
        "0.500",
        "-",
        "3",
    ]
    assert lines[4].split()[:6] == ["nearest_cider", "0.565", "0.386", "0.256", "0.123", "0.200"]
    assert len(lines) == 5


def test_a_collapsed_model_is_named_below_its_row():
    lines = _lines({"captions": {**CAPTIONS, "collapsed": True, "distinct": 1}})
    assert "collapsed: 1 different captions for all images" in lines[4]


def test_what_could_not_be_computed_is_said():
    skipped = {"METEOR": "java is not installed"}
    lines = _lines({"captions": {**CAPTIONS, "skipped": skipped}})
    assert lines[-1] == "METEOR is not computed: java is not installed"


def test_sentences_that_find_sentences_are_a_row_of_retrieval():
    metrics = {**RETRIEVAL, "sentence_to_sentence": {**RECALLS, "num_queries": 35}}
    lines = _lines(metrics)
    assert [line.split()[:3] for line in lines[2:]] == [
        ["image", "annotation", "12.3"],
        ["image", "search", "12.3"],
        ["sentence", "search", "12.3"],
    ]


def test_curves_are_a_table_by_the_share_that_is_retrieved():
    curves = {
        "image_to_sentence": {"0.1": 0.0, "100": 100.0},
        "image_to_sentence_shortlist": {"0.1": 12.34, "100": 100.0},
    }
    shortlist = {**RECALLS, "shortlist_size": 100, "mean_candidates": 170.5}
    metrics = {**RETRIEVAL, "image_to_sentence_shortlist": shortlist, "recall_curves": curves}
    metrics["match_curves"] = {"image_to_sentence": {"0.1": 0.25, "100": 1.7}}
    lines = _lines(metrics)
    assert [line.split()[:3] for line in lines[2:5]] == [
        ["image", "annotation", "12.3"],
        ["of", "similar", "images"],
        ["image", "search", "12.3"],
    ]
    assert lines[5] == "recall by the percentage of items that are retrieved:"
    assert [line.split()[-2:] for line in lines[6:9]] == [
        ["0.1", "100"],
        ["0.0", "100.0"],
        ["12.3", "100.0"],
    ]
    assert lines[9] == "mean number of an image's own sentences among them:"
    assert [line.split()[-2:] for line in lines[10:]] == [["0.1", "100"], ["0.25", "1.70"]]
    assert "iapr_tc12" in _report(metrics)["protocol"]


def test_the_distance_of_phrases_is_a_table_of_its_own():
    combined = {"weight": 0.15, "num_without_phrases": 4, **RETRIEVAL}
    lines = _lines({**RETRIEVAL, "combined_distance": combined})
    assert lines[4] == "with the distance of phrases, a = 0.15; 4 sentences have none"
    assert len(lines) == 1 + 3 + 1 + 3


def test_models_together_are_a_table_each_and_one_of_all():
    models = [
        {"model_dir": f"runs/{name}", "model": name, "weight": weight, "num_without_score": count}
        | {"metrics": RETRIEVAL}
        for name, weight, count in (("alignment", 0.35, 2), ("embedding", 0.65, 0))
    ]
    sums = {f"{20 - step} {step}": 100.0 + step for step in range(21)}
    tuning = {"split": "dev", "recall_sums": sums}
    rescored = {"csls": {"num_neighbors": 10, **RETRIEVAL}}
    records = types.SimpleNamespace(
        split="test", num_images=7, num_captions=35, info=types.SimpleNamespace(dataset="small")
    )
    report = ensemble_report(models, records, RETRIEVAL | {"tuning": tuning, "rescored": rescored})
    assert report["protocol"].keys() == {"ensemble", "retrieval", "rescoring"}
    lines = list(metrics_lines(report))
    assert lines[0] == "ensemble on small test: 7 images, 35 sentences"
    assert lines[1] == "0.35 alignment, runs/alignment"
    assert lines[2] == "  2 sentences are scored by the others alone"
    assert lines[6] == "0.65 embedding, runs/embedding"
    assert lines[10].startswith("together,") and "chosen on dev" in lines[10]
    assert lines[14].startswith("rescored (csls, num_neighbors 10), which reads all queries")
    assert lines[18] == "sum of all recalls by the weights, the best ten of 21:"
    assert lines[19].split() == ["0", "20", "120.0"] and len(lines) == 29


def test_rescored_rows_say_that_they_read_all_queries():
    lines = _lines(
        {**RETRIEVAL, "rescored": {"inverted_softmax": {"temperature": 0.5} | RETRIEVAL}}
    )
    named = "inverted_softmax, temperature 0.5"
    assert lines[4] == f"rescored ({named}), which reads all queries of the split at once:"
    assert len(lines) == 1 + 3 + 1 + 3


def test_weights_that_were_tried_are_shown_with_their_sums():
    sums = {f"{weight / 20:.2f}": 100.0 + weight for weight in range(21)}
    tuning = {"split": "dev", "recall_sums": sums}
    combined = {"weight": 1.0, "num_without_phrases": 4, **RETRIEVAL, "tuning": tuning}
    lines = _lines({**RETRIEVAL, "combined_distance": combined})
    assert lines[4].startswith("with the distance of phrases, a = 1.00, chosen on dev;")
    assert lines[8] == "sum of all recalls by a:"
    assert " ".join(lines[9:]).split() == [text for row in sums.items() for text in map(str, row)]


def test_phrases_that_were_left_out_are_counted():
    row = {
        "R@1": 50.0,
        "R@5": 60.0,
        "R@10": 70.0,
        "pointing": 75.0,
        "upper_bound": 80.0,
        "chance": 10.0,
        "num_phrases": 6,
    }
    localization = {**row, "num_dropped": 9, "by_type": {"people": row}}
    lines = _lines({"phrase_localization": localization})
    assert lines[2].split() == ["all", "50.0", "60.0", "70.0", "75.0", "80.0", "10.0", "6"]
    assert lines[-1] == "9 phrases have no box and are left out"
    lines = _lines({"phrase_localization": {**localization, "num_dropped": 0}})
    assert lines[-1].split()[0] == "people"
    agreed = {"R@1": 51.0, "R@5": 61.0, "R@10": 71.0, "pointing": 76.0}
    lines = _lines({"phrase_localization": {**localization, "agreed": agreed}})
    assert lines[-2].split() == ["all,", "by", "agreement", "51.0", "61.0", "71.0", "76.0"]
    # Where every phrase was left out, there is nothing to tell of either.
    empty = {**dict.fromkeys(row, None), "num_phrases": 0, "num_dropped": 9, "by_type": {}}
    lines = _lines({"phrase_localization": {**empty, "agreed": dict.fromkeys(agreed, None)}})
    assert len(lines) == 3


def test_a_baseline_is_named_with_what_it_is():
    baseline = {"baseline": "cca", "baseline_choice": {"power": 4.0}, "protocol": "normalised CCA"}
    report = _report(RETRIEVAL, baseline)
    assert (report["model"], report["baseline"]) == ("m_rnn", "cca")
    assert report["baseline_choice"] == {"power": 4.0}
    assert report["protocol"]["baseline"] == "normalised CCA"
    lines = _lines(RETRIEVAL, baseline)
    assert lines[0].startswith("cca, on the features of m_rnn, on small test: 7 images")
    assert lines[1] == "normalised CCA"
    assert "baseline" not in _report(RETRIEVAL)
