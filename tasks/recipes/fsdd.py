"""Recognizer of spoken English digits, one or several in a row (FSDD).

Trained six times, each time without one of the six speakers, on whom it is then scored:
on the speaker's single digits, and on strings of them that are joined with pauses. The
training has strings, too, each of one speaker. The epoch is chosen on recordings of the
training speakers that are held out. The recognizer that never heard the last speaker of
the alphabet is the one that is saved, whatever its score.

Data: folder fsdd in --data-dir with recordings.tar (3,000 recordings). The Free Spoken
Digit Dataset is licensed under CC BY-SA 4.0.
"""

import functools
import io
import statistics
import tarfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

import zoo
from tasks.data.wav import sound_of
from tasks.metrics.speech import transcript_scores
from tasks.recipes import runs as recipe_runs
from tasks.speech_recognition import SpeechRecognizer

NAME = "speech_recognition_lstm_ctc.fsdd_en"
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
SHIPPED = SPEAKERS[-1]  # never heard by the recognizer that is saved
DIGITS = "zero one two three four five six seven eight nine".split()
RATE = 8000
HELD_TAKES = 5  # of each digit and training speaker, to choose the epoch by
OPTIONS = dict(
    sample_rate=RATE,
    num_mels=40,
    units=80,
    num_layers=2,
    dropout=0.2,
    hidden_dropout=0.1,
)
FIT = dict(batch_size=32, stretch=0.15, warp=2.0)
# Numbers of joined strings: to learn from, to choose by and to test by.
STRINGS = {"train": 600, "dev": 60, "test": 150}
LENGTHS = (2, 5)  # digits of a string
PAUSES = (0.02, 0.35)  # seconds between them
FRONT = {
    "architecture": "bidirectional ZoneoutLSTM over log-mel features, CTC",
    "language": "en",
    "data": ["Free Spoken Digit Dataset"],
    "data_licence": "CC BY-SA 4.0, Zohar Jackson and others, "
    "https://github.com/Jakobovski/free-spoken-digit-dataset",
    "licence": "CC BY-SA 4.0",
    "intended_use": "to try speech recognition; a start for digits of other speakers",
    "limits": "knows ten words and writes nothing else; five speakers, clean "
    "recordings at 8 kHz; accents and noise mislead it",
}


class Take(NamedTuple):
    """One recording of a digit.

    Attributes:
        speaker: Name.
        word: The digit in letters.
        number: From 0 to 49, of this digit and speaker.
        samples: float32 `(time,)`.
    """

    speaker: str
    word: str
    number: int
    samples: np.ndarray


def add_arguments(parser):
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--learning-rate", type=float, default=3e-3)


def run(args):
    """Trains all folds; `args.output` holds the state, the results and the preset."""
    takes = read_takes(Path(args.data_dir) / "fsdd" / "recordings.tar")
    output = Path(args.output)
    folds, whole = recipe_runs.Runs(output / "folds"), recipe_runs.Runs(output / "runs")
    for seed in args.seeds:
        for speaker in reversed(SPEAKERS):  # the one that is saved comes first
            folds.run(speaker, seed, functools.partial(train_one, args, takes, speaker))
        whole.run("full", seed, lambda _, seed: mean_scores(folds, seed))
    best = min(args.seeds, key=lambda s: folds.results[f"{SHIPPED}/{s}"]["dev_wer"])
    task = zoo.load(folds.folder / SHIPPED / str(best) / "preset")
    test = split(takes, SHIPPED)["test"]
    task.show_examples([in_text(samples) for (samples, _), _ in examples(takes)])
    body = output / "card.md"
    text = Path(__file__).with_suffix(".md").read_text("utf-8")
    text = text.replace("{speakers}", speaker_table(folds))
    shipped = task.evaluate(test["joined"])["wer"]
    body.write_text(text.replace("{joined}", recipe_runs.shown(shipped)), "utf-8")
    recipe_runs.publish(
        NAME,
        output,
        whole,
        task,
        lambda task: task.evaluate(test["single"]),
        front={
            **FRONT,
            "seconds": int(sum(r["seconds"] for r in folds.results.values())),
        },
        body=body,
        baseline=baseline(folds),
        score="wer",
        scores=("wer", "cer", "joined_wer", "joined_cer"),
        percent=True,
    )


# === Data ===


def read_takes(path):
    """All recordings of the archive, sorted by name."""
    takes = []
    with tarfile.open(path) as archive:
        members = [m for m in archive if m.name.endswith(".wav")]
        for member in sorted(members, key=lambda m: m.name):
            digit, speaker, number = Path(member.name).stem.split("_")
            samples, rate = sound_of(archive.extractfile(member).read())
            if rate != RATE:
                raise ValueError(f"{member.name} has {rate} samples a second.")
            word = DIGITS[int(digit)]
            takes.append(Take(speaker, word, int(number), samples[:, 0]))
    return takes


