"""The translator: translates sentences, and shows where it looked."""

from tasks.demo.telling import heading, load, picture

MODEL = "translation_lstm_attention.tatoeba_en_de"
SENTENCES = [
    "Where is the nearest hospital?",
    "I didn't know that you could swim so well.",
    "My sister has been learning German for three years.",
    "It is too cold to go out without a coat.",
]


def show(output):
    """Writes `alignment.png`."""
    translator = load(MODEL)
    heading("English to German, a beam of five")
    answers = translator.translate(SENTENCES)
    for answer in answers:
        print(f"{answer.source}\n    {answer}")
    picture(output / "alignment.png", answers[2].plot, "where the third one looked")
