"""Normalised CCA in the place of a two-branch network."""

from keras import ops


class CorrelationBaseline:
    """Embeds and scores as a two-branch network does, by linear projections that CCA has found.

    Args:
        network: the `TwoBranchNetwork`; of it only what its branches read is used.
        correlation: the `CanonicalCorrelation` of that.

    Attributes:
        task: that of the network.
    """

    def __init__(self, network, correlation):
        self.task = network.task
        self._network = network
        self._correlation = correlation

    def embed_images(self, batch):
        """Returns the projection of region 0 of every row, float32 `[B, K]`."""
        return self._correlation.project_x(ops.convert_to_numpy(self._network.image_inputs(batch)))

    def embed_regions(self, batch):
        """Returns the projections of all regions, float32 `[B, R, K]`."""
        inputs = ops.convert_to_numpy(self._network.region_inputs(batch))
        rows = self._correlation.project_x(inputs.reshape(-1, inputs.shape[-1]))
        return rows.reshape(*inputs.shape[:-1], -1)

    def embed_sentences(self, batch):
        """Returns the projections of sentences or phrases, float32 `[B, K]`."""
        return self._correlation.project_y(ops.convert_to_numpy(self._network.text_inputs(batch)))

    def score(self, images, sentences):
        """Returns the cosine of every pair, float32 `[N, M]`."""
        return images @ sentences.T
