"""Strange strings: places stay true, tokens lead back, and all ways agree."""

import hashlib
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.data.graph_tokenizers import subword_operations
from tasks.data.tokenizers import (
    CharacterTokenizer,
    SubwordTokenizer,
    WordTokenizer,
    tokenizer_from,
)
from tasks.data.vocabulary import UNKNOWN_ID
from tasks.data.words import tokenize
from tests.naughty import strings
from tests.tasks.data.test_words import TEXTS, check

ROOT = Path(__file__).parents[2]
PLAIN = "the cat sat on the mat, and 17 dogs did not.\n" * 30
DIGEST = """
import hashlib
from tasks.data.words import tokenize
from tests.naughty import strings
text = repr([tokenize(s) for s in strings()])
print(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest())
"""


def normal(text):
    """As SentencePiece has it: lone surrogates replaced, NFKC."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    return unicodedata.normalize("NFKC", text)


@pytest.fixture(scope="module")
def pieces():
    return SubwordTokenizer.learn([PLAIN, *map(normal, strings()[:200])], size=400)


def test_places_are_true(tried):
    for text in strings():
        check(text)
    assert len(strings()) > 515
    tried(len(strings()), f"{len(strings())} strings")


def test_characters_lead_back(tried):
    tokenizer = CharacterTokenizer.learn(strings())
    again = tokenizer_from("char", tokenizer.text())
    for text in strings():
        assert tokenizer.decode(tokenizer.encode(text)) == text
        assert again.decode(again.encode(text)) == text
    tried(len(strings()))


def test_words_lead_back_to_lines_of_words(tried):
    texts = [text for text in strings() if "<eos>" not in text]
    tokenizer = WordTokenizer.learn(texts)
    for text in texts:
        lines = [" ".join(line.split()) for line in text.split("\n")]
        assert tokenizer.decode(tokenizer.encode(text)) == "\n".join(lines)
    tried(len(texts))


def test_pieces_lead_back_to_what_they_came_from(pieces, tried):
    assert pieces.decode(pieces.encode(PLAIN)) == PLAIN
    again = tokenizer_from("subword", pieces.text())
    for text in strings():
        ids = pieces.encode(text)
        assert len(ids) == len(pieces.tokens(text))
        assert ((0 <= ids) & (ids < len(pieces))).all()
        np.testing.assert_array_equal(again.encode(text), ids)
        once = pieces.decode(ids)
        if UNKNOWN_ID not in ids:  # what is unknown has no text to come back from
            assert pieces.decode(pieces.encode(once)) == once
    tried(len(strings()))


def test_a_graph_has_the_pieces_that_python_has(pieces, tried):
    texts = [t for t in strings() if t == t.encode("utf-8", "replace").decode("utf-8")]
    found = subword_operations(pieces).tokenize(texts).to_list()
    wanted, ties = [pieces.encode(text).tolist() for text in texts], 0
    for got, ids in zip(found, wanted, strict=True):
        # TensorFlow brings a SentencePiece of its own, which breaks ties in its way:
        # the same pieces, as likely, in another order.
        ties += got != ids
        assert sorted(got) == sorted(ids) and pieces.decode(got) == pieces.decode(ids)
    assert ties < 0.005 * len(texts)
    tried(len(texts), f"{ties} of {len(texts):,} were ties in a graph")


def test_bytes_that_are_no_text_pass_through_the_graph(pieces):
    random = np.random.default_rng(0)
    junk = [random.bytes(n) for n in range(60)] + [
        b"\xff",
        b"\xed\xa0\x80",
        b"\xc0\xaf",
    ]
    operations = subword_operations(pieces)
    ids = operations.tokenize(junk)
    assert ids.shape[0] == len(junk)
    for text in operations.detokenize(ids).numpy():
        text.decode("utf-8")


def test_a_fresh_process_has_the_same_tokens():
    process = subprocess.run(
        [sys.executable, "-c", DIGEST],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}", "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    text = repr([tokenize(s) for s in strings()])
    wanted = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    assert process.stdout.strip() == wanted, process.stderr


def test_a_line_of_a_megabyte(pieces):
    line = (PLAIN.replace("\n", " ") * 800)[: 2**20]
    tokens = tokenize(line)
    assert tokens[-1][2] >= len(line) - 1
    assert len(pieces.encode(line)) > 100_000


def drawn(most, tried):
    """Tries so many texts, and bytes read as texts; returns nothing but failures."""
    count = []
    any_text = TEXTS | st.binary(max_size=60).map(
        lambda b: b.decode("utf-8", "replace")
    )

    @settings(derandomize=True, database=None, deadline=None, max_examples=most)
    @given(any_text)
    def run(text):
        count.append(1)
        check(text)
        tokenizer = CharacterTokenizer.learn([text])
        assert tokenizer.decode(tokenizer.encode(text)) == text

    run()
    tried(len(count))


def test_drawn_texts(tried):
    drawn(200, tried)


@pytest.mark.slow
def test_many_drawn_texts(tried):
    drawn(20_000, tried)
