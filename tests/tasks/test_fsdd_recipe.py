"""The recipe of the recognizer of digits, on tones in place of words."""

import argparse
import io
import tarfile

import numpy as np
import pytest

import zoo
from tasks.data.audio import recording_array
from tasks.data.log_mel import LogMel
from tasks.recipes import fsdd
from tasks.recipes import runs as recipe_runs
from tasks.recipes.spoken_digits import (
    DIGITS,
    HELD_TAKES,
    LENGTHS,
    PAUSES,
    RATE,
    SPEAKERS,
    Take,
    in_text,
    joined,
    read_takes,
    split,
)
from tests.tasks.data.test_audio import wav

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)
STRINGS = {"train": 8, "dev": 4, "test": 4}


def takes(count=7):
    """Recordings whose samples tell whose they are: speaker, digit and number."""
    found = []
    for s, speaker in enumerate(SPEAKERS):
        for d, word in enumerate(DIGITS):
            for number in range(count):
                code = (100 * s + 10 * d + number) / 1000
                length = 2400 + 8 * number
                found.append(Take(speaker, word, number, np.full(length, code, "f4")))
    return found


@pytest.fixture
def archive(tmp_path):
    """A small archive like the one of the data set, of tones."""
    folder = tmp_path / "data" / "fsdd"
    folder.mkdir(parents=True)
    with tarfile.open(folder / "recordings.tar", "w") as file:
        for s, speaker in enumerate(SPEAKERS):
            for digit in range(10):
                for number in (0, 7):
                    pitch = 300 * (digit + 1) * (1 + 0.01 * s)
                    tone = 0.3 * np.sin(2 * np.pi * pitch * np.arange(3200) / RATE)
                    data, member = wav(tone), tarfile.TarInfo()
                    member.name = f"recordings/{digit}_{speaker}_{number}.wav"
                    member.size = len(data)
                    file.addfile(member, io.BytesIO(data))
    return folder / "recordings.tar"


def test_the_archive_is_read_by_name(archive):
    found = read_takes(archive)
    assert len(found) == 120
    assert {take.speaker for take in found} == set(SPEAKERS)
    first = found[0]
    assert (first.speaker, first.word, first.number) == ("george", "zero", 0)
    assert first.samples.shape == (3200,)


