"""A training run, from records to metrics."""

import contextlib
import pathlib

import keras
import numpy as np

from vsa_tf.data.augmentation import make_augmentation
from vsa_tf.data.batch_plan import BatchPlan, NeighborhoodPlan, choose_bucket_widths
from vsa_tf.errors import VsaTfError
from vsa_tf.evaluation.evaluate_model import make_evaluator
from vsa_tf.evaluation.evaluation import EvaluationOptions, GivenSplits
from vsa_tf.evaluation.generated_scenes import generate_data
from vsa_tf.evaluation.metrics_file import evaluation_report, metrics_lines
from vsa_tf.evaluation.retrieval_metrics import chance_line
from vsa_tf.files import sealed, write_json
from vsa_tf.model_dir.checkpoint import restore_checkpoint
from vsa_tf.model_dir.load_split import (
    captions_to_learn,
    dependencies_to_learn,
    model_view,
    read_records,
)
from vsa_tf.model_dir.trained_model import load_start, load_text, take_over
from vsa_tf.models.layers.image_network import RegionCrop
from vsa_tf.models.model_table import make_model
from vsa_tf.program import silent
from vsa_tf.settings import check
from vsa_tf.training.callbacks import EvaluateAndSave, ShowSteps, TensorBoardEvents, stop_signals
from vsa_tf.training.compiling import (
    HostPlan,
    all_devices,
    await_hosts,
    check_distribution,
    check_same_settings,
    compile_options,
    execution_scope,
    spread_batches,
    this_host,
)
from vsa_tf.training.learn_text import (
    check_text_tower,
    learn_text,
    set_initial_weights,
    unknown_words_line,
)
from vsa_tf.training.optimizer import learning_rate, make_optimizer
from vsa_tf.training.run_directory import (
    begin_model_dir,
    check_model_dir,
    check_splits,
    final_split,
    model_dir_lock,
    model_inputs,
    resolved_settings,
)
from vsa_tf.training.run_steps import (
    check_epochs,
    check_interval,
    checkpoint_interval,
    intervals_left,
    set_schedule,
)
from vsa_tf.training.teachers import (
    check_same_captions,
    check_same_teachers,
    check_teachers,
    make_teachers,
)


def train_model(settings, say=silent, stream=None):
    """Does what `train_and_evaluate` does; returns the content of `metrics.json`."""
    return train_and_evaluate(settings, say, stream)[0]


def train_and_evaluate(settings, say=silent, stream=None):
    """Trains, or goes on training, and evaluates the best weights.

    Data order, dropout and schedules are functions of the step, and the state is saved whole at
    every checkpoint: a run killed at any moment and started again ends with the same weights. One
    that is given more epochs trains longer. SIGINT and SIGTERM end it after a step, with a
    checkpoint; not where several hosts train together, which only a kill ends.

    Args:
        settings: `Settings`. Their report_dir and export_dir are the program's, which goes on with
            `write_report` and `export_model`; nothing is written there here.
        say: called with each line about the run.
        stream: text file for the progress within an epoch; None: it is not shown.

    Returns:
        `(report, data, evaluation)`: the content of `metrics.json`, and the `SplitData` and
        `Evaluation` that it is of; of several hosts the first alone has these two.

    Raises:
        VsaTfError: settings contradict one another, or the model directory is of another run.
        KeyboardInterrupt: the run was told to stop, and has; the same call goes on with it.
    """
    check(settings)
    check_distribution(settings.training)
    keras.utils.set_random_seed(settings.training.seed)
    before = keras.config.dtype_policy()
    with all_devices(settings.training):
        check_same_settings(settings)
        is_first = this_host()[0] == 0
        if settings.data.dataset and is_first:
            generate_data(settings, stream)
            # What is drawn is no matter of whether it had to be generated.
            keras.utils.set_random_seed(settings.training.seed)
        await_hosts()
        try:
            return _train(settings, say if is_first else silent, stream if is_first else None)
        finally:
            # Pages and exports of the same process compute as those of any other.
            keras.config.set_dtype_policy(before)


