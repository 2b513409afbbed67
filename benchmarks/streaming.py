"""One step at a time, as streams and generators go: `layer.step` beside Keras' LSTM.

A batch of one row and one step. Beside the compiled step of the zoo's layers,
`keras.layers.LSTM` is called on a sequence of one step, with its state handed over:
eagerly, which is what its users write, and within a `tf.function`. Ratios are times of
Keras' eager call to those of a step: above 1 the step is faster. Goal: 5.

    python benchmarks/streaming.py           # written to results/streaming.json
"""

import argparse
import os
from statistics import median

from harness import load, race, write

UNITS = (128, 256)
KERAS = ("keras eager", "keras graph")
LAYERS = ("zoneout_lstm", "gru", "qrnn", "ind_rnn")
GOAL = 5


def stepper(name, units):
    """A function that does one step, and hands its state to the next call."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras
    import numpy as np
    import tensorflow as tf

    import zoo

    x = tf.random.normal((1, units))
    if name in KERAS:
        layer = keras.layers.LSTM(units, return_state=True)
        state = [tf.zeros((1, units)), tf.zeros((1, units))]

        def call(x, state):
            y, *state = layer(x[:, None], initial_state=state)
            return y, state

        one = tf.function(call) if name == "keras graph" else call
    else:
        layer = zoo.layers.get(name, units)
        layer.build((1, None, units))
        state = layer.get_initial_state(1)
        one = layer.compiled_step()
    held = [state]

    def step():
        y, held[0] = one(x, held[0])
        return np.asarray(y)

    return step


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--units", type=int, nargs="+", default=UNITS)
    parser.add_argument("--rounds", type=int, default=7, help="turns (default 7)")
    parser.add_argument(
        "--seconds", type=float, default=0.5, help="time of one turn (default 0.5)"
    )
    parser.add_argument("--name", default="streaming", help="of the file of results")
    args = parser.parse_args()
    found = []
    for units in args.units:
        names = (*KERAS, *LAYERS)
        times = {
            name: result["times"]
            for name, result in race(
                {name: (stepper, name, units) for name in names},
                args.rounds,
                args.seconds,
            ).items()
        }
        eager = times[KERAS[0]]
        ratios = {
            name: median(a / b for a, b in zip(eager, times[name], strict=True))
            for name in names[1:]
        }
        found.append({"units": units, "times": times, "keras_eager_to": ratios})
        shown = ", ".join(f"{name} {ratio:.1f}" for name, ratio in ratios.items())
        print(f"{units} units, keras eager to: {shown} (goal {GOAL})", flush=True)
    content = {"goal": GOAL, "load_at_end": load(), "races": found}
    print("written:", write(args.name, content, ("tensorflow", "keras")))


if __name__ == "__main__":
    main()
