"""Models that learn how trained ones score the pairs of their batches, or what they write."""

import shutil
import types

import numpy as np
import pytest

from tests.data import small_records
from tests.training.small_runs import arrays, assert_same, train
from vsa_tf.errors import VsaTfError
from vsa_tf.evaluation.caption_methods import CaptionMethods
from vsa_tf.evaluation.combined_retrieval import split_scores
from vsa_tf.evaluation.evaluation import CaptionOptions, GivenSplits
from vsa_tf.model_dir.load_split import load_split, read_records
from vsa_tf.model_dir.trained_model import TrainedModel
from vsa_tf.settings import Settings, check
from vsa_tf.training.teachers import ScoringTeachers, WritingTeachers
from vsa_tf.training.train_model import make_plan, train_model

CAPTIONER = {
    **{"model": "m_rnn", "joint_size": None, "recurrent_size": 4, "multimodal_size": 4},
    **{"min_count": 1, "max_caption_words": 4},
}
EMBEDDING = {"model": "embedding", "hidden_size": 4, "text_hidden_size": 4, "min_count": 1}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    small_records.write_records(folder)
    return folder


@pytest.fixture(scope="module")
def alignment(data_dir, tmp_path_factory):
    model_dir = tmp_path_factory.mktemp("teachers") / "alignment"
    train(data_dir, model_dir, num_epochs=1)
    return model_dir


@pytest.fixture(scope="module")
def captioner(data_dir, tmp_path_factory):
    model_dir = tmp_path_factory.mktemp("teachers") / "captioner"
    train_captioner(data_dir, model_dir, num_epochs=1)
    return model_dir


def train_captioner(data_dir, model_dir, say=None, **values):
    """Trains a small generator of captions as `train` does."""
    return train(data_dir, model_dir, say, **{**CAPTIONER, **values})


@pytest.fixture(scope="module")
def embedding(data_dir, tmp_path_factory):
    model_dir = tmp_path_factory.mktemp("teachers") / "embedding"
    train(data_dir, model_dir, num_epochs=1, **EMBEDDING)
    return model_dir


def test_teachers_score_as_evaluations_do_each_by_its_own_deviation(data_dir, alignment, embedding):
    records = read_records(data_dir, "train")
    lines = []
    teachers = ScoringTeachers([alignment, embedding], 0.5, records, lines.append)
    teachers.embed()
    assert [str(each) in line for each, line in zip((alignment, embedding), lines)] == [True] * 2
    images, sentences = np.array([3, 0, 3, 5]), np.array([17, 1, 16, 25])
    expected = np.zeros((4, 4))
    for model_dir in (alignment, embedding):
        trained = TrainedModel(model_dir)
        data = load_split(trained, data_dir, "train")
        scores = split_scores(trained.model, data, records.num_captions)
        scores = scores[np.ix_(images, sentences)]
        expected += scores / scores.std() / 2 / 0.5
    received = teachers.scores(images, sentences)
    assert received.dtype == np.float32
    # Vectors are kept in float16.
    np.testing.assert_allclose(received, expected, atol=0.02)


@pytest.mark.parametrize("student", [{}, EMBEDDING], ids=["alignment", "embedding"])
def test_a_student_learns_what_its_teachers_share_says(data_dir, alignment, student, tmp_path):
    student = {"num_epochs": 2, **student}
    train(data_dir, tmp_path / "alone", **student)
    taught = {**student, "teachers": str(alignment)}
    train(data_dir, tmp_path / "unheard", teacher_weight=0.0, **taught)
    assert_same(tmp_path / "alone", tmp_path / "unheard")
    train(data_dir, tmp_path / "taught", **taught)
    pairs = zip(arrays(tmp_path / "alone").values(), arrays(tmp_path / "taught").values())
    assert any((one != other).any() for one, other in pairs)


def assert_goes_on(data_dir, tmp_path, **taught):
    """Of two epochs of three steps, `stopped` after the first, all comes out as in `whole`."""

    def say(line):
        if line.startswith("epoch 1:"):
            raise KeyboardInterrupt

    train(data_dir, tmp_path / "whole", **taught)
    with pytest.raises(KeyboardInterrupt):
        train(data_dir, tmp_path / "stopped", say, **taught)
    lines = train(data_dir, tmp_path / "stopped", **taught)
    assert "going on from step 3 of 6" in lines
    assert_same(tmp_path / "whole", tmp_path / "stopped")


