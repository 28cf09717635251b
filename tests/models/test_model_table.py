"""The models that settings describe: one vocabulary, one default, and every setting arrives."""

import dataclasses
import inspect
import json

import keras
import pytest

from vsa_tf.errors import VsaTfError
from vsa_tf.models.alignment.word_encoder import WordEncoder
from vsa_tf.models.layers.image_network import ConvolutionalEncoder, CropNetwork
from vsa_tf.models.layers.vector_length import FEATURE_NORMALIZATIONS
from vsa_tf.models.model_table import MODELS, make_model
from vsa_tf.settings import Settings

FEATURES = {"num_regions": 3, "region_feature_size": 5}
PIXELS = {"num_regions": 3, "region_feature_size": 0}
SMALL = {
    "alignment": {"joint_size": 6, "word_embedding_size": 4},
    "defrag": {"joint_size": 6, "word_embedding_size": 4},
    "dvsa_rnn": {"hidden_size": 6, "word_embedding_size": 4},
    "m_rnn": {"recurrent_size": 6, "word_embedding_size": 4, "multimodal_size": 5},
    "embedding": {"text": "gru", "joint_size": 6, "hidden_size": 5, "text_hidden_size": 4},
    "similarity": {"text": "gru", "joint_size": 6, "hidden_size": 5, "text_hidden_size": 4},
}
# What a model is told by the records, and what the paper leaves no choice of.
NO_SETTINGS = {"vocabulary_size", "num_relations", "image_network"}


def _make(model, inputs=FEATURES, steps_per_epoch=1, **values):
    settings = Settings.of(model, image_size=32, **values)
    if settings.model.reads_dependencies:
        inputs = {**inputs, "num_relations": 5}
    if settings.model.reads_sentence_features:
        inputs = {**inputs, "sentence_feature_size": 7}
    return make_model(settings, inputs, 9, steps_per_epoch)


def _defaults(network):
    """Defaults of all constructor arguments of a model, those that a base class takes too."""
    defaults = {}
    for each in network.__mro__[: network.__mro__.index(keras.Model)]:
        for name, parameter in inspect.signature(each.__init__).parameters.items():
            if parameter.kind is parameter.POSITIONAL_OR_KEYWORD and name != "self":
                defaults.setdefault(name, parameter.default)
    return defaults


def _other(field):
    """A value that is allowed, and not the default."""
    if field.metadata["choices"]:
        return next(each for each in reversed(field.metadata["choices"]) if each != field.default)
    if field.type is bool:
        return not field.default
    return field.default // 2 + 1 if field.type is int else field.default / 2 + 0.125


@pytest.mark.parametrize("name", MODELS)
def test_a_model_and_its_settings_have_one_vocabulary_and_one_default(name):
    settings, defaults = MODELS[name].settings().network(), _defaults(MODELS[name].load())
    assert settings.keys() <= defaults.keys()
    assert settings == {argument: defaults[argument] for argument in settings}
    unset = defaults.keys() - settings.keys() - NO_SETTINGS
    # Of words; fragments of DeFrag are relations.
    assert unset == ({"cell"} if name == "defrag" else set())


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_made_by_one_call(name, monkeypatch):
    network, calls = MODELS[name].load(), []
    call = network.call

    def counted(model, batch, training=False):
        calls.append(batch)
        return call(model, batch, training)

    monkeypatch.setattr(network, "call", counted)
    model = _make(name, **SMALL[name])
    assert len(calls) == 1 and model.built and all(layer.built for layer in model.layers)


@pytest.mark.parametrize("name", MODELS)
def test_every_setting_reaches_the_model(name):
    fields = dataclasses.fields(MODELS[name].settings)
    values = {field.name: _other(field) for field in fields if field.metadata["of_network"]}
    if name == "embedding":
        values["learn_temperature"] = False  # it has no meaning with other than its negatives
    settings = Settings.of(name, **values)
    own = settings.model.network(num_epochs=settings.training.num_epochs)
    assert own.items() >= values.items()
    model = _make(name, **values)
    config = model.get_config()
    assert config.items() >= {**own, "vocabulary_size": 9, "image_network": None}.items()
    revived = type(model).from_config(json.loads(json.dumps(config)))
    assert revived.get_config() == config


@pytest.mark.parametrize("name", MODELS)
def test_features_are_scaled_in_the_same_ways_by_all_models(name):
    limits = [
        field.metadata["choices"]
        for field in dataclasses.fields(MODELS[name].settings)
        if field.name in ("feature_normalization", "text_normalization")
    ]
    assert set(limits) == {FEATURE_NORMALIZATIONS}


