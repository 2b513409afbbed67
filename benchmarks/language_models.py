"""Speed and memory of language models beside one with torch.nn.LSTM of the same size.

Characters, one recurrent layer, a softmax, float32, Adam with clipped gradients, states
carried from batch to batch. Training is a number of steps of a warm model; generation
draws characters one by one for a single prompt: ours in compiled blocks, torch with an
LSTMCell, and Keras' own LSTM as people write it, a model that is called for each
character. Wants `pip install torch`.
"""

import argparse
import os
import statistics
from typing import NamedTuple

from harness import RESULTS, load, race, ratio, write


class Size(NamedTuple):
    """Sizes that all contestants share."""

    units: int = 512
    embedding: int = 64
    vocabulary: int = 64
    rows: int = 64
    chunk: int = 128
    steps: int = 4
    characters: int = 1000


# Ours, and how many times as fast as torch's LSTM they are meant to be.
LAYERS = {"zoneout_lstm": 1.0, "qrnn": 2.5, "ind_rnn": 4.0}


def use(backend="tensorflow"):
    os.environ["KERAS_BACKEND"] = backend
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"


def text_of(size, steps):
    """Characters by chance, enough for so many steps, all of the vocabulary in it."""
    import numpy as np

    count = size.rows * size.chunk * steps + 1
    letters = [chr(0x4E00 + i) for i in range(size.vocabulary - 2)]
    drawn = np.random.default_rng(0).integers(0, len(letters), count - len(letters))
    return "".join(letters) + "".join(letters[i] for i in drawn)


def zoo_model(size, layer):
    use()
    from tasks.language_modeling import LanguageModel

    return LanguageModel.for_text(
        text_of(size, 1), layer=layer, units=size.units, embedding_dim=size.embedding
    )


def zoo_training(size, layer):
    """An epoch of `size.steps` steps."""
    model = zoo_model(size, layer)
    import keras

    from tasks.data.pipeline import as_dataset
    from tasks.data.text_streams import StreamBatches
    from tasks.losses import row_loss

    ids = model.tokenizer.encode(text_of(size, size.steps))
    batches = StreamBatches([ids], size.rows, size.chunk)
    training = model.parts.training_model(size.rows)
    training.compile(keras.optimizers.Adam(1e-3, global_clipnorm=1.0), row_loss)
    # The batch after these has one token, and takes as long as a full one.
    batches = as_dataset(batches).take(size.steps)
    return lambda: training.fit(batches, shuffle=False, verbose=0)


def zoo_generation(size, layer):
    model = zoo_model(size, layer)
    prompt = text_of(size, 1)[0]
    return lambda: model.generate(prompt, size.characters, seed=0)


def torch_model(size):
    import torch
    from torch import nn

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(size.vocabulary, size.embedding)
            self.lstm = nn.LSTM(size.embedding, size.units, batch_first=True)
            self.logits = nn.Linear(size.units, size.vocabulary)

        def forward(self, ids, state):
            y, state = self.lstm(self.embedding(ids), state)
            return self.logits(y), state

    torch.manual_seed(0)
    return Model()


def torch_training(size):
    import torch
    from torch.nn import functional

    model = torch_model(size)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    shape = (size.rows, size.steps * size.chunk + 1)
    ids = torch.randint(0, size.vocabulary, shape)

    def epoch():
        state = None
        for start in range(0, size.steps * size.chunk, size.chunk):
            part = ids[:, start : start + size.chunk + 1]
            logits, state = model(part[:, :-1], state)
            state = tuple(x.detach() for x in state)
            loss = functional.cross_entropy(logits.flatten(0, 1), part[:, 1:].flatten())
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()

    return epoch


def torch_generation(size, rows=1):
    import torch

    model = torch_model(size)
    cell = torch.nn.LSTMCell(size.embedding, size.units)

    @torch.inference_mode()
    def generate():
        last = torch.zeros(rows, dtype=torch.long)
        state, found = None, []
        for _ in range(size.characters):
            state = cell(model.embedding(last), state)
            chances = torch.softmax(model.logits(state[0]), -1)
            last = torch.multinomial(chances, 1)[:, 0]
            found.append(last.tolist())
        return found

    return generate


def keras_generation(size, characters):
    """A stateful Keras LSTM in a model that is called for each character."""
    use()
    import keras
    import numpy as np

    model = keras.Sequential(
        [
            keras.Input(batch_shape=(1, 1), dtype="int32"),
            keras.layers.Embedding(size.vocabulary, size.embedding),
            keras.layers.LSTM(size.units, stateful=True),
            keras.layers.Dense(size.vocabulary, activation="softmax"),
        ]
    )
    random = np.random.default_rng(0)

    def generate():
        last, found = 0, []
        for _ in range(characters):
            chances = model.predict_on_batch(np.array([[last]]))[0].astype("float64")
            last = int(random.choice(size.vocabulary, p=chances / chances.sum()))
            found.append(last)
        return found

    return generate


def training(size, rounds):
    """Characters a second of all contestants, and ratios to torch."""
    contestants = {"torch LSTM": (torch_training, size)}
    contestants |= {name: (zoo_training, size, name) for name in LAYERS}
    results = race(contestants, rounds, seconds=0)
    return compared(results, size.rows * size.chunk * size.steps, "torch LSTM")


def generation(size, rounds):
    slow = size.characters // 10  # a tenth: it takes long
    contestants = {
        "torch LSTMCell": (torch_generation, size),
        "keras.layers.LSTM, called": (keras_generation, size, slow),
    }
    contestants |= {name: (zoo_generation, size, name) for name in LAYERS}
    results = race(contestants, rounds, seconds=0)
    keras_result = results["keras.layers.LSTM, called"]
    keras_result["times"] = [10 * t for t in keras_result["times"]]
    return compared(results, size.characters, "torch LSTMCell")


def compared(results, count, to):
    for name, result in results.items():
        result["rate"] = count / statistics.median(result["times"])
        # How many times as fast: the ratio of times, the other way round.
        result["faster"] = 1 / ratio(results, name, to)["median"]
        print(
            f"{name:28} {result['rate']:9.0f} characters/s, {result['faster']:.2f} × "
            f"{to}, peak {result['memory']:5.0f} MB, first call "
            f"{result['first_call']:.1f} s",
            flush=True,
        )
    return {"results": results, **load()}


def plot(content, path):
    """Bars: how many times as fast as torch, with the goals; drawn on Agg."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.4), layout="constrained")
    for axes, part in zip(
        figure.subplots(1, 2), ("training", "generation"), strict=True
    ):
        results = content[part]["results"]
        bars = {name: result["faster"] for name, result in results.items()}
        drawn = axes.barh(list(bars), list(bars.values()), color="#2166ac")
        axes.bar_label(drawn, fmt="%.2f", padding=3)
        axes.margins(x=0.1)
        axes.axvline(1, color="#999999", linewidth=1)
        axes.invert_yaxis()
        axes.set(title=part, xlabel="times as fast as torch")
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="turns (default 5)")
    parser.add_argument("--quick", action="store_true", help="one turn, tiny sizes")
    parser.add_argument("--name", default="language_models", help="of the results")
    args = parser.parse_args()
    size, rounds = Size(), args.rounds
    if args.quick:
        size, rounds = Size(16, 8, 64, 4, 16, 2, 100), 1
    content = {"size": size._asdict(), "goals": LAYERS}
    content["training"] = training(size, rounds)
    content["generation"] = generation(size, rounds)
    path = plot(content, RESULTS / f"{args.name}.png")
    print("written:", write(args.name, content), path)


if __name__ == "__main__":
    main()
