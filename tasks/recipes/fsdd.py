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
import statistics
from pathlib import Path

import numpy as np

import zoo
from tasks.metrics.speech import transcript_scores
from tasks.recipes import runs as recipe_runs
from tasks.recipes.spoken_digits import (
    DIGITS,
    RATE,
    SPEAKERS,
    in_text,
    read_takes,
    split,
)
from tasks.speech_recognition import SpeechRecognizer

NAME = "speech_recognition_lstm_ctc.fsdd_en"
SHIPPED = SPEAKERS[-1]  # never heard by the recognizer that is saved
PILOT = "nicolas"  # on whom settings were tried
OPTIONS = dict(
    sample_rate=RATE,
    num_mels=40,
    units=80,
    num_layers=2,
    dropout=0.2,
    hidden_dropout=0.1,
    lexicon=DIGITS,
)
FIT = dict(batch_size=32, stretch=0.15, warp=2.0)
# Numbers of joined strings: to learn from, to choose by and to test by.
STRINGS = {"train": 600, "dev": 60, "test": 150}
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


def add_arguments(parser):
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument(
        "--held-out",
        nargs="+",
        choices=SPEAKERS,
        metavar="SPEAKER",
        default=list(SPEAKERS),
        help=f"to be scored on, {SHIPPED} among them (default: all six)",
    )


def run(args):
    """Trains all folds; `args.output` holds the state, the results and the preset."""
    if SHIPPED not in args.held_out:
        raise ValueError(f"`--held-out` must have {SHIPPED}, whose model is saved.")
    takes = read_takes(Path(args.data_dir) / "fsdd" / "recordings.tar")
    output, speakers = Path(args.output), sorted(set(args.held_out))
    folds = recipe_runs.Runs(output / "folds")
    for seed in args.seeds:
        for speaker in reversed(speakers):  # the one that is saved comes first
            folds.run(speaker, seed, functools.partial(train_one, args, takes, speaker))
    best = min(args.seeds, key=lambda s: folds.results[f"{SHIPPED}/{s}"]["dev_wer"])
    task = zoo.load(folds.folder / SHIPPED / str(best) / "preset")
    task.show_examples([in_text(samples) for (samples, _), _ in examples(takes)])
    joined_rate = folds.results[f"{SHIPPED}/{best}"]["joined_wer"]
    body = output / "card.md"
    body.write_text(card_text(folds, speakers, joined_rate), "utf-8")
    test = split(takes, SHIPPED, STRINGS)["test"]["single"]
    # What is published of a seed is the mean over its folds.
    whole = recipe_runs.Runs(output / "runs")
    whole.results = {
        f"full/{seed}": mean_scores(folds, speakers, seed) for seed in args.seeds
    }
    recipe_runs.publish(
        NAME,
        output,
        whole,
        task,
        lambda task: task.evaluate(test),
        front={**FRONT, "command": command(args.seeds, speakers)},
        body=body,
        baseline=baseline(folds, speakers),
        score="wer",
        scores=("wer", "joined_wer", "free_wer", "free_joined_wer"),
        percent=True,
    )


# === Training and scores ===


def examples(takes):
    """A digit and a string of the speaker whom the saved recognizer never heard."""
    test = split(takes, SHIPPED, STRINGS)["test"]
    shortest = min(test["joined"], key=lambda pair: len(pair[0][0]))
    return [test["single"][0], shortest]


def train_one(args, takes, held_out, folder, seed):
    """Trains without a speaker; saves the recognizer, and returns its test scores."""
    data = split(takes, held_out, STRINGS)
    heard = {
        part: data[part]["single"] + data[part]["joined"] for part in ("train", "dev")
    }
    task = SpeechRecognizer.for_data(heard["train"], **OPTIONS)
    recipe_runs.fit(task, args, heard, folder, seed, **FIT)
    task.save(folder / "preset")
    single, strings = (
        task.evaluate(data["test"][kind]) for kind in ("single", "joined")
    )
    free = zoo.load(folder / "preset", lexicon=None)
    return {
        **single,
        **{f"joined_{name}": value for name, value in strings.items()},
        "free_wer": free.evaluate(data["test"]["single"])["wer"],
        "free_joined_wer": free.evaluate(data["test"]["joined"])["wer"],
        "dev_wer": task.evaluate(heard["dev"])["wer"],
        "neighbour_wer": neighbour_wer(task.log_mel, data),
    }


def mean_scores(folds, speakers, seed):
    """Means over the speakers who were held out, of one seed; and all its seconds."""
    every = [folds.results[f"{speaker}/{seed}"] for speaker in speakers]
    means = {name: statistics.mean(own[name] for own in every) for name in every[0]}
    return {**means, "seconds": sum(own["seconds"] for own in every)}


def baseline(folds, speakers):
    """Error rates of the nearest neighbour, and of one digit for all recordings."""
    rates = [folds.summary(speaker)["neighbour_wer"]["mean"] for speaker in speakers]
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


def command(seeds, speakers):
    """What to type for the run that the card is about."""
    less = "" if len(speakers) == len(SPEAKERS) else f" --held-out {' '.join(speakers)}"
    return f"zoo train {NAME} --data-dir DIR --seeds {' '.join(map(str, seeds))}{less}"


def card_text(folds, speakers, joined_rate):
    """The card's text with what this recipe knows.

    Args:
        folds: `Runs`, a variant for each speaker.
        speakers: Those who were held out.
        joined_rate: Word error rate of the saved model on joined strings.
    """
    text = Path(__file__).with_suffix(".md").read_text("utf-8")
    others = [s for s in speakers if s != PILOT]
    untouched = statistics.mean(folds.summary(s)["wer"]["mean"] for s in others)
    known = {
        "speakers": speaker_table(folds, speakers),
        "count": len(speakers),
        "asked": _asked(speakers),
        "joined": recipe_runs.shown(joined_rate),
        "untouched": recipe_runs.shown(untouched),
        "known": recipe_runs.shown(
            statistics.mean(folds.summary(s)["dev_wer"]["mean"] for s in speakers)
        ),
        "pilot": PILOT,
        "held_out": SHIPPED,
        "heard": ", ".join(s for s in SPEAKERS if s != SHIPPED),
        "bands": OPTIONS["num_mels"],
        "units": OPTIONS["units"],
        "strings": STRINGS["train"],
        "test_strings": STRINGS["test"],
        "stretch": f"{100 * FIT['stretch']:.0f}",
        "warp": f"{FIT['warp']:g}",
    }
    for name, value in known.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text


def _asked(speakers):
    if len(speakers) == len(SPEAKERS):
        return "Each of the six speakers was held out once."
    names = " and ".join(speakers)
    return f"Only {names} were held out so far (`--held-out`): the mean is of few."


def speaker_table(folds, speakers):
    """Markdown table with a row for each speaker who was held out."""
    heads = {
        "wer": "WER",
        "joined_wer": "WER, joined",
        "free_wer": "WER, free",
        "free_joined_wer": "WER, free and joined",
        "neighbour_wer": "WER, neighbour",
    }
    summaries = [folds.summary(speaker) for speaker in speakers]
    columns = [[summary[name]["mean"] for summary in summaries] for name in heads]
    rows = [("Held out", *heads.values()), ["---"] * (1 + len(heads))]
    for speaker, *values in zip(speakers, *columns, strict=True):
        rows.append([speaker, *map(recipe_runs.shown, values)])
    cells = [recipe_runs.spread(own) for own in columns]
    rows.append(["all", *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
