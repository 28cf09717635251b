"""Reports of tiny models, trained on generated scenes."""

import datetime
import functools
import html.parser
import json
import pathlib
import re
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from tests.data.small_records import set_dependencies, write_records
from vsa_tf.data import schema
from vsa_tf.data.record_split import RecordSplit
from vsa_tf.errors import VsaTfError
from vsa_tf.evaluation.generated_scenes import generate_data
from vsa_tf.files import read_sealed, sealed, write_json
from vsa_tf.reporting.report_folder import ReportOptions
from vsa_tf.reporting.write_report import write_report
from vsa_tf.settings import Settings
from vsa_tf.training.train_model import train_and_evaluate, train_model

NUM_IMAGES = 5
_NETWORK = {
    "joint_size": 8,
    "hidden_size": 8,
    "text_hidden_size": 8,
    "text": "gru",
    "recurrent_size": 4,
    "word_embedding_size": 4,
    "crop_size": 16,
}
MODELS = {
    "alignment": ("alignment", {"crop_size": 16, "joint_size": 8}),
    "captions": ("m_rnn", {"crop_size": 16}),
    "retrieval": ("embedding", _NETWORK),
    "phrases": ("embedding", {**_NETWORK, "task": "region_phrase"}),
    "similarity": ("similarity", {**_NETWORK, "task": "region_phrase"}),
}
SECTIONS = {
    "alignment": [
        *("recall", "images", "queries", "magnitudes", "image_search", "image_annotation"),
        *("neighbors", "phrases"),
    ],
    # Of pixels: images are similar by what the model makes of them.
    "captions": ["images", "training", "reranking", "neighbors"],
    "retrieval": ["recall", "images", "image_search", "image_annotation", "neighbors"],
    "phrases": ["phrases", "queries"],
    "similarity": ["phrases"],
}


# Of each kind of model what training has returned of its own evaluation.
_EVALUATED = {}


@pytest.fixture(scope="module")
def make(tmp_path_factory):
    """Trains a model and writes its report, each once; returns `(report, projector)`."""
    folder = tmp_path_factory.mktemp("reports")

    @functools.cache
    def make(kind):
        name, values = MODELS[kind]
        settings = Settings.of(
            name,
            data_dir=str(folder / "data"),
            dataset="shape_scenes",
            num_examples=f"6,{NUM_IMAGES},3",
            min_count=1,
            image_size=32,
            batch_size=8,
            optimizer="adam",
            model_dir=str(folder / kind),
            num_epochs=1,
            num_pictures=0,
            **values,
        )
        generate_data(settings)
        _, *_EVALUATED[kind] = train_and_evaluate(settings)
        report, projector = folder / f"{kind}_report", folder / f"{kind}_projector"
        finds_regions = settings.model.searches_regions
        queries = {"num_frequent_queries": 2} if finds_regions else {}
        options = ReportOptions(images_per_page=2, **queries)
        said = []
        write_report(folder / kind, None, "dev", report, options, projector, say=said.append)
        (folder / f"{kind}_said.txt").write_text("\n".join(said))
        return report, projector

    with pytest.MonkeyPatch.context() as patch:
        # METEOR, which takes seconds to start, has tests of its own.
        patch.setattr("vsa_tf.metrics.caption_scores.shutil.which", lambda _: None)
        yield make


@pytest.fixture(params=list(MODELS))
def kind(request):
    return request.param


def _groups(report, page):
    text = (report / "data" / f"{page}.js").read_text("ascii")
    return json.loads(text.partition(" = ")[2].rstrip("\n;"))["groups"]


def _cards(report, page):
    return [card for group in _groups(report, page) for card in group["cards"]]


def test_each_page_is_said_when_it_is_made(kind, make):
    report, _ = make(kind)
    said = (report.parent / f"{kind}_said.txt").read_text().splitlines()
    start = said.index("making the pages")
    assert "evaluating dev" in said[:start]
    made = [line.removeprefix("made the page ") for line in said[start + 1 :] if "made" in line]
    # All but the first and the curves, which show no photographs.
    titles = {
        re.search(r"<h1>(.*)</h1>", path.read_text("utf-8"))[1]
        for path in report.glob("*.html")
        if path.stem not in ("index", "recall")
    }
    assert set(made) == titles and len(made) == len(titles)


