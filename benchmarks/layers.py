"""Speed of recurrent layers beside torch's and Keras' own on the CPU.

Training is a forward pass, gradients of weights and inputs, and a step of SGD. All
numbers are float32. Ratios above 1 mean slower than what stands behind "to".
"""

import argparse
import json
import os

from harness import RESULTS, load, race, ratio, versions, write

SHAPES = [(32, 100, 256), (64, 50, 512), (16, 1000, 128)]
LENGTHS = (100, 1000, 4096, 8192)
# Whose time per step is measured as sequences grow.
GROWING = ("torch", "zoo", "zoo GRU", "zoo QRNN", "zoo IndRNN", "keras jit")
ZONEOUT = {"zoneout_h": 0.05, "zoneout_c": 0.5}
KERAS = ("zoo", "zoo+zoneout", "keras jit", "keras graph")
# Name and options of the layers of the zoo.
LAYERS = {
    "zoo": ("zoneout_lstm", {}),
    "zoo+zoneout": ("zoneout_lstm", ZONEOUT),
    "zoo GRU": ("gru", {}),
    "zoo QRNN": ("qrnn", {"window": 1}),
    "zoo IndRNN": ("ind_rnn", {}),
    "zoo MinGRU": ("min_gru", {}),
    "zoo MinLSTM": ("min_lstm", {}),
    "zoo RGLRU": ("rglru", {}),
}
TORCH = {"torch": "LSTM", "torch GRU": "GRU", "torch QRNN": "QRNN"}
NAMES = (*TORCH, *KERAS, *(name for name in LAYERS if name not in KERAS))
GOALS = [
    ("zoo", "torch", "train", 1.0),
    ("zoo", "torch", "infer", 1.1),
    ("zoo+zoneout", "zoo", "train", 1.1),
    ("zoo GRU", "torch GRU", "train", 0.85),
    ("zoo GRU", "torch GRU", "infer", 0.75),
    ("zoo QRNN", "torch", "train", 0.35),
    ("zoo QRNN", "torch", "infer", 0.5),
    ("zoo QRNN", "torch QRNN", "train", None),
    ("zoo QRNN", "torch QRNN", "infer", None),
    ("zoo IndRNN", "torch", "train", 0.15),
    ("zoo IndRNN", "torch", "infer", 0.18),
    ("keras jit", "torch", "train", None),
    ("keras graph", "torch", "train", None),
    ("keras jit", "torch", "infer", None),
    ("keras graph", "torch", "infer", None),
    *(
        (name, "torch", mode, None)
        for name in ("zoo MinGRU", "zoo MinLSTM", "zoo RGLRU")
        for mode in ("train", "infer")
    ),
]


def torch_layer(kind, batch, time, units, train):
    """A step of `torch.nn.LSTM`, `torch.nn.GRU`, or of a QRNN in torch."""
    import torch

    if kind == "QRNN":
        layer = torch_qrnn(units)
    else:
        layer = getattr(torch.nn, kind)(units, units, batch_first=True)
    x = torch.randn(batch, time, units, requires_grad=train)
    target = torch.randn(batch, time, units)

    def step():
        layer.zero_grad()
        x.grad = None
        ((layer(x)[0] - target) ** 2).mean().backward()
        with torch.no_grad():
            for weight in layer.parameters():
                weight -= 1e-3 * weight.grad

    def answer():
        with torch.inference_mode():
            layer(x)

    return step if train else answer