def test_a_student_that_was_stopped_goes_on_as_if_it_had_not_been(data_dir, embedding, tmp_path):
    teacher = shutil.copytree(embedding, tmp_path / "teacher")
    # Batches of 15, 15 and 10, and steps in bfloat16: teachers score in float32 all the same.
    taught = {"num_epochs": 2, "teachers": str(teacher), "batch_size": 15}
    taught["mixed_precision"] = "true"
    assert_goes_on(data_dir, tmp_path, **taught)
    # What goes on needs the very teachers; what is done needs none any more.
    with np.load(teacher / "checkpoint_best.npz") as file:
        weights = {name: value + 1 if value.ndim == 2 else value for name, value in file.items()}
    np.savez(teacher / "checkpoint_best.npz", **weights)
    with pytest.raises(VsaTfError, match="/teacher holds other weights than when the run began"):
        train(data_dir, tmp_path / "stopped", **{**taught, "num_epochs": 3})
    shutil.rmtree(teacher)
    lines = train(data_dir, tmp_path / "stopped", **taught)
    assert not any("a teacher" in line for line in lines)
    with pytest.raises(VsaTfError, match="teachers=.*/teacher: Expected a model directory"):
        train(data_dir, tmp_path / "stopped", **{**taught, "num_epochs": 3})


def test_a_teacher_that_is_not_trained_to_its_end_is_told(data_dir, alignment, tmp_path):
    def taught_by(teacher):
        lines = []
        ScoringTeachers([teacher], 0.6, read_records(data_dir, "train"), lines.append)
        return lines

    assert taught_by(alignment) == []
    half = shutil.copytree(alignment, tmp_path / "half")
    (half / "metrics.json").unlink()
    (line,) = taught_by(half)
    assert line.endswith("/half has not been trained to its end: its best so far")


def test_every_host_has_its_rows_of_the_scores_of_the_whole_batch(data_dir, alignment):
    records = read_records(data_dir, "train")
    data = load_split(TrainedModel(alignment), data_dir, "train")
    teachers = ScoringTeachers([alignment], 0.6, records)
    teachers.embed()
    plan = make_plan(Settings.load(alignment), data)

    class OfHost:
        """The rows of the second of four hosts."""

        widths, batch_size, has_smaller_batch = plan.widths, 5, False
        num_captions = plan.num_captions

        def batch(self, step):
            width, captions = plan.batch(step)
            return width, captions[5:10]

        def whole_batch(self, step):
            return plan.batch(step)[1], slice(5, 10)

    batches = data.pipeline.taught_by(teachers).training_batches(OfHost(), 0, 2)
    assert batches.element_spec["teacher_scores"].shape == (5, 20)
    for step, batch in enumerate(batches):
        captions = plan.batch(step)[1]
        whole = teachers.scores(records.image_of_caption[captions], captions)
        np.testing.assert_array_equal(batch["teacher_scores"], whole[5:10])


def test_who_cannot_teach_is_refused_before_the_directory_is_begun(
    data_dir, alignment, tmp_path_factory, tmp_path
):
    folder = tmp_path_factory.mktemp("teachers")
    splits = {"dev_split": "train", "test_split": "train"}
    small = {"data_dir": data_dir, "num_epochs": 1, "num_pictures": 0, "recurrent_size": 4}
    train_model(Settings.of("m_rnn", model_dir=folder / "captioner", **splits, **small))
    with pytest.raises(VsaTfError, match="defrag or embedding, .*/captioner, of model=m_rnn"):
        train(data_dir, tmp_path / "model", teachers=f"{alignment},{folder / 'captioner'}")
    others = tmp_path_factory.mktemp("others")
    small_records.write_records(others)
    small_records.change_info(others, encoder={"spec": "another"})
    with pytest.raises(VsaTfError, match="teachers=.*features the model was trained on"):
        train(others, tmp_path / "model", teachers=str(alignment))
    assert not (tmp_path / "model").exists()

    def edit(image, values):
        small_records.set_dependencies(values, [[("nsubj", "w4", "w5"), ("det", "w5", "w6")]] * 5)

    parsed = tmp_path_factory.mktemp("parsed")
    small_records.write_records(parsed, edit=edit)
    train(parsed, folder / "relations", num_epochs=1, fragments="dependencies", min_count=1)
    with pytest.raises(VsaTfError, match="teachers=.*/relations: Expected dependency relations"):
        train(data_dir, tmp_path / "model", teachers=str(folder / "relations"))
    train(parsed, tmp_path / "model", teachers=str(folder / "relations"), num_epochs=1)