def code_of(samples):
    """Speakers and numbers of the recordings that a string is made of."""
    codes = np.round(samples[np.abs(samples) > 0.002] * 1000).astype(int)
    return {(SPEAKERS[c // 100], c % 10) for c in np.unique(codes)}


@pytest.mark.parametrize("held_out", ["george", fsdd.SHIPPED])
def test_the_speaker_who_is_held_out_is_in_the_test_alone(held_out):
    parts = split(takes(), held_out, STRINGS)
    found = {
        name: set().union(
            *(code_of(x) for kind in own.values() for (x, _), _ in kind if x.any())
        )
        for name, own in parts.items()
    }
    assert {speaker for speaker, _ in found["test"]} <= {held_out}
    for name in ("train", "dev"):
        assert held_out not in {speaker for speaker, _ in found[name]}
    assert all(number < HELD_TAKES for _, number in found["dev"])
    assert all(number >= HELD_TAKES for _, number in found["train"])
    counts = {name: len(own["single"]) for name, own in parts.items()}
    assert counts == {"train": 5 * 10 * 2, "dev": 5 * 10 * 5, "test": 70}
    assert {name: len(own["joined"]) for name, own in parts.items()} == STRINGS


def test_strings_are_of_one_speaker_with_pauses():
    own = [take for take in takes() if take.speaker != "george"]
    for (samples, rate), text in joined(own, 20, seed=0):
        words = text.split()
        assert rate == RATE and LENGTHS[0] <= len(words) <= LENGTHS[1]
        assert len({speaker for speaker, _ in code_of(samples)}) == 1
        least = len(words) * 2400 + (len(words) - 1) * PAUSES[0] * RATE
        most = len(words) * 2460 + (len(words) - 1) * PAUSES[1] * RATE
        assert least - len(words) <= len(samples) <= most
    again = [text for _, text in joined(own, 20, seed=0)]
    assert again == [text for _, text in joined(own, 20, seed=0)]
    assert again != [text for _, text in joined(own, 20, seed=1)]


def test_samples_can_be_put_into_a_text():
    x = np.random.default_rng(0).normal(size=500) * 0.1
    np.testing.assert_allclose(recording_array(in_text(x), RATE), x, atol=1e-4)


def test_the_nearest_recording_is_itself():
    random = np.random.default_rng(0)
    sounds = [(random.normal(size=2000) * 0.1, RATE) for _ in DIGITS]
    log_mel = LogMel(RATE, num_mels=20)
    right, wrong = (
        list(zip(sounds, np.roll(DIGITS, n).tolist(), strict=True)) for n in (0, 1)
    )
    data = {"train": {"single": right}, "test": {"single": right[::-1]}}
    assert fsdd.neighbour_wer(log_mel, data) == 0
    data["test"]["single"] = wrong
    assert fsdd.neighbour_wer(log_mel, data) == 1


def test_the_card_has_a_row_for_each_speaker_and_the_mean(tmp_path):
    folds = recipe_runs.Runs(tmp_path)
    for n, speaker in enumerate(SPEAKERS):
        rate = (n + 1) / 10
        folds.results[f"{speaker}/1"] = {
            **{name: rate for name in ("wer", "joined_wer", "free_wer")},
            "free_joined_wer": 0.25,
            "dev_wer": 0.05,
            "neighbour_wer": 0.5,
            "seconds": 7,
        }
    text = fsdd.card_text(folds, SPEAKERS, 0.123)
    assert "| theo | 50.0 | 50.0 | 50.0 | 25.0 | 50.0 |" in text
    assert "| all | 35.0 ± 18.7 |" in text and "12.3" in text
    assert "the error rate is 5.0 " in " ".join(text.split())
    assert "Each of the six speakers was held out once." in text
    assert "Only theo and yweweler were" in fsdd.card_text(folds, SPEAKERS[4:], 0.1)
    assert fsdd.command([1], SPEAKERS).endswith("--data-dir DIR --seeds 1")
    assert fsdd.command([1, 2], SPEAKERS[4:]).endswith("--held-out theo yweweler")
    # Without the one on whom settings were tried: 0.1, 0.2, 0.3, 0.5 and 0.6.
    assert "of the others is 34.0" in " ".join(text.split())
    means = fsdd.mean_scores(folds, SPEAKERS, 1)
    assert means["wer"] == pytest.approx(0.35) and means["seconds"] == 42
    baseline = fsdd.baseline(folds, SPEAKERS)
    assert baseline == {"wer": 0.5, "same_digit_wer": pytest.approx(0.9)}


@pytest.mark.slow
def test_a_recognizer_is_made_from_the_archive(archive, tmp_path, monkeypatch):
    small = {**fsdd.OPTIONS, "units": 8, "num_layers": 1}
    monkeypatch.setattr(fsdd, "OPTIONS", small)
    monkeypatch.setattr(fsdd, "STRINGS", STRINGS)
    parser = argparse.ArgumentParser()
    fsdd.add_arguments(parser)
    speakers = ["theo", fsdd.SHIPPED]
    args = parser.parse_args(["--epochs", "1", "--held-out", *speakers])
    args.data_dir, args.output, args.seeds = tmp_path / "data", tmp_path / "out", [1]
    fsdd.run(args)
    made = tmp_path / "out" / fsdd.NAME
    model, card = zoo.load(made), zoo.card(made)
    assert len(model.examples()) == 2
    assert model.options["lexicon"] == DIGITS
    assert {"wer", "free_wer"} <= set(card.data["metrics"])
    assert "{" not in str(card).split("---")[2]
    assert card.data["metrics"]["wer"]["seeds"] == [1]
    assert card.data["baseline"]["same_digit_wer"] == 0.9
    assert "| theo |" in str(card) and "mean over 2 speakers" in str(card)
    # Finished folds are not repeated.
    before = (tmp_path / "out" / "folds" / "results.json").read_text()
    fsdd.run(args)
    assert (tmp_path / "out" / "folds" / "results.json").read_text() == before


def test_the_speaker_of_the_saved_model_must_be_held_out():
    args = argparse.Namespace(held_out=["theo"])
    with pytest.raises(ValueError, match="must have yweweler"):
        fsdd.run(args)
