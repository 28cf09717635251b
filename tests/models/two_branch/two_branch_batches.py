"""Small two-branch networks: their settings, and batches for them."""

import numpy as np

VOCABULARY_SIZE = 9
FEATURE_SIZE = 5
TEXT_SIZE = 7
SMALL = {
    "joint_size": 4,
    "hidden_size": 6,
    "text_hidden_size": 6,
    "dropout": 0.0,
    "positive_overlap": 0.0,
    "feature_normalization": "none",
    "regions_context": False,
}
# The text side as a recurrence over words.
RECURRENCE = {
    "text": "lstm",
    "vocabulary_size": VOCABULARY_SIZE,
    "word_embedding_size": 3,
    "recurrent_size": 4,
}


def image_sentence_batch(seed=0, size=6, num_words=5):
    """Returns a batch of image-sentence pairs: image 0 stands in two rows."""
    rng = np.random.default_rng(seed)
    image_id = np.arange(size, dtype="int32")
    image_id[-1] = 0
    features = rng.normal(size=(size, 1, FEATURE_SIZE)).astype("float16")
    features[-1] = features[0]
    lengths = rng.integers(1, num_words + 1, size)
    words = rng.integers(3, VOCABULARY_SIZE, (size, num_words))
    return {
        "region_features": features,
        "region_boxes": np.tile(np.float32([0, 0, 1, 1]), (size, 1, 1)),
        "region_mask": np.ones((size, 1), bool),
        "sentence_features": rng.normal(size=(size, TEXT_SIZE)).astype("float32"),
        "token_ids": (words * (np.arange(num_words) < lengths[:, None])).astype("int32"),
        "image_id": image_id,
    }


def region_phrase_batch(seed=0, size=6, num_regions=3):
    """Returns a batch of phrases of two images, each with its region and far and near others."""
    rng = np.random.default_rng(seed)
    image_id = np.int32(np.arange(size) % 2)
    phrase_id = np.int32(np.arange(size) // 4)
    # Two chains of an image lie in two halves; other regions are parts of either half.
    truth = np.where(phrase_id[:, None], np.float32([[0, 0.5, 1, 1]]), np.float32([[0, 0, 1, 0.5]]))
    boxes = np.repeat(truth[:, None], num_regions, axis=1)
    other = rng.integers(0, 2, (size, num_regions - 1)) * 0.5
    boxes[:, 1:, 1], boxes[:, 1:, 3] = other, other + 0.5
    boxes[:, 1:, 2] = rng.uniform(0.5, 1, (size, num_regions - 1))
    mask = np.ones((size, num_regions), bool)
    mask[0, -1] = False
    boxes[0, -1] = 0
    return {
        "region_features": rng.normal(size=(size, num_regions, FEATURE_SIZE)).astype("float16"),
        "region_boxes": boxes.astype("float32"),
        "region_mask": mask,
        "sentence_features": rng.normal(size=(size, TEXT_SIZE)).astype("float32"),
        "token_ids": rng.integers(3, VOCABULARY_SIZE, (size, 3)).astype("int32"),
        "image_id": image_id,
        "phrase_id": phrase_id,
    }


def task_batch(task, seed=0):
    """Returns a batch of a task."""
    makers = {"image_sentence": image_sentence_batch, "region_phrase": region_phrase_batch}
    return makers[task](seed)
