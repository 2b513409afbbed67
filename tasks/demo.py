"""What the zoo does, shown in a minute: tag real text, then learn new labels."""

import os
import shutil
import sys
import time
from pathlib import Path

import zoo
from tasks import model_table, results

MODEL = "ner_lstm_crf.wnut17_en"
DATA = Path(__file__).with_name("demo_data")
LABELS = ["INGREDIENT", "QUANTITY", "TIME"]
NEW_SENTENCES = [
    "Whisk two eggs with a pinch of nutmeg and fry them for three minutes.",
    "Pour 150 ml of oat milk over the rhubarb and let it stand for half an hour.",
]


def run(output="demo"):
    """Runs the demo and tells what it does.

    Args:
        output: Folder for `entities.html`, `entities.png` and the new model, made if
            missing; what an earlier demo left there is replaced.

    Raises:
        RuntimeError: If the saved model answers otherwise than the one it was.
    """
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    _heading("The zoo")
    print(model_table.plain_table(model_table.card_data()))
    tagger = _load(MODEL)
    tagged = _tag(tagger)
    _draw(tagged, output)
    _learn(output / "recipes")
    _heading(f"Done in {time.perf_counter() - started:.0f} s")
    print(f"Look at {output / 'entities.html'}, or try it on your own words:")
    print(f'  {_command()} predict {MODEL} "Grace Hopper found a moth at Harvard."')
    print(f'  {_command()} predict {output / "recipes"} "Add two cups of sugar."')


def _command():
    """What to type for `zoo`: `make` puts it where no shell looks for it."""
    beside = Path(sys.executable).with_name("zoo")
    if shutil.which("zoo") or not beside.exists():
        return "zoo"
    return os.path.relpath(beside)


def _heading(text):
    print(f"\n== {text} ==", flush=True)


def _load(name, **overrides):
    options = "".join(f", {key}={value}" for key, value in overrides.items())
    _heading(f'zoo.load("{name}"{options})')
    started = time.perf_counter()
    tagger = zoo.load(name, **overrides)
    seconds = time.perf_counter() - started
    print(f"{tagger.model.count_params():,} parameters, loaded in {seconds:.1f} s")
    return tagger


def _tag(tagger):
    tagged = []
    for heading, name in (
        ("A dozen sentences", "sentences.txt"),
        ("A text file: A Scandal in Bohemia, 1891", "scandal_in_bohemia.txt"),
    ):
        _heading(heading)
        lines = (DATA / name).read_text(encoding="utf-8").split("\n")
        answers = tagger.predict([line for line in lines if line])
        _show(answers)
        tagged += answers
    return tagged


def _show(answers):
    for answer in answers:
        short = answer.text if len(answer.text) < 80 else answer.text[:77] + "..."
        print(f"{short}\n    {answer}")


def _draw(tagged, output):
    _heading("Pictures")
    page = output / "entities.html"
    page.write_text(results.entities_html(tagged, title=MODEL), encoding="utf-8")
    print(f"wrote {page}: every text with its entities marked")
    try:
        figure = tagged[0].plot()
    except ImportError as error:
        print(f"no picture: {error}")
        return
    figure.savefig(output / "entities.png", dpi=150)
    print(f"wrote {output / 'entities.png'}: the first sentence")


def _learn(folder):
    tagger = _load(MODEL, labels=LABELS)
    test = DATA / "recipes_test.conll"
    before = tagger.evaluate(test)["f1"]
    print(f"F1 on {test.name} with the new head untrained: {before:.3f}")
    _heading("tagger.fit on sentences of a cook, with labels it never saw")
    tagger.fit(
        DATA / "recipes_train.conll", epochs=15, batch_size=8, learning_rate=3e-3
    )
    after = tagger.evaluate(test)["f1"]
    print(f"F1 on {test.name}: {before:.3f} before, {after:.3f} after")
    answers = tagger.predict(NEW_SENTENCES)
    _show(answers)
    _heading(f'tagger.save("{folder}"), and zoo.load again')
    tagger.save(folder)
    again = zoo.load(folder).predict(NEW_SENTENCES)
    if [answer.entities for answer in again] != [answer.entities for answer in answers]:
        raise RuntimeError(f"{folder} answers otherwise than before it was saved.")
    print("The loaded model gives the same answers.")