def _train(settings, say, stream):
    model_dir = pathlib.Path(settings.training.model_dir)
    last = model_dir / "checkpoint_last.npz"
    info = check_splits(settings)
    if settings.data.num_regions > info.num_regions:
        say(
            f"{info.data_dir} holds {info.num_regions} regions of an image, fewer than "
            f"--num_regions={settings.data.num_regions}: all are used"
        )
    if not last.is_file():
        check_teachers(settings, info)
    num_captions = info.splits[settings.training.train_split].num_sentences
    settings = resolved_settings(settings, model_dir, num_captions, say)
    keras.config.set_dtype_policy(
        "mixed_bfloat16" if settings.training.mixed_precision == "true" else "float32"
    )
    splits, start = _load_splits(settings, model_dir, say)
    train, dev = splits[settings.training.train_split], splits[settings.training.dev_split]
    # What the devices cannot share is refused here.
    plan = HostPlan(make_plan(settings, train))
    steps_per_epoch = plan.steps_per_epoch
    total_steps = settings.training.num_epochs * steps_per_epoch
    check_interval(settings.training, checkpoint_interval(settings, plan))
    inputs = model_inputs(train)
    check_model_dir(settings, model_dir, inputs, train.text)
    with execution_scope(settings.training):
        model = make_model(settings, inputs, len(train.text.vocabulary), steps_per_epoch)
        model.compile(
            optimizer=make_optimizer(settings.optimizer, total_steps),
            **compile_options(settings.training, say),
        )
        model.optimizer.build(model.trainable_variables)
    if settings.training.distribution == "mirrored":
        spread_batches(model)
    if not last.is_file():
        set_initial_weights(model, train.text, settings, say)
    if start:
        take_over(model, train.text, start, say)
    is_first = this_host()[0] == 0
    with model_dir_lock(model_dir) if is_first else contextlib.nullcontext():
        # Again: another run may have begun there meanwhile.
        check_model_dir(settings, model_dir, inputs, train.text)
        progress = {"steps": 0, "best": None, "history": []}
        if last.is_file():
            progress = restore_checkpoint(last, model.variables + model.optimizer.variables)
            check_epochs(progress, settings, plan)
            say(f"going on from step {progress['steps']} of {total_steps}")
        set_schedule(model, progress, settings, model_dir, total_steps, say)
        parts = intervals_left(progress, checkpoint_interval(settings, plan), total_steps)
        # After the model, whose weights and dropout are then those of a run without teachers.
        teachers = make_teachers(settings, train.records, say) if parts else None
        if teachers is not None:
            check_same_teachers(progress, teachers)
        # What a run goes on from is read by all before the first writes.
        await_hosts()
        if is_first:
            begin_model_dir(settings, model_dir, inputs, train.text)
        if parts:
            _fit(model, settings, plan, train, dev, teachers, parts, progress, say, stream)
        await_hosts()
        restore_checkpoint(model_dir / "checkpoint_best.npz", model.variables)
        return _finish(model, settings, splits, model_dir, say)


def _fit(model, settings, plan, train, dev, teachers, parts, progress, say, stream):
    """Runs the steps that are left, with an evaluation and a checkpoint every so many."""
    learnt = train
    if teachers is not None:
        learnt = teachers.learnt(train)
        check_same_captions(progress, learnt)
        # Captions of other lengths make other batches; the number of steps is the same.
        plan = HostPlan(make_plan(settings, learnt))
    interval = checkpoint_interval(settings, plan)
    total_steps = settings.training.num_epochs * plan.steps_per_epoch
    last_step = progress["steps"] + sum(num_steps * number for num_steps, number in parts)
    if last_step != total_steps:
        say(
            f"training ends with the checkpoint of step {last_step}, not with step "
            f"{total_steps}: --steps_per_checkpoint={interval} does not divide the steps"
        )
    model_dir = pathlib.Path(settings.training.model_dir)
    evaluator = make_evaluator(settings, splits=GivenSplits(train))
    options = EvaluationOptions(intervals=False, num_pictures=settings.training.num_pictures)
    is_first = this_host()[0] == 0
    events = TensorBoardEvents(model_dir, settings, is_first)
    pairs = min(settings.data.batch_size, plan.num_captions) if settings.model.sums_pairs else 1

    def rows(first, last):
        return sum(len(plan.whole_batch(step)[0]) for step in range(first, last))

    rate = learning_rate(settings.optimizer, total_steps, progress["schedule"]["start"])
    augmentation = make_augmentation(settings.data.augmentation, train, settings.training.seed, say)
    crop = RegionCrop(settings.model.crop_size) if train.from_pixels else None
    with stop_signals() if this_host()[1] == 1 else contextlib.nullcontext() as told:
        checkpoints = EvaluateAndSave(
            evaluator=evaluator,
            evaluate=lambda: evaluator.evaluate(model, dev, options),
            model_dir=model_dir,
            progress=progress,
            interval=interval,
            steps_per_epoch=plan.steps_per_epoch,
            rows=rows,
            pairs=pairs,
            events=events,
            say=say,
            saves=is_first,
            told=told,
        )
        # First: the other counts the steps of an epoch as done at its end.
        callbacks = [ShowSteps(progress, interval, rows, pairs, rate, events, stream), checkpoints]
        for part, (num_steps, number) in enumerate(parts):
            if part:
                # Keras leaves averages, where the optimizer keeps them, in the place of weights.
                await_hosts()
                restore_checkpoint(
                    model_dir / "checkpoint_last.npz", model.variables + model.optimizer.variables
                )
            model.fit(
                learnt.training_batches(plan, progress["steps"], augmentation, crop),
                steps_per_epoch=num_steps,
                epochs=number,
                callbacks=callbacks,
                verbose=0,
                shuffle=False,
            )
    # It may have been told after the last checkpoint.
    checkpoints.stop_if_told()


