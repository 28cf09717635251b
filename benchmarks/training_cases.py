"""Models, settings and generated batches of the training steps that benchmarks measure.

The settings are those of the papers (flags/flickr8k_*_paper.flags), without dropout, so that a
step has one result; every part of the loss counts from the first step on.
"""

import dataclasses

import numpy as np

from vsa_tf.models.model_table import MODELS, make_model
from vsa_tf.settings_flags import settings_from_flagfile

SEED = 0
_WIDE = {"joint_size": 1024}
# Of image features: CaffeNet's and VGG's last layer in the papers; the widest of Keras's CNNs.
_PAPERS, _LARGE = {"feature_size": 4096}, {"feature_size": 2560}
_ALIGNED = {"batch_size": 100, "num_regions": 20, "vocabulary_size": 3000, "widths": (12, 20)}
_ALIGNED_LARGE = {"batch_size": 512, "num_regions": 20, "vocabulary_size": 10_000, "widths": (30,)}
_CAPTIONS = {"batch_size": 100, "vocabulary_size": 3000, "widths": (12, 20)}
_CAPTIONS_LARGE = {"batch_size": 512, "vocabulary_size": 10_000, "widths": (30,)}
_FISHER = {"sentence_feature_size": 6000}
_SMALL = {"feature_size": 32, "vocabulary_size": 50, "batch_size": 40, "widths": (4, 6)}
_NARROW = {"joint_size": 64}

# What a case of a model has at each size: fields of `Case`.
SIZES = {
    "papers": {
        "alignment": {**_PAPERS, **_ALIGNED},
        "defrag": {**_PAPERS, **_ALIGNED, "num_relations": 40},
        "dvsa_rnn": {**_PAPERS, **_CAPTIONS},
        "m_rnn": {**_PAPERS, **_CAPTIONS},
        "embedding": {**_PAPERS, **_FISHER, "batch_size": 500},
        "similarity": {**_PAPERS, **_FISHER, "batch_size": 500},
    },
    "large": {
        "alignment": {**_LARGE, **_ALIGNED_LARGE, "settings": _WIDE},
        "defrag": {**_LARGE, **_ALIGNED_LARGE, "num_relations": 40, "settings": _WIDE},
        "dvsa_rnn": {**_LARGE, **_CAPTIONS_LARGE, "settings": {"hidden_size": 1024}},
        "m_rnn": {
            **_LARGE,
            **_CAPTIONS_LARGE,
            "settings": {"recurrent_size": 512, "multimodal_size": 1024},
        },
        "embedding": {**_LARGE, **_FISHER, "batch_size": 2048, "settings": _WIDE},
        "similarity": {**_LARGE, **_FISHER, "batch_size": 2048, "settings": _WIDE},
    },
    "small": {
        "alignment": {**_SMALL, "num_regions": 5, "settings": _NARROW},
        "defrag": {**_SMALL, "num_regions": 5, "num_relations": 5, "settings": _NARROW},
        "dvsa_rnn": {**_SMALL, "settings": {"hidden_size": 8}},
        "m_rnn": {**_SMALL, "settings": {"recurrent_size": 8, "multimodal_size": 8}},
        "embedding": {**_SMALL, "sentence_feature_size": 24, "settings": {"hidden_size": 32}},
        "similarity": {**_SMALL, "sentence_feature_size": 24, "settings": {"hidden_size": 32}},
    },
}
# Where the paper's schedule leaves parts of the loss out at first, or a step has no one result.
_CHANGES = {
    "alignment": {"dropout": 0.0},
    "defrag": {"multiple_instance_start_epochs": 0.0},
    "dvsa_rnn": {"dropout": 0.0},
    "m_rnn": {},
    "embedding": {"dropout": 0.0, "neighborhood_epochs": 20},
    "similarity": {"dropout": 0.0},
}


