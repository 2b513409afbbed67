import json
import pickle
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.data.vocabulary import PADDING_ID, UNKNOWN_ID, Vocabulary

ANY_TEXT = st.text(st.characters(exclude_categories=()))
ODD = ["", " ", "\n", "\r", "\r\n", "\t", "\\", "\\n", "\\e", "\\x41", "\x00", "\x85"]
ODD += [
    "\u2028",
    "\ufeff",
    "\ud800",
    "\udfff",
    "👨\u200d👩",
    "\u0301",
    "a b",
    " a",
    "é",
]


class TestIds:
    def test_reserved(self):
        assert (PADDING_ID, UNKNOWN_ID) == (0, 1)

    def test_items_start_at_two(self):
        assert Vocabulary(["a", "b"]).ids(["b", "a", "b"]) == [3, 2, 3]

    def test_strange_ones_are_unknown(self):
        assert Vocabulary(["a"]).ids(["z", ""]) == [1, 1]

    def test_length_counts_the_reserved(self):
        vocabulary = Vocabulary(["a", "b"])
        assert len(vocabulary) == 4 == max(vocabulary.ids(["a", "b"])) + 1

    def test_contains(self):
        assert "a" in Vocabulary(["a"])
        assert "b" not in Vocabulary(["a"])

    def test_empty(self):
        assert len(Vocabulary([])) == 2
        assert Vocabulary([]).ids(["a"]) == [1]

    def test_refuses_twins(self):
        with pytest.raises(ValueError, match="'a' is there twice"):
            Vocabulary(["a", "b", "a"])

    def test_refuses_other_types(self):
        with pytest.raises(ValueError, match="must be strings, got 3"):
            Vocabulary(["a", 3])


class TestBuild:
    counter = Counter({"c": 5, "b": 5, "a": 1, "d": 9})

    def test_most_frequent_first_then_by_name(self):
        assert Vocabulary.build(self.counter).items == ("d", "b", "c", "a")

    def test_min_count(self):
        assert Vocabulary.build(self.counter, min_count=5).items == ("d", "b", "c")

    def test_max_size(self):
        assert Vocabulary.build(self.counter, max_size=2).items == ("d", "b")

    def test_order_of_counting_does_not_matter(self):
        again = Counter(dict(reversed(self.counter.items())))
        assert Vocabulary.build(again) == Vocabulary.build(self.counter)


class TestText:
    def test_plain_items_stand_as_they_are(self):
        assert Vocabulary(["London", "été", "♥"]).text() == "London\nété\n♥\n"

    @pytest.mark.parametrize("item", ODD)
    def test_odd_items_return(self, item):
        vocabulary = Vocabulary(["a", item, "b"])
        assert Vocabulary.from_text(vocabulary.text()) == vocabulary

    def test_odd_items_return_together(self):
        assert Vocabulary.from_text(Vocabulary(ODD).text()).items == tuple(ODD)

    def test_editors_have_nothing_to_strip(self):
        text = Vocabulary(["", " ", "a b", "c "]).text()
        assert text == "\\e\n\\x20\na\\x20b\nc\\x20\n"

    @settings(derandomize=True, database=None, deadline=None, max_examples=300)
    @given(st.lists(ANY_TEXT, unique=True))
    def test_any_items_return(self, items):
        text = Vocabulary(items).text()
        assert Vocabulary.from_text(text).items == tuple(items)
        assert len(text.splitlines()) == len(items)
        assert text.encode("utf-8").decode("utf-8") == text

    def test_survives_windows_line_ends_and_mark(self):
        text = "\ufeff" + Vocabulary(["a", "", "b"]).text().replace("\n", "\r\n")
        assert Vocabulary.from_text(text).items == ("a", "", "b")

    def test_last_line_end_may_be_missing(self):
        assert Vocabulary.from_text("a\nb").items == ("a", "b")

    def test_empty(self):
        assert Vocabulary([]).text() == ""
        assert Vocabulary.from_text("").items == ()

    @pytest.mark.parametrize("line", ["\\", "\\q", "\\x1", "\\uZZZZ", "\\U00110000"])
    def test_refuses_unknown_escapes(self, line):
        with pytest.raises(ValueError, match="line 2: unknown escape"):
            Vocabulary.from_text(f"a\n{line}\n")

    def test_refuses_twins(self):
        with pytest.raises(ValueError, match="there twice"):
            Vocabulary.from_text("a\na\n")


class TestObject:
    def test_equal_by_items(self):
        assert Vocabulary(["a", "b"]) == Vocabulary(["a", "b"])
        assert Vocabulary(["a", "b"]) != Vocabulary(["b", "a"])
        assert hash(Vocabulary(["a"])) == hash(Vocabulary(["a"]))

    def test_pickles(self):
        assert pickle.loads(pickle.dumps(Vocabulary(["a"]))).ids(["a"]) == [2]

    def test_items_are_plain(self):
        assert json.loads(json.dumps(Vocabulary(["a"]).items)) == ["a"]
