"""The language model: goes on with a play, and says what surprises it."""

import time

from tasks.demo.telling import heading, load, picture

MODEL = "language_model_lstm.tiny_shakespeare_chars"
PROMPT = "JULIET:\n"
LINES = (
    "To be, or not to be, that is the question:\n"
    "Whether 'tis nobler in the mind to suffer\n"
    "To reboot the server, or to file a ticket.\n"
)


def show(output, quick=False):
    """Writes `surprise.png`."""
    model = load(MODEL)
    heading(f"A few lines, character by character, after {PROMPT.strip()!r}")
    started, count = time.perf_counter(), 0
    print(PROMPT, end="")
    tokens = 40 if quick else 400
    for piece in model.stream(PROMPT, max_tokens=tokens, temperature=0.7, seed=3):
        print(piece, end="", flush=True)
        count += len(piece)
    seconds = time.perf_counter() - started
    print(f"\n({count} characters in {seconds:.1f} s, with compiling)")
    heading("What surprises it")
    surprise = model.score(LINES)
    print(surprise)
    picture(output / "surprise.png", surprise.plot, "darker where it was surprised")
