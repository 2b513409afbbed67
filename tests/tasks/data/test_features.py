import pickle
import threading

import numpy as np
import pytest

from tasks.data.features import WordFeatures
from tasks.data.vocabulary import Vocabulary
from tasks.data.words import CASINGS

WORDS = Vocabulary(["london", "in", "<user>", "0000"])
CHARACTERS = Vocabulary("Londi@1234abcefghjkl")
KEYS = {"word_ids", "char_ids", "casing_ids", "mask"}


def make(**options):
    return WordFeatures(WORDS, CHARACTERS, **{"word_length": 6, **options})


def shapes(arrays):
    return {name: (array.shape, str(array.dtype)) for name, array in arrays.items()}


class TestArrays:
    def test_shapes_and_types(self):
        arrays = make().encode([["in", "London"], ["x"]], 4)
        assert shapes(arrays) == {
            "word_ids": ((2, 4), "int32"),
            "char_ids": ((2, 4, 6), "int32"),
            "casing_ids": ((2, 4), "int32"),
            "mask": ((2, 4), "bool"),
        }

    def test_words_are_normalized(self):
        arrays = make().encode([["LONDON", "@Ada", "1999", "Paris"]], 5)
        assert arrays["word_ids"].tolist() == [[2, 4, 5, 1, 0]]

    def test_characters_are_not(self):
        arrays = make().encode([["London", "in", "?"]], 3)
        assert arrays["char_ids"].tolist() == [
            [[2, 3, 4, 5, 3, 4], [6, 4, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]]
        ]

    def test_long_words_keep_both_ends(self):
        ids = make().encode([["abcefghjkl"]], 1)["char_ids"][0, 0].tolist()
        assert ids == CHARACTERS.ids("abcjkl")

    def test_odd_length_keeps_one_more_of_the_start(self):
        features = make(word_length=5)
        ids = features.encode([["abcefghjkl"]], 1)["char_ids"][0, 0].tolist()
        assert ids == CHARACTERS.ids("abckl")

    def test_casing(self):
        ids = make().encode([["London", "in", "@Ada"]], 4)["casing_ids"]
        names = [CASINGS[index] for index in ids[0]]
        assert names == ["title", "lower", "user", "pad"]

    def test_mask(self):
        mask = make().encode([["a", "b"], [], ["c"]], 3)["mask"]
        assert mask.tolist() == [[1, 1, 0], [0, 0, 0], [1, 0, 0]]

    def test_rows_fill_up(self):
        arrays = make().encode([["London"]], 2, rows=3)
        assert {array.shape[0] for array in arrays.values()} == {3}
        assert not any(array[1:].any() for array in arrays.values())

    def test_padding_is_zero_everywhere(self):
        arrays = make().encode([["London", "in"], ["in"]], 5)
        padded = ~arrays["mask"]
        assert all(not array[padded].any() for array in arrays.values())
        assert arrays["word_ids"][arrays["mask"]].all()
        assert arrays["casing_ids"][arrays["mask"]].all()

    @pytest.mark.parametrize("rows", [None, 0, 2])
    def test_no_sentences(self, rows):
        arrays = make().encode([], 3, rows=rows)
        assert set(arrays) == KEYS
        assert arrays["char_ids"].shape == (rows or 0, 3, 6)

    @pytest.mark.parametrize(
        "token", ["", "\x00", "\ud800", "\u0301" * 50, "a" * 10**6]
    )
    def test_strange_tokens(self, token):
        arrays = make().encode([[token, "in"]], 2)
        assert arrays["word_ids"].tolist() == [[1, 3]]
        assert arrays["mask"].all()

    def test_very_long_tokens_are_read_by_their_ends(self):
        long = make().encode([["abc" + "e" * 10**6 + "jkl"]], 1)
        assert long["char_ids"][0, 0].tolist() == CHARACTERS.ids("abcjkl")

    def test_very_long_tokens_are_not_remembered_whole(self):
        features = make()
        features.encode([["a" * 10**6, "http://" + "b" * 10**6]], 2)
        assert max(map(len, features._rows)) == 200


class TestErrors:
    def test_sentence_too_long(self):
        with pytest.raises(ValueError, match="3 tokens does not fit in 2 time steps"):
            make().encode([["a"], ["a", "b", "c"]], 2)

    def test_too_many_sentences(self):
        with pytest.raises(ValueError, match="2 sentences do not fit in 1 rows"):
            make().encode([["a"], ["b"]], 2, rows=1)

    def test_no_characters(self):
        with pytest.raises(ValueError, match="word_length must be at least 2, got 1"):
            make(word_length=1)


class TestCache:
    sentences = [[f"w{i % 7}{i}" for i in range(j, j + 9)] for j in range(0, 4000, 5)]

    def same(self, first, second):
        return all(np.array_equal(first[key], second[key]) for key in KEYS)

    def test_answers_do_not_depend_on_what_came_before(self):
        features = make()
        warm = [features.encode([s], 9) for s in self.sentences for _ in range(2)][1::2]
        cold = [make().encode([s], 9) for s in self.sentences[::50]]
        assert all(map(self.same, warm[::50], cold))

    def test_is_bounded(self):
        features = make(cache_size=100)
        expected = make()
        for start in range(0, len(self.sentences), 8):
            batch = self.sentences[start : start + 8]
            assert self.same(features.encode(batch, 9), expected.encode(batch, 9))
            assert len(features._rows) <= 100 + 8 * 9

    def test_results_belong_to_the_caller(self):
        features = make()
        features.encode([["London"]], 1)["word_ids"][:] = 9
        assert features.encode([["London"]], 1)["word_ids"].tolist() == [[2]]

    def test_threads(self):
        features = make(cache_size=500)
        expected = [make().encode([s], 9) for s in self.sentences]
        wrong = []

        def work(offset):
            for shift in range(len(self.sentences)):
                index = (shift + offset) % len(self.sentences)
                got = features.encode([self.sentences[index]], 9)
                if not self.same(got, expected[index]):
                    wrong.append(index)

        threads = [threading.Thread(target=work, args=(i * 97,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong

    def test_pickles_without_its_cache(self):
        features = make(cache_size=50)
        features.encode(self.sentences[:1], 9)
        copy = pickle.loads(pickle.dumps(features))
        assert (copy.word_length, copy.cache_size) == (6, 50)
        assert not copy._rows
        assert self.same(
            copy.encode(self.sentences[:9], 9), features.encode(self.sentences[:9], 9)
        )