@pytest.mark.parametrize("kind", ["alignment", "captions"])
def test_what_training_has_evaluated_is_not_evaluated_again(kind, make, monkeypatch, tmp_path):
    model_dir = make(kind)[0].parent / kind
    write_report(model_dir, None, "test", tmp_path / "made")
    monkeypatch.setattr("vsa_tf.reporting.write_report.make_evaluator", None)
    write_report(model_dir, None, "test", tmp_path / "given", evaluated=_EVALUATED[kind])
    made, given = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}
        for folder in (tmp_path / "made", tmp_path / "given")
    )
    assert made == given


class _References(html.parser.HTMLParser):
    """Collects what a page refers to."""

    def __init__(self, text):
        super().__init__()
        self.names = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.names += [values[name] for name in ("href", "src") if name in values]


def test_each_model_has_its_sections(make, kind):
    report, _ = make(kind)
    names = {path.stem.rpartition("_0")[0] or path.stem for path in report.glob("*.html")}
    assert names == {"index", *SECTIONS[kind]}


def test_all_that_pages_refer_to_is_there_and_nothing_is_of_another_place(make, kind):
    report, _ = make(kind)
    for path in report.glob("*.html"):
        for name in _References(path.read_text("utf-8")).names:
            assert name in ("#content", "data:,") or (report / name).is_file(), name
    for path in report.glob("data/*.js"):
        for card in _cards(report, path.stem):
            with Image.open(report / card["photograph"]["file"]) as photograph:
                size = card["photograph"]["width"], card["photograph"]["height"]
                assert (photograph.format, photograph.size) == ("JPEG", size)


def test_every_image_has_a_place_and_its_captions(make):
    for kind in ("alignment", "captions", "retrieval"):
        report, _ = make(kind)
        records = RecordSplit(report.parent / "data", "dev")
        pages = [_cards(report, f"images_{number:03d}") for number in (1, 2, 3)]
        assert [len(cards) for cards in pages] == [2, 2, 1]
        cards = sum(pages, [])
        assert [card["title"] for card in cards] == records.filenames
        for image, card in enumerate(cards):
            lines = [" ".join(part["text"] for part in line["parts"]) for line in card["lines"]]
            captions = records.captions[slice(*records.first_caption[image : image + 2])]
            assert lines[-len(captions) :] == [" ".join(caption.split()) for caption in captions]


def _phrases(report):
    """The phrases of each card, list of lists of str."""
    pages = sorted(path.stem for path in report.glob("phrases_*.html"))
    return [
        [line["parts"][0]["text"] for line in card["lines"]]
        for page in pages
        for card in _cards(report, page)
    ]


def test_every_phrase_is_looked_for(make):
    report, _ = make("alignment")
    records = RecordSplit(report.parent / "data", "dev")
    every, with_box = [], []
    for image, phrases in enumerate(records.phrases):
        chains = {chain.name for chain in records.chains[image]}
        every.append([])
        with_box.append([])
        for phrase in phrases:
            words = records.captions[records.first_caption[image] + phrase.caption_index].split()
            text = " ".join(words[phrase.first_word : phrase.first_word + phrase.num_words])
            every[-1].append(text)
            if phrase.chain in chains:
                with_box[-1].append(text)
    assert _phrases(report) == every
    # A network that learns from boxes knows of no others.
    assert _phrases(make("phrases")[0]) == with_box != every


def test_metrics_are_those_of_evaluation(make):
    report, _ = make("retrieval")
    text = (report / "index.html").read_text("utf-8")
    metrics = json.loads((report.parent / "retrieval" / "metrics.json").read_text("utf-8"))
    assert "ties count against" in text
    assert "--joint_size=8" in text
    assert f"<dt>photographs</dt><dd>{NUM_IMAGES}</dd>" in text
    assert metrics["protocol"]["retrieval"] in text


