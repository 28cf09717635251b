"""Models that learn how trained ones score the pairs of their batches."""

import shutil

import numpy as np
import pytest

from tests.data import small_records
from tests.training.small_runs import arrays, assert_same, train
from vsa_tf.errors import VsaTfError
from vsa_tf.evaluation.combined_retrieval import split_scores
from vsa_tf.model_dir.load_split import load_split, read_records
from vsa_tf.model_dir.trained_model import TrainedModel
from vsa_tf.settings import Settings, check
from vsa_tf.training.teachers import Teachers
from vsa_tf.training.train_model import make_plan, train_model

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
def embedding(data_dir, tmp_path_factory):
    model_dir = tmp_path_factory.mktemp("teachers") / "embedding"
    train(data_dir, model_dir, num_epochs=1, **EMBEDDING)
    return model_dir


def test_teachers_score_as_evaluations_do_each_by_its_own_deviation(data_dir, alignment, embedding):
    records = read_records(data_dir, "train")
    lines = []
    teachers = Teachers([alignment, embedding], 0.5, records, lines.append)
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


def test_a_student_that_was_stopped_goes_on_as_if_it_had_not_been(data_dir, embedding, tmp_path):
    def say(line):
        if line.startswith("epoch 1:"):
            raise KeyboardInterrupt

    teacher = shutil.copytree(embedding, tmp_path / "teacher")
    # Batches of 15, 15 and 10, and steps in bfloat16: teachers score in float32 all the same.
    taught = {"num_epochs": 2, "teachers": str(teacher), "batch_size": 15}
    taught["mixed_precision"] = "true"
    train(data_dir, tmp_path / "whole", **taught)
    with pytest.raises(KeyboardInterrupt):
        train(data_dir, tmp_path / "stopped", say, **taught)
    lines = train(data_dir, tmp_path / "stopped", **taught)
    assert "going on from step 3 of 6" in lines
    assert_same(tmp_path / "whole", tmp_path / "stopped")
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
        Teachers([teacher], 0.6, read_records(data_dir, "train"), lines.append)
        return lines

    assert taught_by(alignment) == []
    half = shutil.copytree(alignment, tmp_path / "half")
    (half / "metrics.json").unlink()
    (line,) = taught_by(half)
    assert line.endswith("/half has not been trained to its end: its best so far")


def test_every_host_has_its_rows_of_the_scores_of_the_whole_batch(data_dir, alignment):
    records = read_records(data_dir, "train")
    data = load_split(TrainedModel(alignment), data_dir, "train")
    teachers = Teachers([alignment], 0.6, records)
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

    batches = data.pipeline.training_batches(OfHost(), 0, 2, teachers=teachers)
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
    ],
)
def test_settings_that_do_not_go_together_are_refused(
    data_dir, alignment, tmp_path, monkeypatch, model, values, message
):
    teacher = {"teachers": str(alignment)} if values.get("teachers") == "TEACHER" else {}
    monkeypatch.chdir(tmp_path)
    places = {"data_dir": data_dir, "model_dir": tmp_path / "own"}
    with pytest.raises(VsaTfError, match=message):
        check(Settings.of(model, **places, **{**values, **teacher}))


def test_a_model_that_goes_on_from_a_student_has_no_teachers(data_dir, alignment, tmp_path):
    train(data_dir, tmp_path / "first", num_epochs=1, teachers=str(alignment), teacher_weight=0.7)
    settings = Settings.of(start_from=tmp_path / "first").model
    assert (settings.teachers, settings.teacher_weight) == ("", 0.5)