def torch_qrnn(units):
    """A QRNN of window 1 with fo-pooling that pools as published code does on CPUs.

    That is a loop over time in Python, after one product for all steps.
    """
    import torch

    class TorchQRNN(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.gates = torch.nn.Linear(units, 3 * units)

        def forward(self, x):
            z, f, o = self.gates(x).chunk(3, -1)
            z, f = torch.tanh(z), torch.sigmoid(f)
            c, states = torch.zeros_like(z[:, 0]), []
            for a, b in zip(f.unbind(1), ((1 - f) * z).unbind(1), strict=True):
                c = a * c + b
                states.append(c)
            h = torch.sigmoid(o) * torch.stack(states, 1)
            return h, c

    return TorchQRNN()


def keras_layer(kind, batch, time, units, train):
    """A step of a layer of the zoo, or of Keras' LSTM, on TensorFlow."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras
    import numpy as np
    import tensorflow as tf

    import zoo

    if kind in LAYERS:
        name, options = LAYERS[kind]
        layer = zoo.layers.get(name, units, return_sequences=True, **options)
    else:
        layer = keras.layers.LSTM(units, return_sequences=True)
    x, target = (tf.random.normal((batch, time, units)) for _ in range(2))
    layer.build(x.shape)
    weights = [w.value for w in layer.trainable_weights]

    @tf.function(jit_compile=kind != "keras graph")
    def step(x, target):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_mean((layer(x, training=True) - target) ** 2)
        gradients = tape.gradient(loss, [*weights, x])
        for weight, gradient in zip(weights, gradients, strict=False):
            weight.assign_sub(1e-3 * gradient)
        return loss, gradients[-1]

    @tf.function(jit_compile=kind != "keras graph")
    def answer(x, _):
        return layer(x, training=False)

    function = step if train else answer
    # Reading a number waits for the result.
    return lambda: np.asarray(tf.nest.flatten(function(x, target))[0]).ravel()[:1]


def contestants(shape, train, names):
    """What races: all at one shape, in one mode."""
    return {
        name: (torch_layer, TORCH[name], *shape, train)
        if name in TORCH
        else (keras_layer, name, *shape, train)
        for name in names
    }


def compare(shapes, args):
    """Races at each shape, in training and in inference."""
    found = []
    for shape in shapes:
        for mode in ("train", "infer"):
            results = race(
                contestants(shape, mode == "train", NAMES), args.rounds, args.seconds
            )
            found.append({"shape": shape, "mode": mode, "results": results, **load()})
            report(found[-1])
    return found


def report(one):
    """Prints one race."""
    print("\n(batch, time, units) =", tuple(one["shape"]), one["mode"])
    for name, result in one["results"].items():
        best = min(result["times"])
        print(
            f"  {name:12} {1e3 * best:8.1f} ms best, first call "
            f"{result['first_call']:5.1f} s, peak {result['memory']:5.0f} MB"
        )
    for name, to, mode, goal in GOALS:
        if mode == one["mode"]:
            r = ratio(one["results"], name, to)
            goal = f", goal {goal:.2f}" if goal else ""
            print(f"  {name} to {to}: {r['median']:.2f} (best {r['best']:.2f}{goal})")


def flatness(lengths, args, batch=8, units=64):
    """Time of a training step for each step of the sequence, as that grows."""
    found = {}
    for name in GROWING:
        builds = {
            str(n): contestants((batch, n, units), True, [name])[name] for n in lengths
        }
        results = race(builds, args.rounds, args.seconds)
        found[name] = {n: min(r["times"]) / int(n) * 1e6 for n, r in results.items()}
        found[f"{name} memory"] = {n: r["memory"] for n, r in results.items()}
        times = ", ".join(f"T={n}: {t:.1f} us" for n, t in found[name].items())
        print(f"per step, training, batch {batch}, {units} units, {name}: {times}")
    return found


def plot(found, flat, path):
    """Draws ratios to torch, and time per step over the length."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(16, 5), layout="constrained")
    # The same colour in all three parts.
    colors = dict(zip(NAMES, plt.colormaps["tab20"].colors, strict=False))
    for axis, mode in zip(axes, ("train", "infer"), strict=False):
        races = [one for one in found if one["mode"] == mode]
        raced = races[0]["results"]
        shown = [name for name in NAMES if name != "torch" and name in raced]
        for k, name in enumerate(shown):
            bars = [ratio(one["results"], name, "torch")["median"] for one in races]
            width = 0.85 / len(shown)
            places = [i + width * (k - len(shown) / 2) for i in range(len(races))]
            axis.bar(places, bars, 0.9 * width, label=name, color=colors[name])
        axis.axhline(1, color="black", linewidth=0.8)
        axis.set_xticks(range(len(races)), [str(tuple(one["shape"])) for one in races])
        axis.set_title(f"{mode}: time to torch.nn.LSTM (medians)")
    for name, times in flat.items():
        if "memory" not in name:
            steps, taken = [int(n) for n in times], list(times.values())
            axes[2].plot(steps, taken, "o-", label=name, color=colors[name])
    axes[2].set(title="training: µs per time step", xlabel="steps", yscale="log")
    axes[2].set(xscale="log")
    axes[2].legend()
    figure.legend(
        *axes[0].get_legend_handles_labels(), loc="outside lower left", ncols=8
    )
    figure.savefig(path, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one shape, few rounds")
    parser.add_argument("--rounds", type=int, default=7, help="turns (default 7)")
    parser.add_argument(
        "--seconds", type=float, default=0.5, help="time of one turn (default 0.5)"
    )
    parser.add_argument(
        "--part",
        choices=("races", "lengths"),
        help="both by default; what the other has found is kept",
    )
    parser.add_argument("--name", default="layers", help="of the files in results/")
    args = parser.parse_args()
    shapes, lengths = SHAPES, LENGTHS
    if args.quick:
        shapes, lengths, args.rounds = SHAPES[:1], LENGTHS[:2], min(args.rounds, 3)
    if load()["load"] > 0.5:
        print(f"Other work is running ({load()}): expect noise; best by best is safer.")
    path = RESULTS / f"{args.name}.json"
    content = json.loads(path.read_text()) if args.part else {}
    if args.part != "lengths":
        # What the file says of the machine is what the races met.
        content = {k: v for k, v in content.items() if k not in ("machine", "versions")}
        content["races"] = compare(shapes, args)
    if args.part != "races":
        content["microseconds_per_step"] = flatness(lengths, args)
        content["lengths_met"] = {**load(), "versions": versions()}
    write(args.name, content)
    found, flat = content["races"], content["microseconds_per_step"]
    plot(found, flat, path.with_suffix(".png"))
    print(f"\nwritten: {path} and {path.with_suffix('.png').name}")


if __name__ == "__main__":
    main()
