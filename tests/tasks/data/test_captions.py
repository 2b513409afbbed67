"""Pictures with captions, in every form; and batches of them."""

import numpy as np
import pytest

from tasks.data.caption_words import CaptionCoder, caption_text, caption_words
from tasks.data.captions import CaptionBatches, Captioned, captions_from
from tasks.data.vocabulary import Vocabulary


@pytest.fixture
def folder(tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"not read here")
    return tmp_path


def wanted(folder):
    return [
        Captioned(folder / "a.png", ("A dog, runs.", 'He says "hi"')),
        Captioned(folder / "b.png", ("A cat",)),
    ]


ROWS = 'image,caption\na.png,"A dog, runs."\nb.png,A cat\na.png,"He says ""hi"""\n'


@pytest.mark.parametrize("head", [True, False])
def test_a_csv_is_read_with_or_without_its_head(folder, head):
    text = ROWS if head else ROWS.partition("\n")[2]
    (folder / "captions.csv").write_text(text)
    assert captions_from(folder / "captions.csv") == wanted(folder)
    assert captions_from(folder) == wanted(folder)


def test_a_table_with_tabs_has_no_quotes(folder):
    (folder / "captions.tsv").write_bytes(
        b'\xef\xbb\xbfa.png\tA dog, runs.\r\nb.png\tA cat\r\na.png\tHe says "hi"\r\n'
    )
    assert captions_from(folder) == wanted(folder)


def test_pictures_may_lie_in_a_folder_of_their_own(folder):
    (folder / "images").mkdir()
    for name in ("a.png", "b.png"):
        (folder / name).rename(folder / "images" / name)
    (folder / "captions.csv").write_text(ROWS)
    assert captions_from(folder) == wanted(folder / "images")
    table = folder / "captions.csv"
    assert captions_from((folder / "images", table)) == wanted(folder / "images")


def test_lists_are_grouped_by_their_file():
    rows = [("a.png", "one"), ("b.png", ["two", "three"]), ("a.png", "four")]
    assert captions_from(rows) == [
        Captioned("a.png", ("one", "four")),
        Captioned("b.png", ("two", "three")),
    ]


def test_pictures_that_are_no_files_stay_apart():
    picture = np.zeros((2, 2, 3))
    assert len(captions_from([(picture, "one"), (picture, "two")])) == 2


def test_a_dataset_gives_bytes_paths_or_arrays():
    tf = pytest.importorskip("tensorflow")
    data = tf.data.Dataset.from_tensors((b"\0\1\2", ["one", "two"]))
    assert captions_from(data) == [Captioned(b"\0\1\2", ("one", "two"))]
    data = tf.data.Dataset.from_tensors(("a.png", "one"))
    assert captions_from(data) == [Captioned("a.png", ("one",))]
    array = np.arange(12, dtype="uint8").reshape(2, 2, 3)
    (found,) = captions_from(tf.data.Dataset.from_tensors((array, "one")))
    np.testing.assert_array_equal(found.picture, array)


@pytest.mark.parametrize(
    "data, error, words",
    [
        (7, TypeError, "a folder"),
        ([("a.png",)], ValueError, r"Example 0 must be \(picture, captions\)"),
        ([("a.png", [])], ValueError, "one or more captions"),
        ([("a.png", [3])], TypeError, "Example 0 has: 3"),
        ([("a.png", "")], ValueError, "a.png .* no words: ''"),
        (
            [("b.png", "x"), ("a.png", "?! ...")],
            ValueError,
            r"example 1\) has no words",
        ),
    ],
)
def test_data_of_another_form_are_refused(data, error, words):
    with pytest.raises(error, match=words):
        captions_from(data)


@pytest.mark.parametrize(
    "text, error, words",
    [
        ("a.png,one\nc.png,two\n", FileNotFoundError, "line 2: there is no .*c.png"),
        ("a.png,one\nonly\n", ValueError, "line 2: expected a picture"),
        ("a.png,one,more\n", ValueError, "line 1"),
    ],
)
def test_a_wrong_line_is_named(folder, text, error, words):
    (folder / "captions.csv").write_text(text)
    with pytest.raises(error, match=words):
        captions_from(folder)


def test_a_folder_without_a_table_is_told(folder):
    with pytest.raises(FileNotFoundError, match="captions.csv"):
        captions_from(folder)


def test_words_are_lower_case_and_without_punctuation():
    assert caption_words("Two T-shirts , one dog's !") == [
        *("two", "t-shirts", "one", "dog", "'s")
    ]
    assert caption_words(" .,!? ") == []
    assert caption_words("Ein Hund läuft. 狗") == ["ein", "hund", "läuft", "狗"]


@pytest.mark.parametrize("text", ["a dog's ball", "it doesn't run", "they're in it"])
def test_words_become_text_again(text):
    assert caption_text(caption_words(text)) == text


def test_words_have_ids_and_back():
    coder = CaptionCoder.learn(["a dog", "a cat"])
    ids = coder.encode("a cat flies!", 5)
    assert ids.dtype == np.int32 and ids[-1] == coder.end and len(ids) == 4
    assert coder.words(ids[:2]) == ("a", "cat")
    assert coder.encode("a a a a", 2).tolist() == [*coder.encode("a a", 9)]
    assert len(CaptionCoder.learn(["a dog", "a cat"], 2).vocabulary.items) == 2
    with pytest.raises(ValueError, match="end of captions"):
        CaptionCoder(Vocabulary(["a"]))


REGIONS = np.arange(5 * 2 * 3, dtype="float16").reshape(5, 2, 3)
CAPTIONS = [[np.full(n + 2, n + 3), np.full(n + 9, n + 13)] for n in range(5)]


def test_a_batch_has_the_regions_of_its_pictures():
    batches = CaptionBatches([REGIONS], CAPTIONS, 4, shuffle=True, seed=3)
    seen = []
    for number, members in enumerate(batches.order()):
        inputs, zeros = batches[number]
        assert zeros.shape == (4,) and inputs["regions"].dtype == np.float32
        for row, member in enumerate(members):
            picture, which = divmod(int(member), 2)
            ids = CAPTIONS[picture][which]
            mask = inputs["target_mask"][row]
            np.testing.assert_array_equal(inputs["targets"][row][mask], ids)
            before = inputs["target_ids"][row][mask]
            assert before[0] == 0 and (before[1:] == ids[:-1]).all()
            np.testing.assert_array_equal(inputs["regions"][row], REGIONS[picture])
            seen.append(int(member))
        assert not inputs["target_mask"][len(members) :].any()
    assert sorted(seen) == list(range(10))


def test_epochs_differ_and_can_be_repeated():
    batches = CaptionBatches([REGIONS], CAPTIONS, 4, shuffle=True)
    first = [members.tolist() for members in batches.order()]
    batches.on_epoch_end()
    assert first != [members.tolist() for members in batches.order()]
    batches.epoch = 0
    assert first == [members.tolist() for members in batches.order()]


def test_mirrored_regions_are_read_half_of_the_time():
    ones = np.ones((1, 2, 3), "float16")
    captions = [[np.array([3, 2])] * 400]
    batches = CaptionBatches([0 * ones, ones], captions, 400, shuffle=True)
    assert batches[0][0]["regions"].mean() == pytest.approx(0.5, abs=0.1)
    fixed = CaptionBatches([0 * ones, ones], captions, 400)
    assert fixed[0][0]["regions"].mean() == 0


def test_batches_have_rows():
    with pytest.raises(ValueError, match="batch_size.*0"):
        CaptionBatches([REGIONS], CAPTIONS, 0)
