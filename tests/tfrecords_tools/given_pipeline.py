"""A spaCy pipeline that needs no trained package: every word hangs from the word before it."""

import functools

import pytest

spacy = pytest.importorskip("spacy", reason="spaCy is an extra")


@spacy.language.Language.component("chain_parser")
def chain_parser(doc):
    for token in doc:
        token.head = doc[max(token.i - 1, 0)]
        token.dep_ = "dep" if token.i else "ROOT"
        token.pos_ = "PUNCT" if token.is_punct else "X"
    return doc


@functools.cache
def chain_pipeline():
    pipeline = spacy.blank("en")
    pipeline.add_pipe("chain_parser")
    return pipeline
