"""The Keras models: one folder a paper. Their classes are loaded when they are first used.

Docstrings cite four papers by a letter: "D eq. 8" is equation 8 of D. docs/equations.md has their
equations side by side, and says where the code differs from them.

* D: A. Karpathy, L. Fei-Fei, Deep Visual-Semantic Alignments for Generating Image Descriptions
  (DVSA), CVPR 2015, arXiv:1412.2306. The alignment model is in `alignment`, the generator of
  captions in `captioning`.
* F: A. Karpathy, A. Joulin, L. Fei-Fei, Deep Fragment Embeddings for Bidirectional Image Sentence
  Mapping (DeFrag), NIPS 2014, arXiv:1406.5679. It is in `alignment`.
* M: J. Mao, W. Xu, Y. Yang, J. Wang, Z. Huang, A. Yuille, Deep Captioning with Multimodal Recurrent
  Neural Networks (m-RNN), ICLR 2015, arXiv:1412.6632. It is in `captioning`.
* T: L. Wang, Y. Li, J. Huang, S. Lazebnik, Learning Two-Branch Neural Networks for Image-Text
  Matching Tasks, IEEE TPAMI 41(2), 2019, arXiv:1704.03470. It is in `two_branch`.

Each folder has its `settings`. `layers` is what papers share.
"""


def __getattr__(name):
    kind = _kinds().get(name)
    if kind is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return kind.load()


def __dir__():
    return sorted({*globals(), *_kinds()})


def _kinds():
    # Not above: Python runs this file before any module of the folders that the table imports.
    from vsa_tf.models.model_table import MODELS

    return {kind.network.rpartition(":")[2]: kind for kind in MODELS.values()}
