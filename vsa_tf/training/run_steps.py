"""The steps of a run: what is left of them, between which it is evaluated, and their schedule."""

from vsa_tf.errors import VsaTfError
from vsa_tf.settings import Settings
from vsa_tf.training.callbacks import steps_within
from vsa_tf.training.optimizer import learning_rate


def checkpoint_interval(settings, plan):
    """Returns the steps between two checkpoints."""
    return settings.training.steps_per_checkpoint or plan.steps_per_epoch


def check_interval(training, interval):
    """Refuses steps between checkpoints that are not whole executions."""
    if interval % training.steps_per_execution:
        raise VsaTfError(
            f"Expected --steps_per_execution to divide the {interval} steps between two "
            f"checkpoints. Received: --steps_per_execution={training.steps_per_execution}"
        )


def check_epochs(progress, settings, plan):
    """Refuses a run of fewer epochs than are trained already."""
    num_epochs, interval = settings.training.num_epochs, checkpoint_interval(settings, plan)
    steps, total_steps = progress["steps"], num_epochs * plan.steps_per_epoch
    # Stopped on its way to a checkpoint that a run of so few epochs would not have, or would reach
    # with no step left for its schedule.
    is_past = (
        "within" in progress
        and progress["schedule"]["num_epochs"] > num_epochs
        and steps > total_steps
    )
    # The last checkpoint may stand behind the last epoch.
    if is_past or steps >= total_steps + interval:
        raise VsaTfError(
            f"{settings.training.model_dir} holds a run of {steps / plan.steps_per_epoch:.3g} "
            "epochs. Received: "
            f"--num_epochs={num_epochs}; give at least as many, or another --model_dir"
        )


def intervals_left(progress, interval, total_steps):
    """Returns what is to be trained yet, a list of `(steps, number of intervals of so many)`.

    Args:
        progress: the progress dict of the run. `within`, see `EvaluateAndSave`, is taken out where
            there are fewer steps between checkpoints than it tells of.
        interval: steps between two checkpoints.
        total_steps: of the run; the last checkpoint may stand behind them.
    """
    within = steps_within(progress)
    if within >= interval:
        within = 0
        del progress["within"]
    number = -(-(total_steps - progress["steps"] + within) // interval)
    parts = [(interval - within, 1), (interval, number - 1)] if within else [(interval, number)]
    return [(num_steps, number) for num_steps, number in parts if number > 0]


def set_schedule(model, progress, settings, model_dir, total_steps, say):
    """Notes in `progress` where the schedule begins; a run of another length begins one anew."""
    training = settings.training
    if "schedule" not in progress:
        before = Settings.load(model_dir).training if progress["steps"] else training
        progress["schedule"] = {"start": 0, "num_epochs": before.num_epochs}
    schedule = progress["schedule"]
    if schedule["num_epochs"] != training.num_epochs:
        schedule |= {"start": progress["steps"], "num_epochs": training.num_epochs}
        if settings.optimizer.learning_rate_schedule != "constant":
            say(
                f"--num_epochs was another: the learning rate begins anew at step "
                f"{schedule['start']}, for {total_steps - schedule['start']} steps"
            )
    if schedule["start"]:
        rate = learning_rate(settings.optimizer, total_steps, schedule["start"])
        if callable(rate):
            model.optimizer.learning_rate = rate