def test_titles_name_the_data_the_split_and_the_run(make, kind):
    report, _ = make(kind)
    expected = f"data (shape_scenes), dev · {MODELS[kind][0]}, run {kind}"
    for path in report.glob("*.html"):
        text = path.read_text("utf-8")
        assert f" · {expected}</title>" in text
        assert f'<p class="report">{expected}</p>' in text
    text = (report / "index.html").read_text("utf-8")
    saved = (report.parent / kind / "checkpoint_best.npz").stat().st_mtime
    when = datetime.datetime.fromtimestamp(saved)
    assert f"<dd>{when:%Y-%m-%d %H:%M}, epoch 1 of 1, the best on dev</dd>" in text


def test_several_models_have_their_curves_side_by_side(make, tmp_path):
    model_dirs = [make(kind)[0].parent / kind for kind in ("retrieval", "alignment")]
    same = tmp_path / "elsewhere" / "retrieval"
    shutil.copytree(model_dirs[0], same)
    given = [*model_dirs, same]
    write_report(given, None, "dev", tmp_path / "both", ReportOptions(max_images=1))
    text = (tmp_path / "both" / "recall.html").read_text("utf-8")
    # A further run of the first one's name does not take its place.
    assert text.count(f">embedding, run retrieval ({same})</th>") == 2
    for model_dir, name in zip(model_dirs, ("embedding", "alignment")):
        report = model_dir.parent / f"{model_dir.name}_report"
        # Alone, each had the same.
        rows = re.findall(rf">{name}, run {model_dir.name}</th>.*", text)
        assert len(rows) == 2
        assert all(row in (report / "recall.html").read_text("utf-8") for row in rows)


@pytest.mark.parametrize("kind", ["retrieval", "captions"])
def test_models_of_other_features_are_refused_before_anything_is_evaluated(
    make, tmp_path, monkeypatch, kind
):
    folder = make(kind)[0].parent
    make("retrieval")
    shutil.copytree(folder / "retrieval", tmp_path / "other")
    values = read_sealed(tmp_path / "other" / "config.json")
    values["inputs"]["encoder"] = {"spec": "other"}
    write_json(tmp_path / "other" / "config.json", sealed(values))
    monkeypatch.setattr("vsa_tf.reporting.write_report.make_evaluator", None)
    of_captions = kind == "captions"
    model_dirs = [folder / kind, *([] if of_captions else [tmp_path / "other"])]
    options = ReportOptions(retrieval_model=str(tmp_path / "other") if of_captions else "")
    with pytest.raises(VsaTfError, match="Expected records with the features .* of other"):
        write_report(model_dirs, None, "dev", tmp_path / "report", options)


def test_a_split_of_one_image_says_why_it_has_no_curves(make, tmp_path):
    model_dir = make("retrieval")[0].parent / "retrieval"
    data = {"data_dir": str(tmp_path / "data"), "image_size": 32}
    generate_data(
        Settings.of("embedding", dataset="shape_scenes", num_examples="1,1,1", min_count=1, **data)
    )
    write_report(model_dir, tmp_path / "data", "dev", tmp_path / "report")
    assert not (tmp_path / "report" / "recall.html").exists()
    text = (tmp_path / "report" / "index.html").read_text("utf-8")
    assert "<dt>recall curves</dt><dd>None: a single image" in text


def test_a_model_of_sentences_chooses_training_captions(make, tmp_path):
    folder = make("captions")[0].parent
    make("retrieval")
    options = ReportOptions(max_images=2, retrieval_model=str(folder / "retrieval"))
    write_report(folder / "captions", None, "dev", tmp_path / "beside", options)
    training = RecordSplit(folder / "data", "train").captions
    cards = _cards(tmp_path / "beside", "training")
    assert len(cards) == 2
    for card in cards:
        line = card["lines"][1]
        assert line["parts"][0]["text"] in training and line["note"].startswith("score ")


