"""The sentence features in a graph, against those that training reads."""

import numpy as np
import pytest
import tensorflow as tf

from tests.sentence_features.generated_sentences import generated_sentences, generated_vectors
from vsa_tf.inference.graph_sentences import GraphFisherVector, GraphMeanVector, GraphTfIdf
from vsa_tf.sentence_features.bag_of_words import MeanVector, TfIdf
from vsa_tf.sentence_features.fisher_vector import FisherVector

SENTENCES = generated_sentences()
# Words without a feature, alone and among others, repeated words, and no words at all.
QUESTIONS = [*SENTENCES[:20], ["zebra"], [], ["w3", "zebra", "w3", "w70"]]


def _check(graph_feature, feature):
    tokens = tf.ragged.constant(QUESTIONS, dtype=tf.string)
    run = tf.function(
        graph_feature,
        autograph=False,
        input_signature=[tf.RaggedTensorSpec([None, None], tf.string, ragged_rank=1)],
    )
    expected = feature.transform(QUESTIONS)
    assert not expected[20:22].any() and expected[22].any()
    np.testing.assert_allclose(run(tokens), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dimension", [None, 10])
def test_tf_idf(dimension):
    feature = TfIdf.fit(SENTENCES, dimension=dimension)
    _check(GraphTfIdf(feature), feature)


def test_mean_vectors():
    feature = MeanVector(generated_vectors())
    _check(GraphMeanVector(feature), feature)


@pytest.mark.parametrize("dimension", [None, 20])
def test_fisher_vectors(dimension):
    feature = FisherVector.fit(SENTENCES, generated_vectors(), num_centers=4, dimension=dimension)
    _check(GraphFisherVector(feature), feature)
