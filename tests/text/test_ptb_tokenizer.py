"""`ptb_hard_list.tsv` holds captions with the Java tool's tokens, both in JSON, one pair a line."""

import importlib.util
import json
import pathlib
import random
import shutil
import subprocess

import hypothesis
import hypothesis.strategies as st
import pytest

from vsa_tf.text.ptb_tokenizer import DROPPED_TOKENS, ptb_tokenize

HARD_LIST = pathlib.Path(__file__).parents[1] / "testdata" / "ptb_hard_list.tsv"


def hard_list():
    lines = HARD_LIST.read_text(encoding="utf-8").splitlines()
    return [tuple(json.loads(field) for field in line.split("\t")) for line in lines]


def tool_tokens(captions, directory):
    """What pycocoevalcap's tokenizer gives for captions without line breaks other than `\\n`."""
    package = importlib.util.find_spec("pycocoevalcap").submodule_search_locations[0]
    jar = pathlib.Path(package, "tokenizer", "stanford-corenlp-3.4.1.jar")
    if not shutil.which("java"):
        pytest.skip("java is not installed: the tool that is compared with needs it")
    if not jar.exists():
        pytest.skip("pycocoevalcap came without the jar of the tool that is compared with")
    text = directory / "captions.txt"
    # A neutral caption after each: what one begins with can change the end of the one before.
    lines = [caption.replace("\n", " ") + "\nx\n" for caption in captions]
    text.write_text("".join(lines), encoding="utf-8", newline="\n")
    output = (
        subprocess.run(
            [
                "java",
                "-cp",
                jar,
                "edu.stanford.nlp.process.PTBTokenizer",
                "-preserveLines",
                "-lowerCase",
                text,
            ],
            capture_output=True,
            check=True,
        )
        .stdout.decode("utf-8")
        .split("\n")
    )
    assert len(output) == 2 * len(captions) + 1
    assert set(output[1::2]) == {"x"}
    kept = [
        [token for token in line.rstrip().split(" ") if token not in DROPPED_TOKENS]
        for line in output[:-1:2]
    ]
    return [[token for token in tokens if token] for tokens in kept]


def differences(captions, expected):
    return [
        (caption, tokens, ptb_tokenize(caption))
        for caption, tokens in zip(captions, expected)
        if tokens != ptb_tokenize(caption)
    ]


def test_the_hard_list_gives_the_tools_tokens():
    captions, expected = zip(*hard_list())
    assert len(captions) > 150
    assert differences(captions, expected) == []


def test_the_hard_list_holds_what_the_tool_gives(tmp_path):
    captions, expected = zip(*hard_list())
    assert tool_tokens(captions, tmp_path) == list(expected)


def test_random_pieces_of_the_hard_list_give_the_tools_tokens(tmp_path):
    generator = random.Random(0)
    pieces = [piece for caption, _ in hard_list() for piece in caption.split(" ")]
    # Not compared: a capital sigma's lower case, and characters of two UTF-16 units, which both
    # can differ within addresses (see the module's docstring).
    pieces = [piece for piece in pieces if piece <= "\uffff" and "Σ" not in piece]
    separators = ["", "", " ", " ", ".", "'", "-", ",", "/", '"']
    captions = [
        "".join(
            generator.choice(pieces) + generator.choice(separators)
            for _ in range(generator.randint(1, 8))
        )
        for _ in range(5000)
    ]
    assert differences(captions, tool_tokens(captions, tmp_path)) == []


def test_random_characters_give_the_tools_tokens(tmp_path):
    generator = random.Random(1)
    ascii_characters = [chr(code) for code in range(32, 127)]
    # Every character of one UTF-16 unit but surrogates, line breaks and what Java or Python
    # does not lower alike: only ASCII and scripts of old.
    others = [
        chr(code)
        for code in (*range(0xA0, 0x250), *range(0x2000, 0x3100))
        if code not in (0x2028, 0x2029)
    ]
    captions = [
        "".join(
            generator.choice(generator.choice([ascii_characters, others, "'.-&:;/ aAs1"]))
            for _ in range(generator.randint(1, 20))
        )
        for _ in range(5000)
    ]
    # White space at the end of an address is the tool's to keep and pycocoevalcap's to strip.
    captions = [caption + " x" for caption in captions]
    assert differences(captions, tool_tokens(captions, tmp_path)) == []


def test_single_characters_give_the_tools_tokens(tmp_path):
    breaks = "\n\r\v\f\u2028\u2029"
    # Capitals are left out, whose lower case is that of Java's or Python's Unicode version, and of
    # the large blocks, such as the Han characters, all but every seventh character.
    codes = (*range(0x3100), *range(0x3100, 0x10000, 7))
    captions = [
        f"a {character} b{character}c"
        for character in map(chr, codes)
        if character not in breaks
        and not "\ud800" <= character <= "\udfff"
        and character.lower() == character
    ]
    assert differences(captions, tool_tokens(captions, tmp_path)) == []


@pytest.mark.parametrize("dropped", sorted(DROPPED_TOKENS - {"-LRB-", "-RRB-", "-LCB-", "-RCB-"}))
def test_punctuation_is_dropped(dropped):
    assert ptb_tokenize(f"a {dropped} b") == ["a", "b"]


def test_brackets_stay_because_they_are_lower_cased_before_the_comparison():
    assert ptb_tokenize("(a) {b}") == ["-lrb-", "a", "-rrb-", "-lcb-", "b", "-rcb-"]


@pytest.mark.parametrize("text", ["", " ", "\n", ". , !", "😀", "\x01"])
def test_captions_without_words_have_no_tokens(text):
    assert ptb_tokenize(text) == []


@pytest.mark.parametrize("line_break", ["\n", "\r", "\r\n", "\v", "\f", "\u2028", "\u2029", "\x85"])
def test_a_line_break_is_a_space(line_break):
    assert ptb_tokenize(f"a dog{line_break}runs") == ["a", "dog", "runs"]


def test_a_token_with_a_space_gets_a_hard_one():
    assert ptb_tokenize("5 1/2 cups") == ["5\xa01/2", "cups"]


def test_a_number_of_spaces_is_one():
    assert ptb_tokenize("  a   cannot \t b ") == ["a", "can", "not", "b"]


@hypothesis.given(st.text())
def test_tokens_of_any_text_can_be_joined_and_split_again(text):
    tokens = ptb_tokenize(text)
    assert " ".join(tokens).split(" ") == (tokens or [""])
    assert not DROPPED_TOKENS.intersection(tokens)


def test_a_long_run_without_spaces_takes_no_more_than_moments():
    # Quadratic in the length at worst; exponential backtracking would not come back.
    for piece in ("a", "a.", "a-", "a'", "'", "<a ", "a&amp;", "1.", "1 ", ". ", "x@", "a%"):
        assert ptb_tokenize(piece * 2000) is not None