def _finish(model, settings, splits, model_dir, say):
    """Evaluates the best weights on the test split; writes metrics.json and pictures.

    Returns:
        That of `train_and_evaluate`.
    """
    train = splits[settings.training.train_split]
    name = final_split(settings, train.records.info)
    data = splits.get(name)
    if data is None:
        records = read_records(settings.data.data_dir, name, say)
        data = model_view(records, train.text, settings, say=say)
    evaluator = make_evaluator(settings, splits=GivenSplits(train))
    options = EvaluationOptions(num_pictures=settings.training.num_pictures)
    evaluation = evaluator.evaluate(model, data, options)
    report = evaluation_report(settings, data, evaluation.metrics)
    if this_host()[0]:
        return report, None, None
    for file_name, content in {"metrics.json": sealed(report), **evaluation.files}.items():
        write_json(model_dir / file_name, content)
    for line in filter(None, (*metrics_lines(report), chance_line(report))):
        say(line)
    (model_dir / "pictures").mkdir(exist_ok=True)
    for number, (_, picture) in enumerate(evaluation.pictures.values()):
        path = model_dir / "pictures" / f"{settings.training.model}_{number:02d}.png"
        keras.utils.save_img(path, picture, scale=False)
    if evaluation.pictures:
        say(f"pictures: {model_dir / 'pictures'}")
    return report, data, evaluation


def _load_splits(settings, model_dir, say):
    """Reads the training and dev splits; learns the vocabulary, or takes that of model_dir.

    Returns:
        `(splits, start)`: dict of name to `SplitData`, and the `TrainedModel` of `--start_from`;
        None where there is none, or the run has begun.
    """
    training = settings.training
    names = (training.train_split, training.dev_split)
    text = load_text(model_dir, settings)
    if text is None and not training.start_from:
        check_text_tower(settings)  # before the records, which take their time
    records = {name: read_records(settings.data.data_dir, name, say) for name in names}
    to_learn = records[training.train_split]
    start = None
    if training.start_from and not (model_dir / "checkpoint_last.npz").is_file():
        start = load_start(settings, to_learn)
    if text is None:
        captions = captions_to_learn(to_learn, settings)
        dependencies = dependencies_to_learn(to_learn, settings)
        text = learn_text(captions, settings, dependencies, say, start and start.text)
    splits = {
        name: model_view(split, text, settings, name == training.train_split, say)
        for name, split in records.items()
    }
    for line in filter(None, map(unknown_words_line, splits.values())):
        say(line)
    return splits, start


def make_plan(settings, train):
    """Returns the plan of a run: with several texts of an image a batch, if the model asks for it.

    Args:
        settings: `Settings`.
        train: `SplitData` of the training split.

    Raises:
        VsaTfError: the split cannot fill a batch that the model learns from.
    """
    # A sentence without fragments has a row, too.
    lengths, records = np.maximum(train.tokens.lengths, 1), train.records
    if settings.model.contrasts_images and records.num_images < 2:
        raise VsaTfError(
            f"--model={settings.training.model} learns by telling photographs apart: expected two "
            f"or more in split {records.split}. Received: {records.num_images}"
        )
    seed, num_neighbors = settings.training.seed, settings.model.num_neighbors
    if num_neighbors > 1:
        of_phrases = settings.model.pairs_phrases
        groups = records.phrase_chains if of_phrases else records.image_of_caption
        try:
            return NeighborhoodPlan(
                lengths, groups, settings.data.batch_size, num_neighbors, seed=seed
            )
        except ValueError as error:
            raise VsaTfError(f"--batch_size, --num_neighbors: {error}") from error
    # Sentence features have one length, whatever the sentence's.
    num_buckets = 1 if train.text.sentence_feature else settings.data.num_buckets
    return BatchPlan(
        lengths,
        records.image_of_caption,
        settings.data.batch_size,
        bucket_boundaries=choose_bucket_widths(lengths, num_buckets),
        seed=seed,
    )
