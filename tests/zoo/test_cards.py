"""Cards: what is built is what is read."""

import pytest

import zoo
from zoo.cards import Card

FACTS = {
    "name": "ner_toy.one_en",
    "data": ["WNUT-17", "a: b # c", "é♥"],
    "metrics": {"f1": {"mean": 0.41, "std": 0.01, "seeds": [1, 2, 3]}},
    "licence": None,
}


def test_facts_come_back():
    assert Card.build(FACTS, "# Toy\n\ntext").data == FACTS


def test_text_comes_back():
    assert Card.build(FACTS, "# Toy\n\n---\ntext").body == "# Toy\n\n---\ntext\n"


def test_read_again_it_is_the_same():
    card = Card.build(FACTS, "text")
    assert Card(str(card)).data == card.data and Card(str(card)) == card


def test_text_without_facts():
    card = Card("# Toy\n\n---\n")
    assert card.data == {} and card.body == "# Toy\n\n---\n"


def test_windows_line_ends():
    assert Card('---\r\ntask: "ner"\r\n---\r\ntext').data == {"task": "ner"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("task", "line 2 of the card"),
        ("Task: 1", "line 2 of the card"),
        ("task: ner", "`task` in line 2"),
        ("task: NaN", "`task` in line 2"),
        ("- task: 1", "line 2 of the card"),
        ("task: !!python/object/apply:os.system [ls]", "`task` in line 2"),
    ],
)
def test_other_lines_are_named(line, message):
    with pytest.raises(zoo.PresetError, match=message):
        Card(f"---\n{line}\n---\n")


def test_fact_given_twice():
    with pytest.raises(zoo.PresetError, match="line 3"):
        Card('---\ntask: "a"\ntask: "b"\n---\n')


def test_front_matter_without_end():
    with pytest.raises(zoo.PresetError, match="no closing"):
        Card('---\ntask: "a"\n')


@pytest.mark.parametrize("key", ["Name", "a b", "a:b", ""])
def test_key_must_be_a_word(key):
    with pytest.raises(zoo.PresetError, match="cannot be a card's key"):
        Card.build({key: 1}, "")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, b"x"])
def test_value_must_be_plain(value):
    with pytest.raises(zoo.PresetError, match="the card holds"):
        Card.build({"f1": {"mean": value}}, "")
