"""The recognizer: writes down digits of a speaker whom it never heard."""

from tasks.demo.telling import DATA, heading, load, picture

MODEL = "speech_recognition_lstm_ctc.fsdd_en"


def show(output, quick=False):
    """Writes `transcript.png`."""
    recognizer = load(MODEL)
    heading("Digits of a speaker whom it never heard, written down")
    paths = sorted(DATA.glob("digits_*.wav"))
    results = recognizer.predict(paths)
    for path, result in zip(paths, results, strict=True):
        print(f"{path.name}, {result.seconds:.1f} s: {result}")
        print(f"    {', '.join(map(str, result.words))}")
    picture(output / "transcript.png", results[-1].plot, "what was heard when")
