"""Texts and tagged sentences in all their forms become one."""

import numpy as np
import pytest

from tasks.data.conll import write_conll
from tasks.data.ner import MAX_LENGTH, examples_from, texts_from

PAIRS = [
    (["Ada", "Lovelace", "met", "Alan"], ["B-PER", "I-PER", "O", "B-PER"]),
    (["in", "New", "York"], ["O", "B-LOC", "I-LOC"]),
    (["nothing"], ["O"]),
]
OFFSETS = [
    ("Ada Lovelace met Alan", [(0, 12, "PER"), (17, 21, "PER")]),
    ("in New York", [(3, 11, "LOC")]),
    ("nothing", []),
]


def dataset(pairs):
    import tensorflow as tf

    part = tf.TensorSpec((None,), tf.string)
    return tf.data.Dataset.from_generator(
        lambda: iter(pairs), output_signature=(part, part)
    )


class TestTexts:
    def test_a_string_is_one_text(self):
        texts, single = texts_from("Ada met Alan.")
        assert single
        assert [text.tokens for text in texts] == [["Ada", "met", "Alan", "."]]

    def test_a_list_is_as_many(self):
        texts, single = texts_from(["Ada", "Alan"])
        assert not single
        assert [text.text for text in texts] == ["Ada", "Alan"]

    @pytest.mark.parametrize("kind", [list, tuple, iter, np.array])
    def test_lists_of_any_kind(self, kind):
        texts, single = texts_from(kind(["Ada", "Alan"]))
        assert not single
        assert [text.text for text in texts] == ["Ada", "Alan"]

    def test_tokens_stay_as_they_are(self):
        tokens = ["Ada Lovelace", "", "don't", "\n"]
        (text,), single = texts_from([tokens])
        assert not single
        assert (text.text, text.offsets, text.tokens) == (None, None, tokens)
        assert text.windows == [tokens]

    def test_tokens_of_a_tuple(self):
        (text,), _ = texts_from([("Ada", "Alan")])
        assert text.tokens == ["Ada", "Alan"]

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\u2028", "\x85", "\n\n\n"])
    def test_offsets_point_at_the_text_beyond_line_ends(self, end):
        line = f"  Ada's\tmet Alan {end}"
        (text,), _ = texts_from(line * 3)
        assert len(text.windows) == 3
        assert text.text == line * 3
        assert [text.text[a:b] for a, b in text.offsets] == text.tokens

    def test_windows_joined_are_the_tokens(self):
        (text,), _ = texts_from(f"{'word ' * 300}. {'more ' * 99}\nnext line")
        assert sum(text.windows, []) == text.tokens
        assert all(0 < len(w) <= MAX_LENGTH for w in text.windows)

    def test_long_lists_of_tokens_are_cut(self):
        (text,), _ = texts_from([["word"] * 1000])
        assert sum(text.windows, []) == text.tokens
        assert max(map(len, text.windows)) == MAX_LENGTH

    def test_windows_end_with_sentences(self):
        tokens = (["word"] * 50 + ["."]) * 4
        (text,), _ = texts_from([tokens])
        assert all(window[-1] == "." for window in text.windows)

    @pytest.mark.parametrize("nothing", ["", " ", "\n\n", "\0", "\u200e"])
    def test_texts_without_words_have_no_windows(self, nothing):
        (text,), _ = texts_from(nothing)
        assert (text.tokens, text.windows) == ([], [])

    @pytest.mark.parametrize("thing", [None, b"Ada", 3, {"Ada": 1}, 1.5])
    def test_other_things_are_refused(self, thing):
        with pytest.raises(TypeError, match=type(thing).__name__):
            texts_from(thing)

    @pytest.mark.parametrize("item", [None, b"Ada", 3, {"a": 1}, ["Ada", None]])
    def test_items_of_other_kinds_are_numbered(self, item):
        with pytest.raises(TypeError, match=f"Item 1 .*{type(item).__name__}"):
            texts_from(["Ada", item])