def test_a_model_of_relations_shows_the_box_of_each(tmp_path):
    def edit(image, values):
        values[schema.CAPTION_RAW] = ["A dog runs", "Boats", "Dogs"]
        set_dependencies(values, [[("nsubj", "runs", "dog"), ("det", "dog", "A")], [], []])

    (tmp_path / "data").mkdir()
    write_records(tmp_path / "data", 4, images_stored=True, edit=edit)
    settings = Settings.of(
        "defrag",
        data_dir=str(tmp_path / "data"),
        model_dir=str(tmp_path / "model"),
        min_count=1,
        batch_size=4,
        num_epochs=1,
        num_pictures=0,
        joint_size=4,
        dev_split="train",
        test_split="train",
    )
    train_model(settings)
    write_report(tmp_path / "model", None, "train", tmp_path / "report")
    lines = [line for card in _cards(tmp_path / "report", "images_001") for line in card["lines"]]
    assert [part["text"] for part in lines[1]["parts"]] == [
        *("A dog runs —", "nsubj(runs, dog)", "det(dog, a)")
    ]
    assert [part["text"] for part in lines[2]["parts"]] == ["Boats"]
    (group,) = _groups(tmp_path / "report", "queries")
    assert group["title"] == "nsubj(runs, dog)"


def test_queries_are_asked_and_those_without_words_refused(make, tmp_path):
    report, _ = make("alignment")
    model_dir = report.parent / "alignment"
    options = ReportOptions(query=("red <b>",), num_frequent_queries=0, max_images=1)
    write_report(model_dir, None, "dev", tmp_path / "asked", options)
    (group,) = _groups(tmp_path / "asked", "queries")
    assert group["title"] == "red <b>"
    scores = [float(card["note"]) for card in group["cards"]]
    assert len(scores) == 10 and scores == sorted(scores, reverse=True)
    assert len(_cards(tmp_path / "asked", "images_001")) == 1
    assert len(_groups(report, "queries")) <= 2
    with pytest.raises(VsaTfError, match="has no words"):
        write_report(model_dir, None, "dev", tmp_path / "no", ReportOptions(query=(" .",)))


def test_the_projector_has_a_vector_a_line_and_a_tile_for_each_point(make, kind):
    _, projector = make(kind)
    vectors = np.loadtxt(projector / "vectors.tsv", delimiter="\t", ndmin=2)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-3)
    lines = (projector / "metadata.tsv").read_text("utf-8").splitlines()
    assert lines[0] == "text\tkind\tfile"
    assert len(lines) == 1 + len(vectors)
    kinds = [line.split("\t")[1] for line in lines[1:]]
    if kind in ("alignment", "retrieval"):
        assert kinds == ["image"] * NUM_IMAGES + ["sentence"] * NUM_IMAGES
    else:
        assert set(kinds) == {"image" if kind == "captions" else "phrase"}
    with Image.open(projector / "sprites.png") as sprites:
        columns = sprites.width // 64
    assert (columns - 1) ** 2 < len(vectors) <= columns**2
    config = (projector / "projector_config.pbtxt").read_text("utf-8")
    for name in ("vectors.tsv", "metadata.tsv", "sprites.png"):
        assert f'"{name}"' in config


@pytest.mark.skipif(not shutil.which("chromium"), reason="there is no chromium here")
def test_a_browser_shows_text_as_text(make, tmp_path):
    report, _ = make("alignment")
    shutil.copytree(report, tmp_path / "report")
    hostile = "<img src=x onerror=\"document.title='run'\"></script>"
    script = tmp_path / "report" / "data" / "images_001.js"
    groups = _groups(report, "images_001")
    groups[0]["cards"][0]["lines"][0]["parts"][0]["text"] = hostile
    script.write_text(f"window.reportPage = {json.dumps({'groups': groups})};")
    page = pathlib.Path(tmp_path / "report" / "images_001.html").as_uri()
    result = subprocess.run(
        [
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--virtual-time-budget=2000",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--dump-dom",
            page,
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.stdout.count("<article") == len(groups[0]["cards"])
    assert "<title>Images, page 1 of 3" in result.stdout
    assert "&lt;img src=x onerror=" in result.stdout


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("defrag", ReportOptions(query=("dog",)), "^query is not for this defrag model"),
        ("m_rnn", ReportOptions(query=("dog",)), "^query is not for this m_rnn model"),
    ],
)
def test_a_report_without_pages_is_refused_before_the_model_is_loaded(
    tmp_path, model, options, message
):
    (tmp_path / "config.json").write_text(Settings.of(model).to_json({}), encoding="utf-8")
    with pytest.raises(VsaTfError, match=message):
        write_report(tmp_path, output_dir=tmp_path / "pages", options=options)
    assert not (tmp_path / "pages").exists()
