"""The tagger: finds entities in real text, then learns labels it never saw."""

import zoo
from tasks import results
from tasks.demo.telling import DATA, heading, load, picture

MODEL = "ner_lstm_crf.wnut17_en"
LABELS = ["INGREDIENT", "QUANTITY", "TIME"]
TEXTS = (
    ("A dozen sentences", "sentences.txt"),
    ("A text file: A Scandal in Bohemia, 1891", "scandal_in_bohemia.txt"),
)
NEW_SENTENCES = [
    "Whisk two eggs with a pinch of nutmeg and fry them for three minutes.",
    "Pour 150 ml of oat milk over the rhubarb and let it stand for half an hour.",
]


def show(output, quick=False):
    """Writes `entities.html`, `entities.png` and, if not quick, the tagger `recipes`.

    Raises:
        RuntimeError: If the saved tagger answers otherwise than the one it was.
    """
    tagger = load(MODEL)
    tagged = _tag(tagger, TEXTS[:1] if quick else TEXTS)
    _draw(tagged, output)
    if not quick:
        _learn(output / "recipes")


def _tag(tagger, texts):
    tagged = []
    for what, name in texts:
        heading(what)
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
    heading("Pictures")
    page = output / "entities.html"
    page.write_text(results.entities_html(tagged, title=MODEL), encoding="utf-8")
    print(f"wrote {page}: every text with its entities marked")
    picture(output / "entities.png", tagged[0].plot, "the first sentence")


def _learn(folder):
    tagger = load(MODEL, labels=LABELS)
    test = DATA / "recipes_test.conll"
    before = tagger.evaluate(test)["f1"]
    print(f"F1 on {test.name} with the new head untrained: {before:.3f}")
    heading("tagger.fit on sentences of a cook, with labels it never saw")
    tagger.fit(
        DATA / "recipes_train.conll", epochs=15, batch_size=8, learning_rate=3e-3
    )
    after = tagger.evaluate(test)["f1"]
    print(f"F1 on {test.name}: {before:.3f} before, {after:.3f} after")
    answers = tagger.predict(NEW_SENTENCES)
    _show(answers)
    heading(f'tagger.save("{folder}"), and zoo.load again')
    tagger.save(folder)
    again = zoo.load(folder).predict(NEW_SENTENCES)
    if [answer.entities for answer in again] != [answer.entities for answer in answers]:
        raise RuntimeError(f"{folder} answers otherwise than before it was saved.")
    print("The loaded model gives the same answers.")
