"""Log-mel features, against NumPy and closed forms."""

import numpy as np
import pytest
from keras import ops

from tasks.data.log_mel import LogMel, learn_scaler, mel_bank

RATE = 8000


def by_hand(samples, window, step, num_mels):
    """The same in float64, window by window, with a transform written out."""
    size = 2 ** int(np.ceil(np.log2(window)))
    shape = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    frequencies = np.arange(size // 2 + 1)
    turns = np.exp(-2j * np.pi * np.outer(np.arange(window), frequencies) / size)
    bank = mel_bank(RATE, size, num_mels)
    rows = []
    for start in range(0, len(samples) - window + 1, step):
        spectrum = (samples[start : start + window] * shape) @ turns
        rows.append(np.abs(spectrum) ** 2 @ bank / (shape**2).sum())
    return np.log(np.array(rows) + 1e-6)


def noise(length, seed=0):
    return np.random.default_rng(seed).normal(size=length).astype("float32") * 0.1


def plain(**options):
    """Features that are not normalised."""
    return LogMel(RATE, normalization="corpus", **options)


def test_features_are_the_formulas():
    log_mel = plain(num_mels=20)
    x = noise(3333)
    (found,) = log_mel.of([x])
    wanted = by_hand(x.astype("float64"), 200, 80, 20)
    assert found.shape == wanted.shape == (40, 20)
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_a_tone_is_in_the_band_of_its_pitch():
    log_mel = plain(num_mels=20)
    mels = np.linspace(*2595 * np.log10(1 + np.array([20, 4000]) / 700), 22)
    centers = 700 * (10 ** (mels[1:-1] / 2595) - 1)
    for band in (5, 10, 15):
        tone = np.sin(2 * np.pi * centers[band] * np.arange(4000) / RATE)
        (found,) = log_mel.of([tone.astype("float32")])
        assert (found[2:-2].argmax(1) == band).all()


def test_triangles_meet_at_their_peaks():
    bank = mel_bank(RATE, 4096, 12)
    # Between the first and the last peak, two triangles add up to one.
    first, last = bank[:, 0].argmax(), bank[:, -1].argmax()
    np.testing.assert_allclose(bank[first + 1 : last].sum(1), 1, atol=1e-9)
    assert bank.min() == 0 and bank.max() <= 1


def test_each_band_has_mean_0_and_deviation_1_over_a_recording():
    (found,) = LogMel(RATE, num_mels=20).of([noise(4000)])
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(found.std(0), 1, atol=1e-4)


def test_a_scaler_does_that_over_many():
    sounds = [noise(2000, 1), 3 * noise(3000, 2)]
    scaler = learn_scaler(plain(num_mels=20).of(sounds))
    found = np.concatenate(plain(num_mels=20, scaler=scaler).of(sounds))
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(found.std(0), 1, atol=1e-4)


@pytest.mark.parametrize("normalization", ["utterance", "corpus"])
def test_padding_is_never_heard(normalization):
    log_mel = LogMel(RATE, num_mels=20, normalization=normalization)
    x = noise(1500)
    (wanted,) = log_mel.of([x])
    padded = np.full((2, 9000), 0.5, "float32")
    padded[0, :1500] = x
    features, mask = log_mel(padded, np.array([1500, 9000]))
    features, mask = ops.convert_to_numpy(features), ops.convert_to_numpy(mask)
    assert mask[0].sum() == len(wanted) and mask[1].sum() == log_mel.frames(9000)
    np.testing.assert_allclose(features[0, mask[0]], wanted, atol=1e-5)
    assert not features[0, ~mask[0]].any()


def test_many_recordings_are_read_as_each_alone():
    log_mel = LogMel(RATE, num_mels=20)
    sounds = [noise(n, n) for n in (0, 1, 199, 200, 201, 280, 5000, 9000, 300)] * 3
    together = log_mel.of(sounds)
    for x, found in zip(sounds, together, strict=True):
        (alone,) = log_mel.of([x])
        np.testing.assert_allclose(found, alone, atol=1e-4)


def test_numbers_of_windows():
    log_mel = LogMel(RATE, num_mels=20)  # windows of 200 samples, steps of 80
    lengths = [0, 1, 199, 200, 279, 280, 360]
    wanted = [0, 1, 1, 1, 1, 2, 3]
    assert [log_mel.frames(n) for n in lengths] == wanted
    found = log_mel.frames(ops.convert_to_tensor(np.array(lengths, "int32")))
    assert ops.convert_to_numpy(found).tolist() == wanted
    assert [len(x) for x in log_mel.of([noise(n) for n in lengths])] == wanted


def test_silence_is_finite_and_the_same_everywhere():
    (found,) = LogMel(RATE, num_mels=20).of([np.zeros(4000, "float32")])
    np.testing.assert_allclose(found, 0, atol=1e-3)


def test_times_are_those_of_the_middle_of_windows():
    log_mel = LogMel(RATE, window=0.03, step=0.01, num_mels=20)
    assert log_mel.seconds(0) == pytest.approx(0.01)
    assert log_mel.seconds(5) == pytest.approx(0.06)
