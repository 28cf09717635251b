"""A model from Python: wherever it is, and however a photograph is given, it answers the same."""

import functools
import io
import json
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.inference import small_models
from tests.inference.given_model import ALIGN, GivenModel, GivenSource
from tests.inference.program_lines import models_opened_once, program_lines
from tests.inference.small_models import make_model_dir
from tests.source_imports import ROOT
from vsa_tf.errors import InputError, VsaTfError
from vsa_tf.inference.export_model import GraphModel
from vsa_tf.inference.local_model import LocalModel
from vsa_tf.inference.model import Model, open_model
from vsa_tf.inference.model_source import ModelSource
from vsa_tf.inference.signatures import AnswerSettings
from vsa_tf.models.alignment.settings import AlignmentSettings
from vsa_tf.models.captioning.settings import MRnnSettings
from vsa_tf.models.two_branch.settings import EmbeddingSettings
from vsa_tf.server.model_config import ModelConfig
from vsa_tf.server.model_server import ModelServer

PLACES = ("model_dir", "saved_model", "server")
SENTENCE = "A red dog plays"
ASKED = """
import json, sys
import vsa_tf
import vsa_tf.inference.model, vsa_tf.inference.results
found = vsa_tf.open_model(sys.argv[1]).align(*sys.argv[2:])
found.picture()
slow = {"tensorflow", "keras", "tf_keras", "sklearn", "pandas", "matplotlib"}
loaded = sorted(slow & set(sys.modules))
# What TensorFlow has not imported is there when it is wanted.
wanted = loaded == ["tensorflow"] and sys.modules["tensorflow"].keras.optimizers.Adam.__name__
print(json.dumps({"found": found.to_dict(), "loaded": loaded, "wanted": wanted}))
"""
ANSWERS = {"beam_size": 3, "num_captions": 2, "max_caption_words": 6}
GRID = {"detector": "grid", "num_regions": 4}
MODELS = {
    "alignment": (AlignmentSettings(crop_size=16, joint_size=8, similarity="cosine"), GRID),
    "m_rnn": (MRnnSettings(crop_size=16), {}),
    "embedding": (EmbeddingSettings(text="gru", crop_size=16), {}),
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """What `open_model` takes, by name of the model and place."""
    folder = tmp_path_factory.mktemp("models")
    for name, (settings, inputs) in MODELS.items():
        make_model_dir(folder / name, name, settings, **inputs)
        (folder / "exported" / name).mkdir(parents=True)
        local = LocalModel(folder / name, settings=AnswerSettings(**ANSWERS))
        GraphModel(local).save(folder / "exported" / name / "1")
    configs = [ModelConfig(name, str(folder / "exported" / name)) for name in MODELS]
    with ModelServer(configs, settle_seconds=0) as server, pytest.MonkeyPatch.context() as patch:
        # It takes seconds.
        patch.setattr(tf.saved_model, "load", functools.cache(tf.saved_model.load))
        while not all(server.catalog.available()[name] for name in MODELS):
            threading.Event().wait(0.05)
        yield {
            name: {
                "model_dir": folder / name,
                "saved_model": str(folder / "exported" / name),
                "server": f"127.0.0.1:{server.rest_port}/{name}",
            }
            for name in MODELS
        }


@pytest.fixture(scope="module")
def models(sources):
    """The same models, each opened once in every place."""
    return {
        name: {
            place: open_model(source, **(ANSWERS if place == "model_dir" else {}))
            for place, source in places.items()
        }
        for name, places in sources.items()
    }


def _pixels(seed):
    low = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), "uint8")
    return np.asarray(Image.fromarray(low).resize((50, 40)))


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """One photograph, in every form."""
    path = tmp_path_factory.mktemp("photograph") / "photograph.png"
    Image.fromarray(_pixels(0)).save(path)
    return [str(path), path, path.read_bytes(), Image.open(path), _pixels(0)]


