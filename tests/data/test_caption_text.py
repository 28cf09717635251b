import pytest

from vsa_tf.data.caption_text import CaptionText
from vsa_tf.text.vocabulary import OTHER_RELATION, UNK_ID, RelationTypes, Vocabulary

# Ids 4, 5 and 6; relations 2 and 3.
WORDS = [["dogs", "dogs", "dogs", "run", "run", "the"]]
RELATIONS = ["det", "det", "nsubj"]


@pytest.fixture
def text():
    return CaptionText(
        Vocabulary.from_sentences(WORDS), "word", None, RelationTypes.from_relations(RELATIONS)
    )


def test_words_of_relations_are_looked_up_as_those_of_captions(text):
    dependencies = [
        (("det", "Dogs", "The"), ("nsubj", "run", "DOGS")),
        (),
        (("det", "run", "the"),),
    ]
    assert text.encode_dependencies(dependencies) == [[(2, 4, 6), (3, 5, 4)], [], [(2, 5, 6)]]


def test_unknown_words_and_types_have_the_ids_of_the_unknown(text):
    assert text.encode_dependencies([(("vocative", "cats", "dogs"),)]) == [
        [(OTHER_RELATION, UNK_ID, 4)]
    ]


def test_a_word_that_captions_would_split_is_its_first_part(text):
    assert text.encode_dependencies([(("det", "dogs's", "the"),)]) == [[(2, 4, 6)]]


def test_what_is_no_word_to_captions_has_no_relation(text):
    assert text.encode_dependencies([(("det", '"', "the"), ("nsubj", "run", "dogs"))]) == [
        [(3, 5, 4)]
    ]


def test_relations_are_written_with_their_words(text):
    assert text.decode_fragments([(2, 4, 6), (1, 3, 5)]) == [
        "det(dogs, the)",
        "<other>(<unk>, run)",
    ]
    assert text.decode_fragments([]) == []


def test_fingerprints_tell_what_was_learnt(text):
    assert text.fingerprints() == {
        "vocabulary": text.vocabulary.fingerprint(),
        "relations": text.relation_types.fingerprint(),
    }
    assert CaptionText(text.vocabulary, "word").fingerprints().keys() == {"vocabulary"}
    reordered = RelationTypes(["<pad>", "<other>", "nsubj", "det"], text.relation_types.counts)
    other = CaptionText(text.vocabulary, "word", None, reordered).fingerprints()
    assert other["relations"] != text.fingerprints()["relations"]
