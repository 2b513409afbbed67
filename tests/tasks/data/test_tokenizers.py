"""Tokenizers: inverse where everything is known, and whole again from their text."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.data.tokenizers import (
    LEVELS,
    REPLACEMENT,
    CharacterTokenizer,
    SubwordTokenizer,
    WordTokenizer,
    tokenizer_class,
    tokenizer_from,
)
from tasks.data.vocabulary import RESERVED, UNKNOWN_ID

TEXT = "the cat sat on the mat,\nthe dog did not.\n" * 20


@pytest.fixture(scope="module", params=LEVELS)
def tokenizer(request):
    return tokenizer_class(request.param).learn([TEXT], size=60)


def test_decode_undoes_encode(tokenizer):
    line = "the cat sat on the mat,\nthe dog did not."
    ids = tokenizer.encode(line)
    assert ids.dtype == np.int32 and (ids >= RESERVED).all()
    assert (ids < len(tokenizer)).all()
    assert tokenizer.decode(ids) == line


def test_there_is_a_token_for_each_id(tokenizer):
    assert len(tokenizer.tokens(TEXT)) == len(tokenizer.encode(TEXT))


def test_comes_back_from_its_text(tokenizer):
    again = tokenizer_from(tokenizer.level, tokenizer.text())
    assert len(again) == len(tokenizer)
    np.testing.assert_array_equal(again.encode(TEXT), tokenizer.encode(TEXT))
    assert again.text() == tokenizer.text() and tokenizer.text().isascii()


def test_what_is_unknown_has_an_id_of_its_own(tokenizer):
    assert UNKNOWN_ID in tokenizer.encode("the Ж cat")


def test_empty_text_has_no_tokens(tokenizer):
    assert len(tokenizer.encode("")) == 0 and tokenizer.decode([]) == ""


def test_lone_surrogates_are_read(tokenizer):
    assert len(tokenizer.encode("the \ud800 cat")) > 0


def test_reserved_and_foreign_ids_have_a_mark():
    tokenizer = CharacterTokenizer.learn(["abc"])
    assert tokenizer.decode([0, 1, 2, 99]) == REPLACEMENT * 2 + "a" + REPLACEMENT


def test_frequent_ones_come_first_and_rare_ones_not_at_all():
    tokenizer = WordTokenizer.learn(["b a a c b a"], min_count=2)
    assert tokenizer.vocabulary.items == ("a", "b")
    assert CharacterTokenizer.learn(["aab"], size=1).vocabulary.items == ("a",)


@given(st.lists(st.sampled_from(["the", "cat", "dog", "\n"]), max_size=20))
def test_words_keep_their_lines(words):
    text = "\n".join(" ".join(w.split()) for w in " ".join(words).split("\n"))
    tokenizer = WordTokenizer.learn(["the cat\ndog\n"])
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_no_text_to_learn_from_is_told():
    with pytest.raises(ValueError, match="no text"):
        SubwordTokenizer.learn(["", "\n"])


@pytest.mark.parametrize("text", ["", "no base64 !", "aGVsbG8="])
def test_text_that_holds_no_pieces_is_refused(text):
    with pytest.raises(ValueError, match="no tokenizer"):
        SubwordTokenizer.from_text(text)


def test_unknown_levels_are_told_the_known_ones():
    with pytest.raises(ValueError, match="'char'.*'bytes'"):
        tokenizer_class("bytes")


def test_pieces_are_learned_from_a_line_of_a_megabyte():
    line = "the cat sat on the mat, " * 45_000 + "ab" * 10_000
    tokenizer = SubwordTokenizer.learn([line], 40)
    ids = tokenizer.encode("the cat sat, ab")
    assert tokenizer.decode(ids) == "the cat sat, ab" and UNKNOWN_ID not in ids
    assert "▁the" in tokenizer.tokens("the cat")  # no word was cut


def test_pieces_are_learned_beside_lone_surrogates():
    tokenizer = SubwordTokenizer.learn(["the cat \ud800 sat"] * 5, 30)
    assert tokenizer.decode(tokenizer.encode("the cat")) == "the cat"


@pytest.mark.parametrize("size", [0, 10])
def test_too_few_pieces_are_told(size):
    with pytest.raises(ValueError, match=f"A vocabulary of {size} pieces cannot"):
        SubwordTokenizer.learn(["abcdefghijklmnopqrstuvwxyz"] * 5, size)
