"""Texts and tables: every form in which they may come, read once for all tasks."""

import numpy as np
import pytest
import tensorflow as tf

from tasks.data.captions import captions_from
from tasks.data.labelled import labelled_from
from tasks.data.pairs import pairs_from
from tasks.data.texts import items_of, lines_of, prompts_from, table_of, texts_from

WORDS = ["one", "two", "three"]
FORMS = {
    "tuple": tuple(WORDS),
    "generator": (word for word in WORDS),
    "array": np.array(WORDS),
    "objects": np.array(WORDS, object),
    "dataset": tf.data.Dataset.from_tensor_slices(WORDS),
}
PAIRS = [("good", "gut"), ("bad", "schlecht")]


def forms_of(pairs):
    return {
        "tuples": tuple(pairs),
        "zip": zip(*zip(*pairs, strict=True), strict=True),
        "array": np.array(pairs),
        "dataset": tf.data.Dataset.from_tensor_slices(
            tuple(map(list, zip(*pairs, strict=True)))
        ),
    }


@pytest.mark.parametrize("form", FORMS)
def test_prompts_come_in_many_forms(form):
    assert prompts_from(FORMS[form]) == (False, WORDS)


def test_a_string_of_numpy_is_a_single_one():
    assert prompts_from(np.str_("one")) == (True, ["one"])


@pytest.mark.parametrize(
    "thing",
    [b"x", {"a": 1}, {"a"}, np.array("one"), [1], 3],
    ids=lambda thing: type(thing).__name__,
)
def test_what_is_no_prompt_is_refused(thing):
    with pytest.raises(TypeError, match="string or a list of strings"):
        prompts_from(thing)


@pytest.mark.parametrize("form", forms_of(PAIRS))
def test_pairs_come_in_many_forms(form):
    assert pairs_from(forms_of(PAIRS)[form]) == PAIRS


@pytest.mark.parametrize("form", forms_of(PAIRS))
def test_labelled_texts_come_in_many_forms(form):
    assert labelled_from(forms_of(PAIRS)[form]) == PAIRS


@pytest.mark.parametrize("library", ["pandas", "polars"])
class TestFrames:
    def test_rows_are_pairs(self, library):
        frames = pytest.importorskip(library)
        sources, targets = zip(*PAIRS, strict=True)
        frame = frames.DataFrame({"a": list(sources), "b": list(targets)})
        assert pairs_from(frame) == labelled_from(frame) == PAIRS

    def test_a_column_is_prompts(self, library):
        frames = pytest.importorskip(library)
        assert prompts_from(frames.Series(WORDS)) == (False, WORDS)
        with pytest.raises(TypeError, match="string or a list of strings"):
            prompts_from(frames.DataFrame({"a": WORDS}))


def test_captions_come_from_iterators():
    picture = np.zeros((2, 2, 3), "uint8")
    (found,) = captions_from(iter([(picture, "a square")]))
    assert found.captions == ("a square",)


@pytest.mark.parametrize("read", [pairs_from, labelled_from])
@pytest.mark.parametrize("thing", [3, b"x", {"a": "b"}, {("a", "b")}, None], ids=repr)
def test_what_has_no_order_is_no_data(read, thing):
    with pytest.raises(TypeError, match="Expected the path"):
        read(thing)


def test_the_name_of_a_file_is_no_text(tmp_path):
    path = tmp_path / "poems.txt"
    path.write_text("roses are red", "utf-8")
    with pytest.raises(ValueError, match="is the name of a file: give pathlib.Path"):
        texts_from(str(path))
    assert texts_from(path) == ["roses are red"]
    # In a list strings are documents, whatever they say.
    assert texts_from([str(path)]) == [str(path)]


@pytest.mark.parametrize("read", [pairs_from, labelled_from, captions_from])
def test_a_table_that_is_no_utf8_is_named(tmp_path, read):
    path = tmp_path / "table.tsv"
    path.write_bytes(b"caf\xe9\tcoffee\n")
    with pytest.raises(ValueError, match=r"table\.tsv is not UTF-8: byte 3 is 0xe9"):
        read(path)


def test_heads_are_no_examples(tmp_path):
    table, lines, pairs = (tmp_path / n for n in ("a.csv", "b.tsv", "c.tsv"))
    table.write_text('Review,Sentiment\n"good, really",pos\nbad,neg\n', "utf-8")
    lines.write_text("text\tlabel\ngood, really\tpos\nbad\tneg\n", "utf-8")
    pairs.write_text("source\ttarget\ngood\tgut\n", "utf-8")
    wanted = [("good, really", "pos"), ("bad", "neg")]
    assert labelled_from(table) == wanted and labelled_from(lines) == wanted
    assert pairs_from(pairs) == [("good", "gut")]


def test_a_cell_may_be_a_megabyte(tmp_path):
    path = tmp_path / "long.csv"
    path.write_text(f"{'word ' * 200_000},pos\nshort,neg\n", "utf-8")
    (text, label), _ = labelled_from(path)
    assert len(text) == 1_000_000 and label == "pos"


def test_an_example_without_a_label_is_refused(tmp_path):
    path = tmp_path / "data.tsv"
    path.write_text("good\tpos\nbad\t\n", "utf-8")
    with pytest.raises(ValueError, match="Example 1 has no label"):
        labelled_from(path)


SEPARATORS = "\x0b\x0c\x1c\x85\u2028\u2029"


def test_the_rarer_separators_stay_in_the_text():
    assert lines_of(f"a{SEPARATORS}b\r\nc\n") == [f"a{SEPARATORS}b", "c"]
    assert table_of(f"a{SEPARATORS}b,c\r\nd,e\n") == [
        [f"a{SEPARATORS}b", "c"],
        ["d", "e"],
    ]


def test_one_string_has_no_items():
    assert items_of("text") is None and items_of(np.array("text")) is None
