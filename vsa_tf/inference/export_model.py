"""The work of `vsa_tf.export`."""

import json
import math
import pathlib
import shutil

from vsa_tf.program import ProgramError
from vsa_tf.saved_models.answer_differences import answer_differences
from vsa_tf.saved_models.examples import read_examples
from vsa_tf.saved_models.exported_model import ExportedModel
from vsa_tf.saved_models.graph_model import GraphModel
from vsa_tf.saved_models.live_model import LiveModel
from vsa_tf.saved_models.model_card import model_card, write_model_card
from vsa_tf.saved_models.warm_up import write_warm_up

LARGEST_DIFFERENCE = 1e-4


def export_model(options, settings):
    """Writes a trained model as a SavedModel, once its answers are those of the model itself.

    Args:
        options: `ExportOptions`.
        settings: the `AnswerSettings`.

    Returns:
        Directory of the new version, a `pathlib.Path`.

    Raises:
        ProgramError: model, encoder, detector or examples cannot be used, or an answer differs.
    """
    live = LiveModel(options.model_dir, options.image_encoder, options.detector, settings)
    training, data = live.trained.settings.training, live.trained.settings.data
    examples = read_examples(
        options.data_dir or data.data_dir,
        options.split or training.dev_split,
        options.num_examples,
        options.example_image,
        live.trained.settings.model.reads_dependencies,
    )
    export_dir = pathlib.Path(options.export_dir)
    export_dir.mkdir(parents=True, exist_ok=True)
    version = _next_version(export_dir)
    # Servers look for numbers only: they never see half of a version.
    temporary = export_dir / f".{version}.partial"
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        print(f"writing version {version}", flush=True)
        graph = GraphModel(live)
        graph.save(temporary)
        print(f"comparing its answers to {len(examples.sentences)} examples", flush=True)
        differences = answer_differences(live, ExportedModel(temporary), examples)
        check_differences(differences)
        has_warm_up = write_warm_up(temporary, training.model, live.signatures, examples)
        if not has_warm_up:
            print("left out warm-up requests: they need the package tensorflow-serving-api")
        metrics = _metrics(pathlib.Path(options.model_dir))
        card = model_card(live, graph.functions, metrics, differences, has_warm_up)
        write_model_card(temporary, card)
        temporary.rename(export_dir / str(version))
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    for name, signature in card["signatures"].items():
        print(f"{name:16} largest difference {signature['largest_difference']:.1e}")
    print(f"wrote {export_dir / str(version)}")
    return export_dir / str(version)


def check_differences(differences):
    """Refuses answers that are too far apart.

    Args:
        differences: of `answer_differences`.

    Raises:
        ProgramError: names the largest difference.
    """
    largest, name, output = max(
        (difference, name, output)
        for name, outputs in differences.items()
        for output, difference in outputs.items()
    )
    if largest > LARGEST_DIFFERENCE:
        amount = f"by {largest:.3g}" if math.isfinite(largest) else "in its text or shape"
        raise ProgramError(
            f"The exported model is not the trained one: {output} of {name} differs {amount} "
            f"(allowed: {LARGEST_DIFFERENCE}). Nothing was written; please report this"
        )


def _next_version(export_dir):
    versions = [int(folder.name) for folder in export_dir.iterdir() if folder.name.isdigit()]
    return max(versions, default=0) + 1


def _metrics(model_dir):
    path = model_dir / "metrics.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
