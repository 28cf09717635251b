from vsa_tf.reporting.snippet_parts import snippet_parts


def test_all_words_are_there_in_their_order():
    caption = '" A  dog runs " .'
    parts = snippet_parts(caption, [0, 0, 1, 2, 3, 3, 3], [(0, 2), (2, 3)])
    # The quotation mark at the start has no token, and no word before it.
    assert parts == [('"', None), ("A dog", 0), ('runs " .', 1)]


def test_words_that_the_model_did_not_read_are_in_no_snippet():
    assert snippet_parts("a dog runs", [0, 1, 2, 3], [(0, 2)]) == [("a dog", 0), ("runs", None)]


def test_a_word_of_several_tokens_goes_where_its_first_is():
    # "kneeling" is kneel, ##ing; the second snippet begins within it.
    assert snippet_parts("dog kneeling down", [0, 1, 3, 4], [(0, 2), (2, 4)]) == [
        ("dog kneeling", 0),
        ("down", 1),
    ]


def test_a_caption_without_words_has_no_parts():
    assert snippet_parts("  ", [0], [(0, 1)]) == []
