import dataclasses

import numpy as np
import pytest

from tests.models.captioning.small_captioners import attended, batch_of, make_batch, make_captioner
from vsa_tf.models.captioning.dvsa_rnn import CELLS, IMAGE_STEPS, DvsaRnn
from vsa_tf.models.captioning.settings import DvsaRnnSettings


def _arrays(layer):
    return [np.array(weight, np.float64) for weight in layer.weights]


def _logits(model, feature, words, regions=None):
    """docs/equations.md 2.1, word by word, of one sentence without padding."""
    (x,), (w_hx,), (w_hi,), (w_oh, b_o) = (
        _arrays(layer)
        for layer in (
            model.word_table,
            model.word_projection,
            model.image_projection,
            model.softmax,
        )
    )
    w_hh, b_h = _arrays(model.recurrence.cell)
    b_v = feature @ w_hi
    h, logits = np.zeros(len(b_h)), []
    for t, token in enumerate([1, *words], 1):
        shown = b_v if t == 1 or model.image_at == "every" else 0
        h = np.maximum(0, x[token] @ w_hx + h @ w_hh + b_h + shown)
        seen = 0 if regions is None else attended(model, h, regions)
        logits.append((h + seen) @ w_oh + b_o)
    return np.array(logits)


class TestDvsaRnn:
    @pytest.mark.parametrize("image_at", IMAGE_STEPS)
    def test_logits_are_those_of_the_equations(self, image_at):
        batch = make_batch()
        model = make_captioner("dvsa_rnn", image_at=image_at)
        logits = np.array(model(batch))
        assert logits.shape == (4, 6, 9)
        for row, token_ids in enumerate(batch["token_ids"]):
            words = token_ids[token_ids != 0]
            expected = _logits(model, batch["region_features"][row, 0].astype("float64"), words)
            np.testing.assert_allclose(
                logits[row, : len(words) + 1], expected, rtol=1e-4, atol=1e-5
            )

    def test_every_word_attends_to_regions(self):
        model, batch = make_captioner("dvsa_rnn attention"), batch_of("dvsa_rnn attention")
        logits = np.array(model(batch))
        for row, token_ids in enumerate(batch["token_ids"]):
            words = token_ids[token_ids != 0]
            regions = batch["region_features"][row][batch["region_mask"][row]].astype("float64")
            expected = _logits(model, regions[0], words, regions)
            np.testing.assert_allclose(
                logits[row, : len(words) + 1], expected, rtol=1e-4, atol=1e-5
            )

    def test_a_box_in_its_frame_is_one_long_feature(self):
        batch = make_batch(num_regions=2)
        model = make_captioner("dvsa_rnn", batch)
        assert model.image_projection.kernel.shape == (10, 4)  # both features, end to end
        words = batch["token_ids"][0]
        feature = batch["region_features"][0].astype("float64").reshape(-1)
        np.testing.assert_allclose(
            model(batch)[0], _logits(model, feature, words), rtol=1e-4, atol=1e-5
        )

    @pytest.mark.parametrize(("cell", "image_at"), [("gru", "first"), ("lstm", "every")])
    def test_other_cells_see_the_image_at_the_same_steps(self, cell, image_at):
        batch = make_batch(size=1)
        model = make_captioner("dvsa_rnn", cell=cell, image_at=image_at)
        image = model.encode_images(batch)
        words = model.embed(batch["token_ids"], image)
        first = np.float32([[[1], [0], [0], [0], [0]]])
        shown = np.array(model.recurrent_input(words, image, first)) - words
        steps = first if image_at == "first" else np.ones_like(first)
        np.testing.assert_allclose(shown, steps * image["recurrent"], rtol=1e-4, atol=1e-6)

    def test_there_are_as_many_weights_as_in_the_equations(self):
        model = DvsaRnn(50, cell="rnn")
        model(make_batch())
        # x, W_hx, W_hi of a feature of 5, W_hh and b_h, W_oh and b_o; all widths are 512.
        expected = 50 * 512 + 512 * 512 + 5 * 512 + (512 * 512 + 512) + (512 * 50 + 50)
        assert model.count_params() == expected

    @pytest.mark.parametrize(("cell", "gates"), [("gru", 3), ("lstm", 4)])
    def test_other_cells_have_gates(self, cell, gates):
        model = make_captioner("dvsa_rnn", cell=cell)
        kernel, recurrent_kernel, _ = model.recurrence.cell.weights
        assert kernel.shape == recurrent_kernel.shape == (4, gates * 4)

    def test_flags_and_model_have_the_same_choices(self):
        choices = {
            field.name: field.metadata["choices"] for field in dataclasses.fields(DvsaRnnSettings)
        }
        assert (choices["cell"], choices["image_at"]) == (CELLS, IMAGE_STEPS)

    @pytest.mark.parametrize("setting", [{"cell": "relu"}, {"image_at": "last"}])
    def test_other_settings_are_refused(self, setting):
        ((name, value),) = setting.items()
        with pytest.raises(ValueError, match=f"Expected {name} to be one of.*{name}='{value}'"):
            DvsaRnn(9, **setting)
