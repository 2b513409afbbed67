"""The translator: translates everyday sentences, and shows where it looked."""

from tasks.demo.telling import heading, load, picture

MODEL = "translation_lstm_attention.tatoeba_en_de"
SENTENCES = [
    "My brother bought a new car yesterday.",
    "Do you have time this evening?",
    "If it rains tomorrow, we will stay at home and read.",
    "I have never seen such a beautiful garden.",
]


def show(output, quick=False):
    """Writes `alignment.png`."""
    translator = load(MODEL)
    heading("Everyday sentences, from English to German, with a beam of five")
    answers = translator.translate(SENTENCES)
    for answer in answers:
        print(f"{answer.source}\n    {answer}")
    picture(output / "alignment.png", answers[0].plot, "where it looked")
