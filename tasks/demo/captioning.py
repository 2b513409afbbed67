"""The captioner: says what is on a picture, and shows where it looked."""

from tasks.demo.telling import DATA, heading, load, picture

MODEL = "captioning_lstm_attention.flickr8k_en"
PICTURES = DATA / "pictures"


def show(output, quick=False):
    """Writes `caption.png`."""
    captioner = load(MODEL)
    paths = sorted(PICTURES.glob("*.jpg"))
    heading("What is on these pictures?")
    answers = captioner.predict(paths)
    for path, answer in zip(paths, answers, strict=True):
        print(f"{path.name}: {answer}")
    picture(output / "caption.png", answers[0].plot, "where each word looked")