@pytest.mark.parametrize(
    ("model", "values", "message"),
    [
        ("alignment", {"teachers": "nowhere"}, "teachers=nowhere: Expected a model directory"),
        ("alignment", {"teacher_weight": 0.7}, "teacher_weight has no meaning without teachers"),
        ("alignment", {"teachers": "TEACHER", "negatives": "sum"}, "they need negatives=softmax"),
        ("embedding", {"teachers": "TEACHER", "task": "region_phrase"}, "no task=region_phrase"),
        ("alignment", {"teachers": "a/b,a/b/"}, "teachers=DIR,DIR and so on, each once"),
        ("alignment", {"teachers": "own/"}, "teachers names model_dir=.*/own itself"),
        ("alignment", {"teachers": "a,"}, "teachers=DIR,DIR and so on, each once"),
        ("alignment", {"teachers": "a, a"}, "teachers=DIR,DIR and so on, each once"),
        ("defrag", {"teachers": "TEACHER"}, "teachers is not a setting of model=defrag"),
        (
            "m_rnn",
            {"teachers": "TEACHER"},
            "be caption generators that see whole .*, of model=alignment",
        ),
        ("m_rnn", {"teachers": "BLIND"}, "be caption generators that see .*, of model=m_rnn$"),
        ("m_rnn", {"teachers": "OF_REGIONS"}, "be caption .*, of model=dvsa_rnn of regions$"),
        ("m_rnn", {"teachers": "a", "num_hosts": 2}, "write captions on one host: several"),
        ("m_rnn", {"teachers": "a", "augmentation": "mirror"}, "which write others, leave it out"),
        ("dvsa_rnn", {"teachers": "a", "snippets": "records"}, "photographs: leave out snippets"),
        ("m_rnn", {"teachers": "a,a"}, "teachers=DIR,DIR and so on, each once"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(
    data_dir, alignment, tmp_path, monkeypatch, model, values, message
):
    monkeypatch.chdir(tmp_path)
    blind, of_regions = ("m_rnn", {"variant": "rnn_base"}), ("dvsa_rnn", {"snippets": "records"})
    for name, (other, of_other) in {"BLIND": blind, "OF_REGIONS": of_regions}.items():
        (tmp_path / name).mkdir()
        settings = Settings.of(other, **of_other)
        (tmp_path / name / "config.json").write_text(settings.to_json({}))
    teacher = {"teachers": str(alignment)} if values.get("teachers") == "TEACHER" else {}
    places = {"data_dir": data_dir, "model_dir": tmp_path / "own"}
    with pytest.raises(VsaTfError, match=message):
        check(Settings.of(model, **places, **{**values, **teacher}))


def test_a_model_that_goes_on_from_a_student_has_no_teachers(data_dir, alignment, tmp_path):
    train(data_dir, tmp_path / "first", num_epochs=1, teachers=str(alignment), teacher_weight=0.7)
    settings = Settings.of(start_from=tmp_path / "first").model
    assert (settings.teachers, settings.teacher_weight) == ("", 0.5)


def test_captions_that_are_learnt_are_the_teachers_most_like_peoples(data_dir, captioner):
    trained = TrainedModel(captioner)
    data = load_split(trained, data_dir, "train")
    lines = []
    teachers = WritingTeachers([captioner], 20, data.records, lines.append)
    learnt = teachers.learnt(data)
    assert lines[0] == f"writing captions of train by {captioner}, a teacher"
    options = CaptionOptions(num_hypotheses=10)
    methods = CaptionMethods(
        trained.model, data, trained.settings.model, options, GivenSplits(data)
    )
    ranking = CaptionMethods.of_texts(data, methods.hypotheses.texts).oracle("cider")
    for image, (tokens, order) in enumerate(zip(methods.hypotheses.tokens, ranking.order)):
        # Five captions of each photograph, the best first.
        rows = [learnt.tokens.row(5 * image + place).tolist() for place in range(5)]
        # An empty caption is none.
        expected = [tokens[place] for place in order if tokens[place]]
        assert [data.text.decode(row) for row in rows] == expected[:5]
    best = [scores.max() for scores in ranking.scores]
    assert lines[-1].endswith(f"have a CIDEr-D of {np.mean(best):.3g} with people's")
    # What models are evaluated by stays people's.
    assert learnt.records is data.records
    assert data.tokens.row(0).tolist() != learnt.tokens.row(0).tolist()
    plan = make_plan(trained.settings, learnt)
    (batch,) = learnt.pipeline.training_batches(plan, num_steps=1)
    captions = plan.batch(0)[1]
    width = batch["token_ids"].shape[1]
    np.testing.assert_array_equal(batch["token_ids"], learnt.tokens.padded(captions, width))


def test_where_few_captions_were_written_the_best_are_learnt_again_where_none_peoples(
    data_dir, captioner, monkeypatch
):
    data = load_split(TrainedModel(captioner), data_dir, "train")
    own = data.records.captions
    written = [["", own[3], own[0]], ["", ""], *([["w8"]] * 6)]
    of_teachers(monkeypatch, written)
    lines = []
    learnt = WritingTeachers([captioner], 20, data.records, lines.append).learnt(data)
    texts = [data.text.decode(learnt.tokens.row(caption).tolist()) for caption in range(15)]
    own = data.caption_tokens[:5]
    assert sorted(texts[:2]) == [own[0], own[3]] and texts[2:5] == [*texts[:2], texts[0]]
    assert texts[5:10] == data.caption_tokens[5:10]
    assert texts[10:] == [["w8"]] * 5
    assert "40 captions to learn, 27 of them again, 5 as people wrote them" in lines[-1]


def of_teachers(monkeypatch, written):
    """Has all teachers write these captions, a list of str of each photograph."""
    hypotheses = types.SimpleNamespace(texts=written)
    monkeypatch.setattr("vsa_tf.evaluation.caption_methods.caption_split", lambda *_: hypotheses)


def test_captions_longer_than_peoples_are_learnt(data_dir, captioner, tmp_path, monkeypatch):
    data = load_split(TrainedModel(captioner), data_dir, "train")
    longest = int(data.tokens.lengths.max())
    caption = " ".join(["w5", "w6"] * longest)
    of_teachers(monkeypatch, [[caption]] * 8)
    taught = {"teachers": str(captioner), "num_epochs": 1, "num_buckets": 3}
    lines = train_captioner(data_dir, tmp_path / "whole", **taught)
    assert any(line.startswith("40 captions to learn, 32 of them again") for line in lines)
    # Other captions than a run began with would make other batches.
    of_teachers(monkeypatch, [["w5 w7"]] * 8)
    with pytest.raises(VsaTfError, match="other captions here than when the run began"):
        train_captioner(data_dir, tmp_path / "whole", **{**taught, "num_epochs": 2})
    # Longer than the student reads: their end is cut, and what it does not know is told.
    of_teachers(monkeypatch, [["unheard of w5"]] * 8)
    taught |= {"max_words": 2}
    lines = train_captioner(data_dir, tmp_path / "cut", **taught)
    assert any("100% of the words are unknown" in line for line in lines)


def test_two_teachers_of_captions_write_more_than_each(data_dir, captioner, tmp_path, monkeypatch):
    train_captioner(data_dir, tmp_path / "other", num_epochs=1, seed=4)
    monkeypatch.setattr("vsa_tf.training.teachers._NUM_HYPOTHESES", 3)
    data = load_split(TrainedModel(captioner), data_dir, "train")

    def of_first(*model_dirs):
        lines = []
        learnt = WritingTeachers(model_dirs, 20, data.records, lines.append).learnt(data)
        rows = {tuple(learnt.tokens.row(caption)) for caption in range(5)}
        return rows, float(lines[-1].split("CIDEr-D of ")[1].split()[0])

    one, other = of_first(captioner), of_first(tmp_path / "other")
    both = of_first(captioner, tmp_path / "other")
    assert one[0] != other[0] and both[0] <= one[0] | other[0]
    assert len(both[0]) == min(5, len(one[0] | other[0]))
    assert both[1] >= max(one[1], other[1])


def test_a_student_that_writes_goes_on_as_if_it_had_not_been_stopped(data_dir, captioner, tmp_path):
    taught = {"num_epochs": 2, "teachers": str(captioner), "batch_size": 15, "num_buckets": 4}
    assert_goes_on(data_dir, tmp_path, **{**CAPTIONER, **taught})
    train_captioner(data_dir, tmp_path / "alone", **{**taught, "teachers": ""})
    pairs = zip(arrays(tmp_path / "alone").values(), arrays(tmp_path / "whole").values())
    assert any((one != other).any() for one, other in pairs)


def test_a_student_is_chosen_by_its_captions_whatever_it_starts_from(data_dir, captioner, tmp_path):
    assert Settings.load(captioner).model.selection == "perplexity"
    student = {"start_from": captioner, "teachers": str(captioner)}
    assert Settings.of(**student).model.selection == "CIDEr"
    assert Settings.of(**student, selection="perplexity").model.selection == "perplexity"
    assert Settings.of(start_from=captioner).model.selection == "perplexity"
    train_captioner(data_dir, tmp_path / "student", num_epochs=1, **student)
    # It has no teachers of its own, and is chosen as any other.
    assert Settings.load(tmp_path / "student").model.selection == "CIDEr"
    assert Settings.of(start_from=tmp_path / "student").model.selection == "perplexity"
