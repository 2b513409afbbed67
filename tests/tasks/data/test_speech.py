"""Recordings with texts: forms of data, batches, what training changes in them."""

import numpy as np
import pytest

from tasks.data.spec_augment import SpecAugment
from tasks.data.speech import SpeechBatches, spoken_from
from tasks.data.spelling import Speller, steps_needed, tidy
from tests.tasks.data.test_audio import TONE, wav

FEATURES = [np.random.default_rng(n).normal(size=(n, 8)) for n in (30, 10, 60, 49, 0)]
IDS = [np.array(x, "int32") for x in ([2, 3], [2, 2, 2], [4], [], [])]


# === Forms of data ===


def test_a_table_may_lie_beside_folders_of_recordings(tmp_path):
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a.wav").write_bytes(wav(TONE))
    (tmp_path / "metadata.csv").write_text(
        'file_name,transcription\na.wav,"one, two"\n'
    )
    wanted = [(tmp_path / "clips" / "a.wav", "one, two")]
    assert [tuple(e) for e in spoken_from(tmp_path)] == wanted
    assert [tuple(e) for e in spoken_from(tmp_path / "metadata.csv")] == wanted


def test_what_is_missing_is_told_by_line(tmp_path):
    (tmp_path / "transcripts.csv").write_text("a.wav,one\n")
    with pytest.raises(
        FileNotFoundError, match=r"line 1: there is no recording a\.wav"
    ):
        spoken_from(tmp_path)
    with pytest.raises(FileNotFoundError, match="no table of transcripts"):
        spoken_from(tmp_path / "..")
    (tmp_path / "transcripts.csv").write_text("a.wav,one,two\n")
    with pytest.raises(ValueError, match="line 1: expected a recording and a transc"):
        spoken_from(tmp_path)


@pytest.mark.parametrize(
    "data, error, words",
    [
        ([("a.wav",)], ValueError, r"Example 0 must be \(recording, text\)"),
        ([("a.wav", 3)], TypeError, "Example 0: the text of a.wav must be a string"),
        (7, TypeError, "a folder, a table, a list"),
    ],
)
def test_data_of_another_form_are_refused(data, error, words):
    with pytest.raises(error, match=words):
        spoken_from(data)


def test_a_dataset_may_give_samples():
    import tensorflow as tf

    samples = np.stack([TONE, TONE]).astype("float32")
    texts = tf.data.Dataset.from_tensor_slices(["one", "two"])
    plain = tf.data.Dataset.from_tensor_slices(samples)
    rated = tf.data.Dataset.from_tensor_slices((samples, [8000, 16_000]))
    files = tf.data.Dataset.from_tensors(wav(TONE[:50])).repeat(2)
    found = spoken_from(tf.data.Dataset.zip((plain, texts)))
    np.testing.assert_array_equal(found[1].recording, samples[1])
    assert [example.text for example in found] == ["one", "two"]
    found = spoken_from(tf.data.Dataset.zip((rated, texts)))
    assert [example.recording[1] for example in found] == [8000, 16_000]
    found = spoken_from(tf.data.Dataset.zip((files, texts)))
    assert found[0].recording == wav(TONE[:50])
    with pytest.raises(ValueError, match="`unbatch`"):
        spoken_from(plain)


# === Texts ===


def test_texts_become_ids_and_come_back():
    speller = Speller.learn(["one  two", "three"])
    ids = speller.encode(" three\ttwo ")
    assert ids.dtype == np.int32 and ids.min() >= 2
    assert "".join(speller.characters(ids)) == "three two" == tidy(" three\ttwo ")
    with pytest.raises(ValueError, match="Example 4 has the character 'ö'"):
        speller.encode("twö", 4)


@pytest.mark.parametrize("text, steps", [("", 0), ("a", 1), ("ab", 2), ("aab", 4)])
def test_steps_that_a_text_needs(text, steps):
    assert steps_needed(Speller.learn(["ab"]).encode(text)) == steps


# === Batches ===


