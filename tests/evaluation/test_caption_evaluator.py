import dataclasses
import types

import numpy as np
import pytest

from tests.evaluation.small_splits import CAPTIONS, load_split, make_captioner
from vsa_tf.decoding.beam_search import BeamSearch
from vsa_tf.decoding.sampling import GreedySearch
from vsa_tf.evaluation.caption_evaluator import CaptionEvaluator, references
from vsa_tf.evaluation.evaluation import CaptionOptions, EvaluationOptions, GivenSplits
from vsa_tf.evaluation.probability_retrieval import encode_images, split_perplexities
from vsa_tf.metrics.caption_scores import CaptionScorer
from vsa_tf.models.captioning.settings import DvsaRnnSettings, MRnnSettings
from vsa_tf.text.tokenizer import WordTokenizer

# As during training: no METEOR, which starts Java.
QUICK = EvaluationOptions(intervals=False)
SCORES = {"Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4", "METEOR", "ROUGE_L", "CIDEr"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return load_split(tmp_path_factory.mktemp("records"))


@pytest.fixture(scope="module")
def model(data):
    return make_captioner(data)


def _evaluator(captions=CaptionOptions(), training=None, **settings):
    splits = GivenSplits(training)
    settings = MRnnSettings(max_caption_words=6, **settings)
    return CaptionEvaluator(settings, captions, splits=splits)


@pytest.fixture(scope="module")
def evaluation(data, model):
    return _evaluator().evaluate(model, data, QUICK)


class TestEvaluate:
    def test_metrics_have_the_layout_of_the_interface(self, data, model, evaluation):
        assert evaluation.metrics.keys() == {"captions"}
        metrics = evaluation.metrics["captions"]
        assert metrics.keys() == SCORES | {
            "perplexity",
            "perplexity_without_unknown",
            "novel",
            "distinct",
            "collapsed",
            "skipped",
        }
        assert metrics["skipped"].keys() == {"METEOR"} and metrics["METEOR"] is None
        assert 0 <= metrics["Bleu_4"] <= metrics["Bleu_1"] <= 1
        own = split_perplexities(model, data, encode_images(model, data))
        assert own.items() <= metrics.items()
        assert (evaluation.pictures, evaluation.embedded) == ({}, None)

    def test_the_search_is_traced_once_for_all_checkpoints(self, data, model, monkeypatch):
        traces = []
        step = model.step

        def counted(*arguments):
            traces.append(1)
            return step(*arguments)

        monkeypatch.setattr(model, "step", counted)
        evaluator = _evaluator()
        evaluator.evaluate(model, data, QUICK)
        first = len(traces)
        assert first > 0
        evaluator.evaluate(model, data, QUICK)
        assert len(traces) == first

    def test_every_batch_is_told(self, data, model, monkeypatch):
        monkeypatch.setattr("vsa_tf.evaluation.caption_methods._BATCH_SIZE", 3)
        told = []
        options = dataclasses.replace(QUICK, progress=lambda *call: told.append(call))
        _evaluator(CaptionOptions(("greedy",))).evaluate(model, data, options)
        assert told == [(3, 4, "images"), (4, 4, "images")] * 2

    def test_captions_are_in_the_results_format_of_coco(self, data, evaluation):
        results = evaluation.files["captions.json"]
        assert [row["image_id"] for row in results] == [0, 1, 2, 3]
        assert [row["file_name"] for row in results] == [f"image{i}.png" for i in range(4)]
        captions = [row["caption"] for row in results]
        assert all(isinstance(caption, str) for caption in captions)
        metrics = evaluation.metrics["captions"]
        assert metrics["distinct"] == len(set(captions))
        assert _evaluator().scores(captions, data, QUICK).items() <= metrics.items()

    def test_a_collapsed_model_is_reported(self, data):
        model = make_captioner(data)
        # Whatever the image and the words so far, the same word.
        model.softmax.kernel.assign(0 * model.softmax.kernel)
        model.softmax.bias.assign(np.arange(len(data.text.vocabulary), dtype="float32"))
        evaluation = _evaluator().evaluate(model, data, QUICK)
        metrics = evaluation.metrics["captions"]
        assert (metrics["collapsed"], metrics["distinct"]) == (True, 1)
        word = data.text.vocabulary.tokens[-1]
        captions = [row["caption"] for row in evaluation.files["captions.json"]]
        assert captions == [" ".join([word] * 6)] * 4

    def test_pictures_show_the_caption_above_the_true_ones(self, tmp_path):
        data = load_split(tmp_path, images_stored=True)
        options = EvaluationOptions(intervals=False, num_pictures=2)
        evaluator, model = _evaluator(), make_captioner(data)
        evaluation = evaluator.evaluate(model, data, options)
        captions = [row["caption"] for row in evaluation.files["captions.json"]]
        assert list(evaluation.pictures) == ["image0.png", "image3.png"]
        text, picture = evaluation.pictures["image0.png"]
        assert text.split("  \n") == [f"**{captions[0]}**", *CAPTIONS[0]]
        assert (picture.shape, picture.dtype) == ((6, 4, 3), np.uint8)
        # Photographs of one name are all there.
        data.records.filenames = ["1.jpg"] * 4
        pictures = evaluator.evaluate(model, data, options).pictures
        assert list(pictures) == [f"1.jpg ({data.records.source_ids[image]})" for image in (0, 3)]

    def test_methods_and_retrieval_are_added_where_asked_for(self, data, model):
        captions = CaptionOptions(
            ("greedy", "nearest_cider"), retrieval="exact", num_normalization_images=2
        )
        metrics = _evaluator(captions, data).evaluate(model, data, QUICK).metrics
        assert metrics.keys() == {
            "captions",
            "captions_by_method",
            "image_to_sentence",
            "sentence_to_image",
        }
        methods = metrics["captions_by_method"]
        assert list(methods) == ["greedy", "nearest_cider"]
        # The model's own way is greedy.
        assert methods["greedy"].items() <= metrics["captions"].items()
        assert methods["nearest_cider"]["novel"] == 0


class TestScores:
    def test_true_captions_are_perfect(self, data):
        metrics = _evaluator().scores([captions[0] for captions in CAPTIONS], data, QUICK)
        assert metrics["Bleu_1"] == pytest.approx(1)
        assert metrics["ROUGE_L"] == pytest.approx(1)
        assert (metrics["distinct"], metrics["collapsed"]) == (4, False)

    def test_novel_is_the_percentage_that_is_no_training_caption(self, data):
        captions = ["a dog runs", "a cat", "A dog runs!", "a dog"]
        training = types.SimpleNamespace(
            caption_tokens=list(map(WordTokenizer().tokenize, ("The dog.", "A dog runs.")))
        )
        metrics = _evaluator(training=training).scores(captions, data, QUICK)
        # Two are the same caption, tokenised, and it is in training.
        assert (metrics["novel"], metrics["distinct"]) == (50, 3)
        assert _evaluator().scores(captions, data, QUICK)["novel"] is None

    def test_images_without_captions_are_left_out(self, tmp_path):
        some = load_split(tmp_path, (CAPTIONS[0], (), CAPTIONS[1], ()))
        captions = [CAPTIONS[0][1], "nothing of the kind", CAPTIONS[1][0], "neither"]
        metrics = _evaluator().scores(captions, some, QUICK)
        assert metrics["Bleu_1"] == pytest.approx(1)
        assert metrics["ROUGE_L"] == pytest.approx(1)
        assert metrics["distinct"] == 4

    @pytest.mark.parametrize(
        ("num_distinct", "num_images", "collapsed"),
        [(1, 2, True), (2, 2, False), (1, 1, False), (2, 200, True), (3, 200, False)],
    )
    def test_a_caption_for_each_hundred_images_is_too_few(
        self, num_distinct, num_images, collapsed, monkeypatch
    ):
        scorer = types.SimpleNamespace(score=lambda captions, meteor: ({}, {}))
        monkeypatch.setattr(
            "vsa_tf.evaluation.caption_evaluator.CaptionScorer", lambda references: scorer
        )
        data = types.SimpleNamespace(
            records=types.SimpleNamespace(
                split="dev", first_caption=np.arange(num_images + 1), captions=["a"] * num_images
            ),
            text=types.SimpleNamespace(tokenize=str.split),
        )
        captions = [f"caption {image % num_distinct}" for image in range(num_images)]
        metrics = _evaluator().scores(captions, data, QUICK)
        assert metrics == {"novel": None, "distinct": num_distinct, "collapsed": collapsed}

    def test_references_are_prepared_once(self, data, monkeypatch):
        calls = []

        class Scorer(CaptionScorer):
            def __init__(self, references):
                calls.append(references)
                super().__init__(references)

            def score(self, candidates, meteor):
                calls.append(meteor)
                return super().score(candidates, meteor=False)

        monkeypatch.setattr("vsa_tf.evaluation.caption_evaluator.CaptionScorer", Scorer)
        evaluator, captions = _evaluator(), [captions[0] for captions in CAPTIONS]
        quick = evaluator.scores(captions, data, QUICK)
        whole = evaluator.scores(captions, data, EvaluationOptions())
        assert calls == [[list(captions) for captions in CAPTIONS], False, True]
        # What takes its time is left out during training.
        assert whole.items() >= quick.items()
        assert whole["Bleu_1_no_brevity_penalty"] == 1

    def test_references_of_an_image(self, data):
        assert references(data, 2) == list(CAPTIONS[2])
        assert references(data, 3) == ["Cats sit."]


class TestDecoder:
    def test_one_beam_is_greedy_search(self):
        decoder = _evaluator(beam_size=1).decoder()
        assert isinstance(decoder, GreedySearch) and decoder.max_length == 6

    def test_more_beams_are_beam_search(self):
        decoder = CaptionEvaluator(DvsaRnnSettings()).decoder()
        assert isinstance(decoder, BeamSearch)
        # D: 7 beams.
        assert (decoder.beam_size, decoder.num_captions, decoder.max_length) == (7, 1, 20)
        assert decoder.length_normalization
        as_papers = CaptionEvaluator(DvsaRnnSettings(length_normalization=False)).decoder()
        assert not as_papers.length_normalization


class TestSelection:
    METRICS = {"captions": {"perplexity": 20.0, "Bleu_4": 0.2, "CIDEr": 0.5, "Bleu_1": 0.6}}

    def test_lower_perplexity_or_higher_cider_is_better(self):
        assert _evaluator().selection_score(self.METRICS) == -20
        assert _evaluator(selection="CIDEr").selection_score(self.METRICS) == 0.5

    def test_summary(self):
        assert _evaluator().summary(self.METRICS) == {
            "perplexity": 20.0,
            "Bleu_4": 0.2,
            "CIDEr": 0.5,
        }