class TestExamples:
    def test_pairs(self):
        assert examples_from(PAIRS) == PAIRS

    def test_a_file(self, tmp_path):
        write_conll(tmp_path / "train.conll", PAIRS)
        assert examples_from(tmp_path / "train.conll") == PAIRS
        assert examples_from(str(tmp_path / "train.conll")) == PAIRS

    def test_texts_with_offsets(self):
        assert examples_from(OFFSETS) == PAIRS

    def test_a_dataset(self):
        assert examples_from(dataset(PAIRS)) == PAIRS

    def test_a_dataset_of_other_scripts(self):
        pairs = [(["Köln", "ירושלים", "👍🏽"], ["B-Ort", "B-Ort", "O"])]
        assert examples_from(dataset(pairs)) == pairs

    def test_a_ragged_dataset(self):
        import tensorflow as tf

        parts = [tf.ragged.constant([p[i] for p in PAIRS]) for i in (0, 1)]
        data = tf.data.Dataset.from_tensor_slices(tuple(parts))
        assert examples_from(data) == PAIRS

    def test_iob1(self):
        tags = [["I-PER", "I-PER", "O", "I-PER"], ["O", "I-LOC", "I-LOC"], ["O"]]
        iob1 = [(tokens, t) for (tokens, _), t in zip(PAIRS, tags, strict=True)]
        assert examples_from(iob1) == PAIRS

    def test_iobes(self):
        tags = [["B-PER", "E-PER", "O", "S-PER"], ["O", "B-LOC", "E-LOC"], ["O"]]
        iobes = [(tokens, t) for (tokens, _), t in zip(PAIRS, tags, strict=True)]
        assert examples_from(iobes) == PAIRS

    def test_sentences_without_tokens_are_left_out(self):
        assert examples_from([([], []), *PAIRS, ("", [])]) == PAIRS

    def test_no_examples(self):
        assert examples_from([]) == []

    def test_entities_that_cut_tokens_take_them_whole(self):
        text = "New York-based"
        assert examples_from([(text, [(4, 8, "LOC")])]) == [
            (["New", "York-based"], ["O", "B-LOC"])
        ]

    def test_entities_with_spaces_around(self):
        assert examples_from([("in Rome now", [(2, 8, "LOC")])]) == [
            (["in", "Rome", "now"], ["O", "B-LOC", "O"])
        ]

    def test_known_labels_pass(self):
        assert examples_from(PAIRS, ["LOC", "PER"]) == PAIRS

    def test_unknown_labels_are_numbered(self):
        with pytest.raises(ValueError, match=r"Example 1 .*'LOC'.*\['PER'\].*labels="):
            examples_from(PAIRS, ["PER"])


class TestFaultyExamples:
    def test_not_the_same_length(self):
        with pytest.raises(ValueError, match="Example 0 has 2 tokens and 1 tags"):
            examples_from([(["a", "b"], ["O"])])

    def test_no_pair(self):
        with pytest.raises(ValueError, match="Example 1 must be a pair"):
            examples_from([(["a"], ["O"]), (["a"], ["O"], 3)])

    def test_tokens_that_are_no_strings(self):
        with pytest.raises(TypeError, match="Example 0: tokens.*b'a'"):
            examples_from([([b"a"], ["O"])])

    def test_tags_that_are_none(self):
        with pytest.raises(ValueError, match="'person' is not a tag"):
            examples_from([(["a"], ["person"])])

    @pytest.mark.parametrize(
        "entity", [(3, 3, "x"), (-1, 2, "x"), (0, 4, "x"), ("0", 1, "x"), (0, 1, 2)]
    )
    def test_entities_outside_the_text(self, entity):
        with pytest.raises(ValueError, match="Example 0: entity .*3 characters"):
            examples_from([("Ada", [entity])])

    @pytest.mark.parametrize("entity", ["B-x", "O", (0, 1), 3])
    def test_entities_of_another_form(self, entity):
        with pytest.raises(ValueError, match="Example 0: .*start, end, label"):
            examples_from([("Ada", [entity])])

    def test_entities_that_overlap(self):
        with pytest.raises(ValueError, match="Example 0.*overlaps"):
            examples_from([("Ada Lovelace", [(0, 12, "x"), (4, 12, "y")])])

    def test_a_batched_dataset(self):
        with pytest.raises(ValueError, match="one sentence at a time.*unbatch"):
            examples_from(dataset(PAIRS[:1]).batch(1))

    def test_a_dataset_without_tags(self):
        with pytest.raises(ValueError, match=r"\(tokens, tags\)"):
            examples_from(dataset(PAIRS).map(lambda tokens, tags: tokens))

    @pytest.mark.parametrize("thing", [None, 3, {"a": 1}, b"file"])
    def test_other_things(self, thing):
        with pytest.raises(TypeError, match=type(thing).__name__):
            examples_from(thing)

    def test_a_missing_file_is_named(self):
        with pytest.raises(FileNotFoundError, match="no-such.conll"):
            examples_from("no-such.conll")
