"""The translator: translates captions, and shows where it looked."""

from tasks.demo.telling import heading, load, picture

MODEL = "translation_lstm_attention.multi30k_en_de"
SENTENCES = [
    "A woman in a red coat is waiting for the bus.",
    "Two children are playing football on the beach.",
    "An old man is reading a newspaper in front of a small shop.",
    "A brown dog jumps over a fence in the garden.",
]


def show(output, quick=False):
    """Writes `alignment.png`."""
    translator = load(MODEL)
    heading("Captions, from English to German, with a beam of five")
    answers = translator.translate(SENTENCES)
    for answer in answers:
        print(f"{answer.source}\n    {answer}")
    picture(output / "alignment.png", answers[0].plot, "where it looked")
