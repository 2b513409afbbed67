"""The captioner: says what is on a picture, and shows where it looked."""

from tasks.demo.telling import DATA, heading, load, picture

MODEL = "captioning_lstm_attention.flickr8k_en"
PICTURES = DATA / "pictures"
SHOWN = "photographer.jpg"


def show(output, quick=False):
    """Writes `caption.png`."""
    captioner = load(MODEL)
    paths = sorted(PICTURES.glob("*.jpg"))
    heading("What is on these pictures?")
    print("It learned from photographs of people and dogs, and guesses at the rest.")
    answers = captioner.predict(paths)
    for path, answer in zip(paths, answers, strict=True):
        print(f"{path.name}: {answer}")
    shown = answers[[path.name for path in paths].index(SHOWN)]
    picture(output / "caption.png", shown.plot, f"where each word looked on {SHOWN}")