def test_batches_hold_all_with_their_texts_and_padding_is_empty():
    batches = SpeechBatches(FEATURES, IDS, 2)
    seen = []
    for number, members in enumerate(batches.order()):
        inputs, zeros = batches[number]
        assert zeros.shape == (2,) and len(inputs["features"]) == 2
        for row, member in enumerate(members):
            mask, text = inputs["mask"][row], inputs["target_mask"][row]
            np.testing.assert_array_equal(mask.sum(), len(FEATURES[member]))
            np.testing.assert_allclose(
                inputs["features"][row][mask], FEATURES[member], rtol=1e-6
            )
            assert inputs["targets"][row][text].tolist() == IDS[member].tolist()
        for row in range(len(members), 2):
            assert not inputs["mask"][row].any() and not inputs["features"][row].any()
        seen += members.tolist()
    assert sorted(seen) == list(range(5))


def test_a_batch_is_the_same_whenever_it_is_read():
    def batches(seed=1):
        augment = SpecAugment(stretch=0.3, warp=2)
        return SpeechBatches(
            FEATURES, IDS, 2, augment=augment, shuffle=True, seed=seed, epoch=3
        )

    one, same = batches()[1][0]["features"], batches()[1][0]["features"]
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, batches(2)[1][0]["features"])


def test_stretched_recordings_still_hold_their_text_and_fit_the_batch():
    augment = SpecAugment(stretch=0.9)
    # Three equal letters need five steps, of two frames each but the last.
    batches = SpeechBatches(FEATURES, IDS, 1, reduction=2, augment=augment)
    for epoch in range(30):
        batches.epoch = epoch
        for number, (member,) in enumerate(batches.order()):
            inputs, _ = batches[number]
            steps = -(-int(inputs["mask"].sum()) // 2)
            assert steps >= steps_needed(IDS[member])


# === What training changes ===


def test_masks_hide_no_more_than_they_should():
    augment, x = SpecAugment(2, 0.2, 0.25), np.ones((50, 16), "float32")
    hidden = []
    for seed in range(200):
        found = augment(x, np.random.default_rng(seed))
        times, bands = (found == 0).all(1).sum(), (found == 0).all(0).sum()
        assert times <= 2 * 10 and bands <= 2 * 4
        hidden.append((times, bands))
    assert (np.mean(hidden, 0) > 1).all() and (x == 1).all()


def test_a_stretched_ramp_is_a_ramp():
    ramp = np.linspace(0, 1, 40)[:, None] * np.ones(4)
    counts = set()
    for seed in range(60):
        augment = SpecAugment(0, stretch=0.25)
        found = augment(ramp, np.random.default_rng(seed), most=60)
        counts.add(len(found))
        assert 30 <= len(found) <= 50
        np.testing.assert_allclose(np.diff(found[2:-2, 0], 2), 0, atol=1e-6)
        np.testing.assert_allclose(found[[0, -1], 0], [0, 1], atol=0.02)
    assert min(counts) < 33 and max(counts) > 47


def test_warping_moves_pitches_and_keeps_the_ends():
    bands = np.arange(20.0)[None] * np.ones((3, 1))
    shifts = []
    for seed in range(60):
        found = SpecAugment(0, warp=2.0)(bands, np.random.default_rng(seed))[0]
        assert (np.diff(found) >= 0).all()
        np.testing.assert_allclose(found[[0, -1]], [0, 19], atol=0.4)
        shifts.append(found[10] - 10)
    assert min(shifts) < -1.5 and max(shifts) > 1.5 and np.abs(shifts).max() <= 2


def test_nothing_is_changed_if_nothing_is_asked_for():
    x = FEATURES[0].astype("float32")
    found = SpecAugment(0)(x, np.random.default_rng(0))
    np.testing.assert_array_equal(found, x)


@pytest.mark.parametrize("name", ["masks", "time_mask", "mel_mask", "stretch", "warp"])
def test_numbers_out_of_range_are_refused(name):
    for value in (-0.1, float("nan")):
        with pytest.raises(ValueError, match=f"`{name}`"):
            SpecAugment(**{name: value})