def split(takes, held_out):
    """The parts of a fold: dict of dicts of lists of `((samples, rate), text)`.

    `"train"` and `"dev"` are of the other speakers, `"test"` is all of the one who is
    held out; each has `"single"` digits and `"joined"` strings.
    """
    parts = {"train": [], "dev": [], "test": []}
    for take in takes:
        held = "dev" if take.number < HELD_TAKES else "train"
        parts["test" if take.speaker == held_out else held].append(take)
    return {
        name: {
            "single": [((take.samples, RATE), take.word) for take in own],
            "joined": joined(own, STRINGS[name], seed),
        }
        for seed, (name, own) in enumerate(parts.items())
    }


def joined(takes, count, seed):
    """Strings of digits of one speaker each, with pauses of faint noise between."""
    random, found = np.random.default_rng(seed), []
    speakers = sorted({take.speaker for take in takes})
    own = {s: [take for take in takes if take.speaker == s] for s in speakers}
    for number in range(count):
        pool = own[speakers[number % len(speakers)]]
        chosen = random.choice(len(pool), random.integers(LENGTHS[0], LENGTHS[1] + 1))
        parts, words = [], []
        for index in chosen:
            pause = int(random.uniform(*PAUSES) * RATE)
            parts += [pool[index].samples, random.normal(0, 3e-4, pause)]
            words.append(pool[index].word)
        samples = np.concatenate(parts[:-1]).astype("float32")
        found.append(((samples, RATE), " ".join(words)))
    return found


def examples(takes):
    """A digit and a string of the speaker whom the saved recognizer never heard."""
    test = split(takes, SHIPPED)["test"]
    shortest = min(test["joined"], key=lambda pair: len(pair[0][0]))
    return [test["single"][0], shortest]


def in_text(samples):
    """Samples as a WAV file in a text, `data:audio/wav;base64,...`."""
    import base64
    import wave

    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(np.round(samples * 32768).astype("<i2").tobytes())
    return f"data:audio/wav;base64,{base64.b64encode(stream.getvalue()).decode()}"


# === Training and scores ===


def train_one(args, takes, held_out, folder, seed):
    """Trains without a speaker; saves the recognizer, and returns its test scores."""
    data = split(takes, held_out)
    train, dev = (
        data[part]["single"] + data[part]["joined"] for part in ("train", "dev")
    )
    task = SpeechRecognizer.for_data(train, **OPTIONS)
    task.fit(
        train,
        dev,
        epochs=args.epochs,
        learning_rate=args.learning_rate,
        seed=seed,
        verbose=2,
        resume_dir=folder / "state",
        **FIT,
    )
    task.save(folder / "preset")
    single, strings = (
        task.evaluate(data["test"][kind]) for kind in ("single", "joined")
    )
    return {
        **single,
        **{f"joined_{name}": value for name, value in strings.items()},
        "dev_wer": task.evaluate(dev)["wer"],
        "neighbour_wer": neighbour_wer(task.log_mel, data),
    }


def mean_scores(folds, seed):
    """Means over the speakers who were held out, of one seed."""
    every = [folds.results[f"{speaker}/{seed}"] for speaker in SPEAKERS]
    names = [name for name in every[0] if name != "seconds"]
    return {name: statistics.mean(own[name] for own in every) for name in names}


def baseline(folds):
    """Error rates of the nearest neighbour, and of one digit for all recordings."""
    rates = [own["neighbour_wer"] for own in folds.results.values()]
    return {"wer": statistics.mean(rates), "same_digit_wer": 1 - 1 / len(DIGITS)}


def neighbour_wer(log_mel, data, parts=8):
    """Word error rate of the digit of the training recording that is most alike.

    Recordings are compared by the means of their features in so many parts.
    """

    def vectors(pairs):
        features = log_mel.of([samples for (samples, _), _ in pairs])
        means = [[p.mean(0) for p in np.array_split(x, parts)] for x in features]
        return np.array(means).reshape(len(pairs), -1)

    known, asked = data["train"]["single"], data["test"]["single"]
    a, b = vectors(known), vectors(asked)
    distance = (a**2).sum(1) - 2 * b @ a.T
    found = [known[i][1] for i in distance.argmin(1)]
    return transcript_scores(found, [text for _, text in asked])["wer"]


def speaker_table(folds):
    """Markdown table with a row for each speaker who was held out."""
    names = ("wer", "cer", "joined_wer", "joined_cer", "neighbour_wer")
    rows = ["| Held out | WER | CER | WER, joined | CER, joined | WER, neighbour |"]
    rows.append("|" + " --- |" * 6)
    means = []
    for speaker in SPEAKERS:
        summary = folds.summary(speaker)
        means.append([summary[name]["mean"] for name in names])
        cells = [recipe_runs.shown(value) for value in means[-1]]
        rows.append(f"| {speaker} | {' | '.join(cells)} |")
    cells = [
        f"{recipe_runs.shown(statistics.mean(own))} ± "
        f"{recipe_runs.shown(statistics.stdev(own))}"
        for own in zip(*means, strict=True)
    ]
    return "\n".join([*rows, f"| all | {' | '.join(cells)} |"])
