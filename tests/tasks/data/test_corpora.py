"""The files of three corpora, for machines that hold them (see `conftest.py`)."""

import pytest

from tasks.data.conll import read_conll
from tasks.data.tags import detect_scheme, spans, to_bio
from tasks.data.words import tokenize

SIZES = {
    "wnut17/wnut17train.conll": 3394,
    "wnut17/emerging.dev.conll": 1009,
    "wnut17/emerging.test.annotated": 1287,
    "btc_ner/btc.train": 6338,
    "btc_ner/btc.dev": 1001,
    "conll2003/eng.train": 14041,
    "conll2003/eng.testa": 3250,
    "conll2003/eng.testb": 3453,
}
# The entities of the CoNLL-2003 shared task, table 2 of its paper.
CONLL_ENTITIES = {
    "eng.train": {"LOC": 7140, "MISC": 3438, "ORG": 6321, "PER": 6600},
    "eng.testa": {"LOC": 1837, "MISC": 922, "ORG": 1341, "PER": 1842},
    "eng.testb": {"LOC": 1668, "MISC": 702, "ORG": 1661, "PER": 1617},
}


def read(folder, name):
    path = folder / name
    if not path.exists():
        pytest.skip(f"{name} is not in ZOO_DATA_DIR")
    return read_conll(path)


@pytest.mark.parametrize(("name", "size"), SIZES.items())
def test_number_of_sentences(data_dir, name, size):
    assert len(read(data_dir, name)) == size


@pytest.mark.parametrize("name", SIZES)
def test_scheme(data_dir, name):
    expected = "IOB1" if name.startswith("conll2003") else "BIO"
    assert detect_scheme([tags for _, tags in read(data_dir, name)]) == expected


@pytest.mark.parametrize(("name", "expected"), CONLL_ENTITIES.items())
def test_conversion_keeps_every_entity(data_dir, name, expected):
    counts = dict.fromkeys(expected, 0)
    begins = 0
    for _, tags in read(data_dir, f"conll2003/{name}"):
        converted = to_bio(tags, "IOB1")
        assert spans(converted) == spans(tags)
        begins += sum(tag.startswith("B-") for tag in converted)
        for _, _, label in spans(converted):
            counts[label] += 1
    assert counts == expected
    assert begins == sum(expected.values())


@pytest.mark.parametrize(
    ("name", "share"),
    [
        ("wnut17/emerging.test.annotated", 0.97),
        ("wnut17/emerging.dev.conll", 0.97),
        # Twitter data with slips of its annotators ("today.", "#MH17,") and, in the
        # case of the training data of WNUT-17, contractions left whole.
        ("btc_ner/btc.dev", 0.95),
        ("conll2003/eng.testa", 0.9),
        ("btc_ner/btc.train", 0.84),
        ("wnut17/wnut17train.conll", 0.72),
    ],
)
def test_tokenizer_agrees_with_the_corpus(data_dir, name, share):
    sentences = [tokens for tokens, _ in read(data_dir, name)]
    agreed = sum(
        [token for token, _, _ in tokenize(" ".join(tokens))] == tokens
        for tokens in sentences
    )
    assert agreed / len(sentences) > share


@pytest.mark.parametrize("name", SIZES)
def test_offsets_tell_the_truth(data_dir, name):
    for tokens, _ in read(data_dir, name):
        text = " ".join(tokens)
        assert all(text[start:end] == token for token, start, end in tokenize(text))