@dataclasses.dataclass(frozen=True)
class Case:
    """One model at one size.

    Attributes:
        model: a name in `MODELS`.
        size: a name in `SIZES`.
        batch_size: pairs of a batch, B.
        feature_size: numbers of an image's or region's feature, D.
        num_regions: of an image, R, some of them padding.
        vocabulary_size: number of token ids.
        widths: words or relations that batches are padded to, one a bucket; empty: none are read.
        sentence_feature_size: numbers of a sentence's feature; 0: tokens or relations are read.
        num_relations: number of relation ids; 0: relations are not read.
        settings: of the model, where they differ from the paper's.
    """

    model: str
    size: str
    batch_size: int
    feature_size: int
    num_regions: int = 1
    vocabulary_size: int = 4
    widths: tuple = ()
    sentence_feature_size: int = 0
    num_relations: int = 0
    settings: dict = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, model, size):
        """Returns the case of a model at a size of `SIZES`."""
        values = dict(SIZES[size][model])
        if values.get("sentence_feature_size"):
            values.pop("widths", None)
        return cls(model, size, **values)

    @property
    def buckets(self):
        """The widths of batches, the widest last; `(0,)` where there is one shape alone."""
        return self.widths or (0,)

    def make_settings(self):
        """Returns the `Settings` of the paper with the changes of this case."""
        path = f"flags/flickr8k_{self.model}_paper.flags"
        return settings_from_flagfile(path, **_CHANGES[self.model], **self.settings)

    def make_model(self, settings):
        """Returns the Keras model, built, with the weights that follow from `SEED`."""
        import keras

        keras.utils.set_random_seed(SEED)
        inputs = {"num_regions": self.num_regions, "region_feature_size": self.feature_size}
        if self.sentence_feature_size:
            inputs["sentence_feature_size"] = self.sentence_feature_size
        if self.num_relations:
            inputs["num_relations"] = self.num_relations
        return make_model(settings, inputs, self.vocabulary_size)

    def make_batch(self, width):
        """Returns a batch, a dict of arrays as the records' pipeline makes them.

        Images have half of the regions or more, sentences half of the words or more, and words are
        as unevenly frequent as in a language. Two sentences of one image follow one another: of
        half of the images for `embedding`, as its paper samples them, else of a tenth.

        Args:
            width: one of `buckets`.
        """
        random = np.random.default_rng([SEED, width])
        rows = np.arange(self.batch_size)
        image_id = rows - rows % 2 if self.model == "embedding" else rows - (rows % 10 == 1)
        shape = self.batch_size, self.num_regions
        num_real = random.integers(-(-self.num_regions // 2), self.num_regions + 1, shape[0])
        mask = np.arange(self.num_regions) < num_real[:, None]
        corners = np.sort(random.random((*shape, 2, 2), np.float32), axis=2)
        boxes = corners.reshape(*shape, 4)
        boxes[:, 0] = 0, 0, 1, 1
        # As a CNN's after its ReLU.
        features = np.abs(random.standard_normal((*shape, self.feature_size), np.float32))
        batch = {
            "region_features": (features * mask[..., None]).astype(np.float16)[image_id],
            "region_boxes": (boxes * mask[..., None])[image_id],
            "region_mask": mask[image_id],
            "image_id": image_id.astype(np.int32),
        }
        if self.sentence_feature_size:
            numbers = random.standard_normal((shape[0], self.sentence_feature_size), np.float32)
            return {**batch, "sentence_features": numbers.astype(np.float16)}
        lengths = random.integers(-(-width // 2), width + 1, self.batch_size)
        real = np.arange(width) < lengths[:, None]

        def ids(first, end):
            uneven = random.random((self.batch_size, width)) ** 3
            return ((first + uneven * (end - first)).astype(np.int32) * real).astype(np.int32)

        if not self.num_relations:
            return {**batch, "token_ids": ids(4, self.vocabulary_size)}
        relations = {"relations": ids(1, self.num_relations)}
        words = {name: ids(4, self.vocabulary_size) for name in ("heads", "dependents")}
        return {**batch, **relations, **words}

    def drawn(self, model):
        """Returns what the model's first step draws at random, for another to draw the same.

        Args:
            model: of `make_model`.
        """
        import keras

        if self.model != "similarity":
            return {}
        seed = keras.random.SeedGenerator(SEED)
        seed.state.assign(model.seed_generator.state)
        noise = keras.random.uniform((self.batch_size, self.batch_size), seed=seed)
        return {"noise": keras.ops.convert_to_numpy(noise)}

    def units_of(self, batch):
        """Returns what a step's rate counts, and how many of them a batch holds.

        Of caption generators tokens, every sentence's end counted; else pairs.
        """
        if MODELS[self.model].settings.family == "captioning":
            return "tokens", int(np.sum(batch["token_ids"] != 0)) + self.batch_size
        return "pairs", self.batch_size