@pytest.mark.parametrize(
    ("name", "values", "layer", "expected"),
    [
        (
            "alignment",
            {"cell": "gru", "dropout": 0.25, "word_activation": "tanh"},
            "sentence_encoder",
            {"units": 6, "vocabulary_size": 9, "word_embedding_size": 4},
        ),
        (
            "alignment",
            {"dropout": 0.25, "frame_context": True, "feature_normalization": "l2"},
            "region_encoder",
            {"units": 6, "region_geometry": False},
        ),
        ("alignment", {"region_hidden_size": 5}, "region_encoder", {"units": 6, "hidden_size": 5}),
        (
            "alignment",
            {"margin": 0.2, "negatives": "top_k", "num_hard_negatives": 3},
            "ranking_loss",
            {},
        ),
        (
            "alignment",
            {"fragments": "dependencies", "word_activation": "tanh", "dropout": 0.25},
            "sentence_encoder",
            {"units": 6, "vocabulary_size": 9, "num_relations": 5, "word_embedding_size": 4},
        ),
        (
            "defrag",
            {"train_word_vectors": False, "word_activation": "linear", "dropout": 0.25},
            "sentence_encoder",
            {"units": 6, "vocabulary_size": 9, "num_relations": 5, "word_embedding_size": 4},
        ),
        (
            "defrag",
            {"region_geometry": True, "feature_normalization": "l2", "dropout": 0.25},
            "region_encoder",
            {"units": 6, "frame_context": True},
        ),
        ("dvsa_rnn", {"train_word_vectors": False}, "word_table", {"output_dim": 4}),
        ("dvsa_rnn", {"cell": "gru"}, "recurrence", {"units": 6}),
        ("m_rnn", {"cell": "lstm"}, "recurrence", {"units": 6}),
        (
            "embedding",
            {"text_to_image_weight": 4.0, "text_neighborhood_weight": 0.5, "margin": 0.1},
            "two_branch_loss",
            {"image_to_text_weight": 1.0, "num_hard_negatives": 10},
        ),
        (
            "embedding",
            {"batch_norm_at": "last", "dropout": 0.25, "input_dropout": 0.75},
            "image_branch",
            {"units": 6, "hidden_size": 5},
        ),
        ("similarity", {"linear_branches": True}, "text_branch", {"units": 6, "hidden_size": 4}),
        (
            "similarity",
            {"recurrent_size": 3, "word_pooling": "max", "word_dropout": 0.25},
            "sentence_recurrence",
            {"cell": "gru", "vocabulary_size": 9, "word_embedding_size": 300},
        ),
        ("similarity", {"bidirectional": True}, "sentence_recurrence", {"cell": "gru"}),
        ("similarity", {"num_fusion_layers": 2}, "fusion", {"num_layers": 2}),
        ("similarity", {"fusion": "bilinear"}, "fusion", {"num_layers": 3}),
    ],
)
def test_settings_reach_the_layer_that_they_are_of(name, values, layer, expected):
    config = getattr(_make(name, **{**SMALL[name], **values}), layer).get_config()
    assert config.items() >= expected.items()
    of_layer = values.keys() & config.keys()
    assert {each: config[each] for each in of_layer} == {each: values[each] for each in of_layer}


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        (
            "alignment",
            {"negatives": "hardest", "hardness_warmup_epochs": 1.5},
            {"hardness_warmup_steps": 15},
        ),
        (
            "defrag",
            {"fragment_start_epochs": 1.5, "multiple_instance_start_epochs": 2.0},
            {"fragment_start_steps": 15, "multiple_instance_start_steps": 20},
        ),
        # The last two of twenty epochs; all that there are.
        ("embedding", {"num_epochs": 20}, {"neighborhood_start_step": 180}),
        ("embedding", {"num_epochs": 1}, {"neighborhood_start_step": 0}),
        (
            "embedding",
            {"neighborhood_epochs": 0, "num_epochs": 20},
            {"neighborhood_start_step": 200},
        ),
    ],
)
def test_epochs_become_steps(name, values, expected):
    config = _make(name, steps_per_epoch=10, **SMALL[name], **values).get_config()
    assert config.items() >= expected.items()


@pytest.mark.parametrize("name", MODELS)
def test_pixels_bring_a_network_and_features_none(name):
    network = _make(name, PIXELS, crop_size=16, **SMALL[name]).image_network
    assert isinstance(network, CropNetwork) and network.size == 16
    assert isinstance(network.network, ConvolutionalEncoder) and network.built
    assert _make(name, crop_size=16, **SMALL[name]).image_network is None


def test_fragments_are_words_unless_records_have_relations():
    assert isinstance(_make("alignment", **SMALL["alignment"]).sentence_encoder, WordEncoder)


@pytest.mark.parametrize("cnn", ["keras:NoSuchNet", "keras:resnet"])
def test_unknown_networks_are_one_error(cnn):
    with pytest.raises(VsaTfError) as error:
        _make("alignment", PIXELS, cnn=cnn)
    assert str(error.value) == (
        f"Expected cnn to be small or keras:NAME of keras.applications. Received: cnn={cnn!r}"
    )


def test_a_mistyped_network_is_told_with_what_was_meant():
    with pytest.raises(VsaTfError, match="cnn='keras:vgg16'. Did you mean keras:VGG16.$"):
        _make("alignment", PIXELS, cnn="keras:vgg16")


def test_what_a_model_refuses_is_an_error_of_the_settings():
    with pytest.raises(VsaTfError, match="Expected negatives='softmax' with learn_temperature"):
        _make("embedding", learn_temperature=True, negatives="top_k", **SMALL["embedding"])
