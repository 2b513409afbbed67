"""Plain text for pretraining, from small files of each form."""

import gzip

import pytest

from tasks.data.corpora import CORPORA, MAX_LENGTH, UNKNOWN, read_corpus


@pytest.fixture
def put(tmp_path):
    """Writes the file of a corpus, and reads it back."""

    def write(name, text):
        path = tmp_path / CORPORA[name][0]
        path.parent.mkdir(parents=True)
        if path.suffix == ".gz":
            with gzip.open(path, "wt", encoding="utf-8") as file:
                file.write(text)
        else:
            path.write_text(text, "utf-8")
        return read_corpus(name, tmp_path)

    return write


def test_tatoeba_takes_the_english_column(put):
    found = put("tatoeba", "Go now.\tGeh jetzt.\tCC-BY\nI won!\tSieg!\tCC-BY\n")
    assert found == [["Go", "now", "."], ["I", "won", "!"]]


def test_wikitext_joins_what_it_had_parted(put):
    found = put("wikitext", " it has 1 @,@ 000 well @-@ known 3 @.@ 5 parts \n")
    assert found == [["it", "has", "1,000", "well-known", "3.5", "parts"]]


def test_wikitext_leaves_headings_out(put):
    assert put("wikitext", " \n = Title = \n \n one two three \n = = x = = \n") == [
        ["one", "two", "three"]
    ]


def test_wikitext_keeps_the_place_of_unknown_words(put):
    assert put("wikitext_test", "the <unk> sat\n") == [["the", UNKNOWN, "sat"]]


def test_wikitext_is_cut_into_sentences(put):
    assert put("wikitext", "The cat sat down . It saw the mouse . \n") == [
        ["The", "cat", "sat", "down", "."],
        ["It", "saw", "the", "mouse", "."],
    ]


def test_conllu_takes_words_without_ranges(put):
    lines = [
        "# text = don't go",
        "1-2\tdon't\t_\t_",
        "1\tdo\tdo\tAUX",
        "2\tn't\tnot\tPART",
        "2.1\tyou\tyou\tPRON",
        "3\tgo\tgo\tVERB",
        "",
        "1\tend\tend\tNOUN",
    ]
    assert put("ewt", "\n".join(lines)) == [["do", "n't", "go"], ["end"]]


def test_column_files_give_their_tokens(put):
    assert put("btc", "Ada\tB-PER\nmet\tO\n\nus\tO\n") == [["Ada", "met"], ["us"]]


def test_reviews_lose_their_marks_of_lines(put):
    found = put("imdb", "1\tA fine film .<br /><BR>I liked it a lot .\n")
    assert found == [
        ["A", "fine", "film", "."],
        ["I", "liked", "it", "a", "lot", "."],
    ]


def test_repeated_sentences_come_once(put):
    assert put("tatoeba", "Hi!\tx\nHo!\ty\nHi!\tz\n") == [["Hi", "!"], ["Ho", "!"]]


def test_long_sentences_are_cut(put):
    words = [f"word{number}" for number in range(150)]
    found = put("tatoeba", " ".join(words) + "\tx\n")
    assert sum(found, []) == words
    assert max(map(len, found)) == MAX_LENGTH


def test_nothing_gives_nothing(put):
    assert put("tatoeba", "") == []


def test_unknown_names_are_told_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match="Unknown corpus 'wikitex'.*wikitext"):
        read_corpus("wikitex", tmp_path)


@pytest.mark.parametrize("name", CORPORA)
def test_a_missing_file_is_named(tmp_path, name):
    with pytest.raises(FileNotFoundError, match=CORPORA[name][0].split("/")[-1]):
        read_corpus(name, tmp_path)
