from vsa_tf.reporting.frequent_snippets import frequent_snippets


def _frequent(snippets, count=9):
    return [" ".join(words) for words in frequent_snippets(map(str.split, snippets), count)]


def test_the_most_frequent_come_first_whatever_their_article():
    snippets = ["red ball", "a black dog", "the black dog", "an old man", "old man", "black dog"]
    assert _frequent(snippets) == ["black dog", "old man", "red ball"]
    assert _frequent(snippets, 1) == ["black dog"]


def test_single_words_and_long_runs_are_left_out():
    assert _frequent(["dog", "the dog", "a", "two dogs run on grass", "the two dogs run fast"]) == [
        "two dogs run fast"
    ]


def test_snippets_within_others_are_left_out():
    snippets = ["black dog", "black dog", "big black dog", "black dog runs", "dog runs"]
    assert _frequent(snippets) == ["black dog", "dog runs"]
