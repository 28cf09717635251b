from tfrecords_tools.sources.flickr30k_entities import (
    EntitySentence,
    align_phrases,
    parse_sentences,
)
from vsa_tf.data.schema import AnnotatedPhrase


def align(captions, *lines):
    sentences, problems = parse_sentences("\n".join(lines).encode())
    assert not problems
    return align_phrases(captions, sentences)


def texts(captions, phrases):
    return [
        " ".join(captions[item.caption_index].split()[item.first_word :][: item.num_words])
        for item in phrases
    ]


def test_sentences_are_found_whatever_their_order_and_case():
    captions = ["a dog runs .", "Two cats sleep ."]
    phrases, problems = align(
        captions, "[/EN#2/animals Two cats] sleep .", "[/EN#1/animals A dog] runs ."
    )
    assert not problems
    assert phrases == (
        AnnotatedPhrase(0, 0, 2, "1", "animals"),
        AnnotatedPhrase(1, 0, 2, "2", "animals"),
    )


def test_same_sentence_twice_takes_each_annotation_once():
    captions = ["A dog .", "A dog ."]
    phrases, problems = align(captions, "[/EN#1/animals A dog] .", "[/EN#2/animals A dog] .")
    assert not problems
    assert [(item.caption_index, item.chain) for item in phrases] == [(0, "1"), (1, "2")]


def test_phrases_survive_corrected_spelling():
    captions = ["A grey dog near by a tree runs to its owner"]
    phrases, problems = align(
        captions,
        "[/EN#1/animals A gray dog] nearby [/EN#2/other a tree] runs to [/EN#3/people its owner]",
    )
    assert not problems
    assert texts(captions, phrases) == ["A grey dog", "a tree", "its owner"]


def test_inserted_words_belong_to_no_phrase():
    captions = ["A dog very happily chases a cat now ."]
    phrases, problems = align(captions, "[/EN#1/animals A dog] chases [/EN#2/animals a cat] .")
    assert not problems
    assert texts(captions, phrases) == ["A dog", "a cat"]


def test_phrase_whose_ends_cannot_be_told_is_left_out_and_counted():
    captions = ["A band performs loudly onstage ."]
    phrases, problems = align(
        captions, "[/EN#1/people A band] performs loudly on [/EN#2/scene stage] ."
    )
    assert texts(captions, phrases) == ["A band"]
    assert problems == [
        (0, "1 of 2 phrases are worded differently in the annotated sentence and left out")
    ]


def test_unlike_sentence_is_not_forced_on_a_caption():
    phrases, problems = align(["Rain ."], "[/EN#1/animals A dog] chases [/EN#2/animals a cat] .")
    assert phrases == ()
    assert problems[0][0] == 0 and "no annotated sentence" in problems[0][1]


def test_more_captions_than_sentences_leaves_captions_without_phrases():
    sentences = [EntitySentence(("A", "dog", "."), ())]
    phrases, problems = align_phrases(["A dog .", "A dog ."], sentences)
    assert phrases == () and [index for index, _ in problems] == [1]
