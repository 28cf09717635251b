import numpy as np
import pytest

from vsa_tf.data.caption_text import CaptionText
from vsa_tf.errors import VsaTfError
from vsa_tf.settings import DataSettings
from vsa_tf.text.tokenizer import WordTokenizer
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


class _Lengths:
    """A sentence feature: a number for each length, the fourth of which no float16 holds."""

    dimension, words = 1, ("dogs",)

    def transform(self, sentences):
        return np.float32([[0, 1, 65504, 65536, np.nan][len(each)] for each in sentences])[:, None]


@pytest.mark.parametrize("wrong", ["dogs run the", "dogs run run the"])
def test_a_sentence_feature_that_is_not_finite_is_refused_with_its_sentence(text, wrong):
    text = CaptionText(text.vocabulary, "word", _Lengths())
    assert text.sentence_features(["dogs", "the dogs"]).tolist() == [[1], [65504]]
    with pytest.raises(VsaTfError, match=f"infinity of the sentence '{wrong}'"):
        text.sentence_features(["dogs", wrong, "the dogs"])


LANGUAGES = {
    "German": ["Ein Hund läuft über die Straße", "Zwei Mädchen läuft"],
    "Chinese": ["一只狗在沙滩上奔跑。两只猫坐着", "一只猫在沙滩上", "两只狗在沙滩上"],
    "Japanese": ["犬が浜辺を走っている。", "猫が浜辺で寝ている", "カメラを持った人が浜辺にいる"],
    "Thai": ["สุนัขวิ่งที่ชายหาด", "แมวนอนที่ชายหาด"],
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_pieces_of_any_script_make_up_its_sentences_again(language):
    pytest.importorskip("tensorflow_text")
    captions = LANGUAGES[language]
    # More characters than pieces that are asked for: all of them are pieces none the less.
    settings = DataSettings(tokenizer="wordpiece", num_wordpieces=100, min_count=1)
    text = CaptionText.learn(captions, settings)
    for caption, ids in zip(captions, text.encode(captions)):
        assert UNK_ID not in ids
        # Where no spaces are, a sentence is no word.
        assert len(ids) >= (len(caption.split()) if language == "German" else len(caption) // 5)
        expected = caption.lower().replace("。", " ").strip()
        assert text.join(text.decode(ids)) == expected
    # A new sentence of known characters is read, and told from the others.
    other = text.encode([captions[0][::-1]])[0]
    assert UNK_ID not in other
    assert other != text.encode(captions)[0]


def test_words_keep_their_letters_unless_they_are_folded():
    for fold_letters, words in ((False, ("läuft", "straße")), (True, ("lauft", "strasse"))):
        settings = DataSettings(min_count=1, fold_letters=fold_letters)
        text = CaptionText.learn(["Läuft Straße"], settings)
        assert text.vocabulary.tokens[4:] == words
        assert UNK_ID not in text.encode(["LÄUFT straße"])[0]


@pytest.mark.parametrize(
    ("fold_letters", "learnt", "unknown"),
    [
        # Each its own letters; case is no matter.
        (False, "läuft", ["lauft", "laufť"]),
        (False, "lauft", ["läuft", "laufť"]),
        # All are one word.
        (True, "läuft", []),
    ],
)
def test_words_are_known_by_their_letters_or_by_the_letters_without_marks(
    fold_letters, learnt, unknown
):
    tokens = WordTokenizer(fold_letters).tokenize(learnt)
    text = CaptionText(Vocabulary.from_sentences([tokens]), "word", fold_letters=fold_letters)
    assert text.known_words("LÄUFT, lauft Laufť") == (unknown, 3 - len(unknown))


@pytest.mark.parametrize(
    ("tokenizer", "tokens", "boundaries"),
    [
        ("word", ["the", "dog", "'s", "dogs"], [0, 1, 3, 3, 4]),
        ("wordpiece", ["the", "dog", "'", "##s", "dog", "##s"], [0, 1, 4, 4, 6]),
    ],
)
def test_boundaries_point_at_the_tokens_of_each_word(tokenizer, tokens, boundaries):
    pieces = Vocabulary.from_sentences([["the", "dog", "##s", "'"]])
    text, caption = CaptionText(pieces, tokenizer), "The dog's ... dogs"
    assert text.tokenize(caption) == tokens
    for _ in range(2):  # as well when its words are known
        assert text.token_boundaries(caption) == boundaries