def _assert_same(found, expected, tolerance=1e-5):
    """Asserts that texts are equal and numbers nearly so, however they are nested."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            _assert_same(found[key], value, tolerance)
    elif isinstance(expected, list):
        for each, other in zip(found, expected, strict=True):
            _assert_same(each, other, tolerance)
    elif np.asarray(expected).dtype.kind in "OU":
        np.testing.assert_array_equal(found, expected)
    else:
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("name", "ask"),
    [
        ("alignment", lambda model, photograph: model.align(photograph, SENTENCE)),
        ("alignment", lambda model, photograph: model.localize(photograph, SENTENCE)),
        ("m_rnn", lambda model, photograph: model.caption(photograph, num_captions=2)),
    ],
)
def test_results_are_the_same_from_everywhere_for_every_form(models, photographs, name, ask, place):
    expected = ask(models[name]["model_dir"], photographs[0])
    for photograph in photographs:
        found = ask(models[name][place], photograph)
        assert type(found) is type(expected)
        _assert_same(found.to_dict(), expected.to_dict())
        np.testing.assert_array_equal(np.asarray(found.picture()), np.asarray(expected.picture()))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("name", "ask"),
    [
        ("alignment", lambda model, photographs: model.score(photographs, SENTENCE)),
        ("alignment", lambda model, photographs: model.embed_images(photographs)),
        ("m_rnn", lambda model, photographs: model.log_prob(photographs, SENTENCE)),
        ("embedding", lambda model, photographs: model.score(photographs, SENTENCE)),
        ("embedding", lambda model, photographs: model.embed_images(photographs)),
    ],
)
def test_numbers_are_the_same_from_everywhere_for_every_form(models, photographs, name, ask, place):
    (expected,) = ask(models[name]["model_dir"], photographs[:1])
    found = ask(models[name][place], photographs)
    assert len(found) == len(photographs)
    for each in found:
        _assert_same(each, expected)


def test_a_server_answers_every_signature_as_the_saved_model_itself(models):
    remote, exported = (models["alignment"][place].opened for place in ("server", "saved_model"))
    assert remote.signatures == exported.signatures
    texts = ["a red dog plays", "Boys", "the man's dog & the <grass> naïve"]
    for name, keys in remote.signatures.items():
        images = small_models.photographs(len(texts))
        asked = {key: images if key == "image_bytes" else texts for key in keys}
        received, expected = remote.call(name, **asked), exported.call(name, **asked)
        assert received.keys() == expected.keys()
        for key, value in expected.items():
            assert received[key].dtype == value.dtype, key
            np.testing.assert_array_equal(received[key], value)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", ["alignment", "embedding"])
def test_sentences_are_embedded_the_same_from_everywhere(models, name, place):
    sentences = [SENTENCE, "Boys"]
    found = models[name][place].embed_sentences(sentences)
    _assert_same(found, models[name]["model_dir"].embed_sentences(sentences))
    alone = models[name][place].embed_sentences("Boys")
    assert len(alone) == 1
    _assert_same(alone[0], found[1])


@pytest.mark.parametrize("place", PLACES)
def test_words_that_a_model_does_not_know_are_said_everywhere(models, place):
    german, mixed = "Ein brauner Hund", "a brauner dog, brauner!"
    aligner = models["alignment"][place]
    for ask in (aligner.align, aligner.localize):
        found = ask(_pixels(0), german)
        assert found.to_dict()["unknown_words"] == ["ein", "brauner", "hund"]
        assert "knows no word of this text" in found.known.note()
        found = ask([_pixels(0)] * 2, mixed)[1]
        assert found.to_dict()["unknown_words"] == ["brauner"]
        assert found.known.note() == "the model does not know brauner"
        found = ask(_pixels(0), "a dog")
        assert "unknown_words" not in found.to_dict() and not found.known.note()
    texts = [german, "a dog", mixed]
    nothing = "3 words: ein, brauner, hund; of 1 of 3 texts, such as 'Ein brauner Hund', it knows"
    for name in ("alignment", "embedding"):
        with pytest.warns(UserWarning, match=nothing):
            models[name][place].embed_sentences(texts)
        with pytest.warns(UserWarning, match=nothing):
            models[name][place].score(_pixels(0), texts)
    with pytest.warns(UserWarning, match="3 words.* it knows no word"):
        models["m_rnn"][place].log_prob(_pixels(0), german)


def test_an_export_of_an_earlier_release_says_nothing_of_words():
    found = Model.of(GivenSource(GivenModel({"align": ALIGN}))).align(b"x", "ein Hund")
    assert "unknown_words" not in found.to_dict() and not found.known.note()
    scores = Model.of(GivenSource(GivenModel({"score": {"score": np.float32([0.5])}})))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert scores.score(b"x", "ein Hund").tolist() == [0.5]


@pytest.mark.parametrize("place", ["saved_model", "server"])
def test_what_was_exported_answers_without_keras_and_what_comes_with_it(
    sources, models, photographs, place
):
    arguments = [sources["alignment"][place], str(photographs[0]), SENTENCE]
    result = subprocess.run(
        [sys.executable, "-c", ASKED, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    expected = models["alignment"]["model_dir"].align(photographs[0], SENTENCE)
    _assert_same(answer["found"], expected.to_dict())
    # A server's answers need no TensorFlow, either.
    assert answer["loaded"] == (["tensorflow"] if place == "saved_model" else [])
    assert answer["wanted"] == (place == "saved_model" and "Adam")


def test_for_a_few_photographs_no_time_is_spent_on_graphs(sources, monkeypatch):
    given = []
    monkeypatch.setattr(tf.config.optimizer, "set_experimental_options", given.append)
    source = ModelSource(saved_model=sources["m_rnn"]["saved_model"])
    for count in (None, 1, 1000):
        source.open("caption", num_photographs=count)
    assert given == [{"disable_meta_optimizer": True}]


def test_vectors_are_an_array_or_what_is_no_padding_of_each(models):
    images = [_pixels(seed) for seed in range(3)]
    vectors = models["embedding"]["model_dir"].embed_images(images)
    assert vectors.shape == (3, 512) and vectors.dtype == np.float32
    assert models["embedding"]["model_dir"].embed_sentences([]).shape[0] == 0
    aligner = models["alignment"]["model_dir"]
    for each in aligner.embed_images(images):
        assert each.keys() == {"regions", "boxes"}
        assert each["regions"].shape == (len(each["boxes"]), 8)
        assert each["boxes"][0].tolist() == [0, 0, 1, 1]
    long, short = aligner.embed_sentences([SENTENCE, "Boys"])
    assert long["tokens"].tolist() == ["a", "red", "dog", "plays"]
    assert (long["words"].shape, short["words"].shape) == ((4, 8), (1, 8))


@pytest.mark.parametrize("place", PLACES)
def test_lists_give_lists(models, place):
    images = [_pixels(seed) for seed in range(3)]
    aligner, captioner = models["alignment"][place], models["m_rnn"][place]
    for ask in (
        lambda images: aligner.align(images, SENTENCE),
        lambda images: aligner.localize(images, SENTENCE),
        captioner.caption,
    ):
        found = ask(images)
        for each, image in zip(found, images, strict=True):
            # Matrix products of several rows round otherwise.
            _assert_same(each.to_dict(), ask(image).to_dict(), tolerance=1e-4)
        assert ask([]) == []
        assert len(ask((images[0],))) == 1
    alone = captioner.log_prob(images[1], SENTENCE)
    assert isinstance(alone, float)
    assert captioner.log_prob(images, SENTENCE)[1] == pytest.approx(alone, rel=1e-5)


def test_many_photographs_are_asked_about_some_at_a_time():
    given = GivenModel({"align": ALIGN})
    model = Model.of(GivenSource(given))
    assert len(model.align([b"x"] * 35, "A red dog")) == 35
    assert given.batches == [16, 16, 3]


def test_one_goes_with_each_of_many(models):
    model = models["alignment"]["model_dir"]
    images, sentences = [_pixels(seed) for seed in range(3)], [SENTENCE, "Boys", "a man"]
    every = np.array([[model.score(image, text)[0] for text in sentences] for image in images])
    assert every.dtype == np.float32
    close = {"rtol": 1e-5, "atol": 1e-5}
    np.testing.assert_allclose(model.score(images, sentences), np.diag(every), **close)
    np.testing.assert_allclose(model.score(images, "Boys"), every[:, 1], **close)
    np.testing.assert_allclose(model.score(images[2], sentences), every[2], **close)
    np.testing.assert_allclose(model.score([images[2]], sentences), every[2], **close)
    assert model.score([], []).shape == (0,)


@pytest.mark.parametrize(("num_images", "num_sentences"), [(2, 3), (0, 2), (2, 0)])
def test_lists_of_different_lengths_are_refused(num_images, num_sentences):
    model = Model.of(GivenSource(GivenModel({"score": lambda **_: pytest.fail("it was asked")})))
    message = f"Received: {num_images} photographs and {num_sentences} sentences$"
    with pytest.raises(VsaTfError, match=message):
        model.score([b"x"] * num_images, ["a dog"] * num_sentences)


ASK_OF_TEXT = {
    "align": lambda model, text: model.align(b"x", text),
    "localize": lambda model, text: model.localize(b"x", text),
    "score": lambda model, text: model.score(b"x", ["a dog", text]),
    "caption": lambda model, text: model.caption(b"x", prefix=text),
    "log_prob": lambda model, text: model.log_prob(b"x", text),
    "embed_sentence": lambda model, text: model.embed_sentences(["a dog", text]),
}


@pytest.mark.parametrize("name", ASK_OF_TEXT)
@pytest.mark.parametrize("text", [["a dog"], None, b"a dog", 7])
def test_what_is_no_text_is_refused_before_the_model_is_asked(name, text):
    model = Model.of(GivenSource(GivenModel({name: lambda **_: pytest.fail("it was asked")})))
    with pytest.raises(VsaTfError, match=r"^Expected \w+ to be one text, a str. Received: "):
        ASK_OF_TEXT[name](model, text)


@pytest.mark.parametrize("name", ["align", "localize", "score"])
def test_a_blank_text_is_refused(name):
    model = Model.of(GivenSource(GivenModel({name: lambda **_: pytest.fail("it was asked")})))
    with pytest.raises(VsaTfError, match=r"^Expected \w+ to be a text with words. Received: ' "):
        ASK_OF_TEXT[name](model, " \n")


@pytest.mark.parametrize("place", PLACES)
def test_what_is_no_image_is_an_input_error_from_everywhere(models, place):
    with pytest.raises(InputError, match=r"^[^][\n]*JPEG, PNG[^][\n]*$"):
        models["m_rnn"][place].caption([_pixels(0), b"no image"])
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, "PNG")
    with pytest.raises(InputError, match=r"at least 8 x 8\)$|a side. Received: 4 4$"):
        models["alignment"][place].align(file.getvalue(), SENTENCE)


def test_a_model_says_what_it_is(sources, models):
    server, name = sources["m_rnn"]["server"].split("/")
    assert str(models["m_rnn"]["model_dir"].source) == str(sources["m_rnn"]["model_dir"])
    assert str(models["m_rnn"]["saved_model"].source) == sources["m_rnn"]["saved_model"]
    assert str(models["m_rnn"]["server"].source) == f"{name} of {server}"
    assert repr(models["m_rnn"]["model_dir"]) == (
        f"Model({sources['m_rnn']['model_dir']}, "
        "signatures=('caption', 'caption_with', 'log_prob'))"
    )
    for place in PLACES:
        assert set(models["m_rnn"][place].signatures) == {"caption", "caption_with", "log_prob"}


@pytest.mark.parametrize(
    ("place", "arguments", "message"),
    [
        ("saved_model", {"beam_size": 3}, "^beam_size goes with a model directory"),
        ("server", {"smoothness": 0.0}, "^smoothness goes with a model directory"),
        ("saved_model", {"image_encoder": "keras:VGG16"}, "^image_encoder goes with model_dir"),
        ("server", {"detector": "grid"}, "^detector goes with model_dir"),
        ("model_dir", {"beams": 3}, "Received: beams. Did you mean beam_size"),
        ("model_dir", {"num_captions": 8}, "^num_captions=8 needs .* raise beam_size, which is 7$"),
    ],
)
def test_arguments_that_do_not_go_with_a_source_are_named(sources, place, arguments, message):
    with pytest.raises(ValueError, match=message) as refused:
        open_model(sources["m_rnn"][place], **arguments)
    assert isinstance(refused.value, VsaTfError) and "--" not in str(refused.value)


def test_what_is_no_model_is_named(sources, tmp_path):
    with pytest.raises(VsaTfError, match="Received: '.*nowhere', and there is no such directory$"):
        open_model(tmp_path / "nowhere")
    with pytest.raises(VsaTfError, match="Received: '.*', which holds no SavedModel"):
        open_model(tmp_path)
    with pytest.raises(VsaTfError, match="answers 404.*stranger"):
        open_model(sources["m_rnn"]["server"].replace("m_rnn", "stranger"))


def test_a_method_that_a_model_does_not_answer_is_refused(models):
    for place in PLACES:
        with pytest.raises(VsaTfError, match="signature align. Received: one that answers"):
            models["m_rnn"][place].align(_pixels(0), SENTENCE)
    with pytest.raises(VsaTfError, match="signature score"):
        models["m_rnn"]["server"].score(_pixels(0), SENTENCE)
    with pytest.raises(VsaTfError, match="signature embed_sentence"):
        models["m_rnn"]["saved_model"].embed_sentences(SENTENCE)


def test_boxes_go_with_a_model_directory(models):
    boxes = [[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1]]
    found = models["alignment"]["model_dir"].localize(_pixels(0), "a dog", boxes)
    assert sorted(ranked.box for ranked in found.boxes) == [tuple(box) for box in boxes]
    for place in ("saved_model", "server"):
        with pytest.raises(VsaTfError, match="^boxes goes with a model directory"):
            models["alignment"][place].localize(_pixels(0), "a dog", boxes)


@pytest.mark.parametrize(
    "options",
    [
        {"prefix": "A red zebra", "num_captions": 3},
        {"beam_size": 1},
        {"beam_size": 9, "num_captions": 8, "prefix": "a"},
    ],
)
def test_captions_are_what_is_asked_for_each_time(models, sources, options):
    images = [_pixels(seed) for seed in range(2)]
    # A model that is opened with these writes the captions that one opened otherwise is asked for:
    # there the search is as wide as it says, and has no more beams.
    settings = {**ANSWERS, "num_captions": 1, **options}
    expected = open_model(sources["m_rnn"]["model_dir"], **settings).caption(
        images, settings["num_captions"]
    )
    for place in PLACES:
        found = models["m_rnn"][place].caption(images, **options)
        for each, other in zip(found, expected, strict=True):
            assert len(each.captions) == settings["num_captions"]
            _assert_same(each.to_dict(), other.to_dict(), tolerance=1e-4)


def test_caption_prints_of_a_saved_model_as_many_captions_as_asked_for(
    sources, models, tmp_path, monkeypatch, capsys
):
    paths = [str(tmp_path / f"{seed}.png") for seed in range(2)]
    for seed, path in enumerate(paths):
        Image.fromarray(_pixels(seed)).save(path)
    saved, model = f"--saved_model={sources['m_rnn']['saved_model']}", models["m_rnn"]

    def run(*arguments):
        return program_lines(monkeypatch, capsys, "caption", *arguments, *paths)

    with models_opened_once():
        for num_captions in (1, 3):  # of a model that writes two
            lines, _ = run(saved, f"--num_captions={num_captions}")
            found = model["saved_model"].caption(paths, num_captions)
            assert lines == [{"image": path, **f.to_dict()} for path, f in zip(paths, found)]
        lines, error = run(saved, "--num_captions=4")
        assert all("as many beams" in line["error"] for line in lines)
        lines, said = run(saved, "--prefix=A zebra", "--beam_size=2")
    assert "warning: the model does not know zebra" in said
    texts = [line["captions"][0]["text"] for line in lines]
    expected = model["model_dir"].caption(paths, prefix="A zebra", beam_size=2)
    assert texts == [each.captions[0].text for each in expected]
    assert all(text.startswith("a zebra") for text in texts)


@pytest.mark.parametrize("place", PLACES)
def test_words_of_a_prefix_stay_as_they_were_given(models, place):
    images, asked = [_pixels(0)], models["m_rnn"][place]
    assert len(asked.caption(images[0], 3).captions) == 3  # of a model that writes two
    assert asked.caption(images[0], prefix="A red zebra").captions[0].text.startswith("a red zebra")
    assert asked.caption(images[0], prefix="A red zebra").known.unknown_words == ("zebra",)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_captions": 4}, "as many beams.*4"),
        ({"beam_size": 2, "num_captions": 3}, "as many beams.*3"),
        ({"beam_size": 11}, "from 1 to 10 beams.*11"),
        ({"beam_size": -1}, "from 1 to 10 beams.*-1"),
        ({"num_captions": 0}, "^Expected num_captions of 1 or more. Received: num_captions=0$"),
        ({"prefix": "a red dog runs on grass"}, "fewer than 6 words.*a red dog runs on grass"),
    ],
)
def test_captions_that_cannot_be_asked_for_are_refused(models, place, options, message):
    with pytest.raises(VsaTfError, match=message):
        models["m_rnn"][place].caption(_pixels(0), **options)


def test_an_export_of_an_earlier_release_writes_captions_as_it_was_exported():
    answer = {
        "captions": np.array([["a dog"]], object),
        "log_prob": np.float32([[-1.5]]),
        "tokens": np.array([[["a", "dog"]]], object),
        "token_log_probs": np.float32([[[-1, -0.25]]]),
    }
    model = Model.of(GivenSource(GivenModel({"caption": answer})))
    assert model.caption(b"x").captions[0].text == "a dog"
    with pytest.raises(VsaTfError, match="^num_captions=3: the model was opened or exported"):
        model.caption(b"x", 3)
    with pytest.raises(VsaTfError, match="signature caption_with. Received: one that answers"):
        model.caption(b"x", prefix="a")


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        ([], "^Expected boxes to be a list of boxes .*, at least one. Received: "),
        (0.5, "at least one. Received: 0.5"),
        ([[0, 0, 1]], "^Expected box 0 of boxes to be"),
        (np.float32([[0, 0, 1, 1], [0, 0.5, 1, 0.5]]), "^Expected box 1 of boxes to be"),
        ([[0, 0, np.nan, 1]], "box 0 of boxes"),
        (np.array([[0, 0, 20, 30]]), r"from 0 to 1, .* Received: \[0, 0, 20, 30\]"),
        ([["0", "0", "1", "1"]], "box 0 of boxes"),
    ],
)
def test_boxes_that_are_none_are_named(models, boxes, message):
    with pytest.raises(VsaTfError, match=message):
        models["alignment"]["model_dir"].localize(_pixels(0), "a dog", boxes)


@pytest.mark.parametrize("place", PLACES)
def test_a_bad_photograph_of_a_list_is_named(models, place):
    good = _pixels(0)
    for bad in (b"no image", "nowhere.jpg", np.zeros(3)):
        for ask in (
            lambda images: models["m_rnn"][place].caption(images),
            lambda images: models["alignment"][place].score(images, "a dog"),
            models["alignment"][place].embed_images,
        ):
            with pytest.raises(InputError, match="^photograph 2 of the list: "):
                ask([good, good, bad, good])
    with pytest.raises(InputError, match="^nowhere.jpg: No such file"):
        models["m_rnn"][place].caption(["nowhere.jpg"])


def test_large_photographs_are_asked_about_fewer_at_a_time():
    given = GivenModel({"align": ALIGN, "score": lambda sentences, **_: {"score": np.ones(1)}})
    model = Model.of(GivenSource(given))
    images = [bytes(7 << 20)] * 5
    assert len(model.align(images, "A red dog")) == 5
    model.score(images, "A red dog")
    assert given.batches == [2, 2, 1] * 2


def test_one_photograph_is_read_once_for_many_sentences(models, monkeypatch):
    model = models["alignment"]["model_dir"]
    read = []
    batch = model.opened.reader.batch
    monkeypatch.setattr(
        model.opened.reader, "batch", lambda *args: read.append(len(args[0])) or batch(*args)
    )
    assert model.score(_pixels(77), ["a dog", "boys", "a man"]).shape == (3,)
    assert read == [1]
