"""The classifier: judges reviews, and shows the words it went by."""

from tasks.demo.telling import heading, load, picture

MODEL = "text_classification_lstm.sst2_en"
REVIEWS = [
    "A quiet, tender film that trusts its actors, and they repay it in every scene.",
    "The jokes are older than the director, and the plot is thinner than the popcorn.",
]


def show(output, quick=False):
    """Writes `opinions.html` and `opinion.png`."""
    classifier = load(MODEL)
    heading("Two reviews, judged")
    answers = classifier.predict(REVIEWS)
    for answer in answers:
        print(f"{answer.text}\n    {answer}")
    page = output / "opinions.html"
    marked = "".join(answer.to_html() for answer in answers)
    page.write_text(
        f'<!doctype html><meta charset="utf-8"><title>{MODEL}</title>{marked}', "utf-8"
    )
    print(f"wrote {page}: the words it went by")
    picture(output / "opinion.png", answers[-1].plot, "the second review")
