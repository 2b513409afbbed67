"""A small task with all that makes a run hard to repeat, and a fuse in its training.

Dropout, zoneout, an order that is new in each epoch, validation, and callbacks with
states of their own.
"""

import signal

import keras
import numpy as np
from keras import layers, ops

import zoo.layers
from tasks.task import Task
from tasks.training import BestWeights
from tests.killing import AfterSteps, Fuse, slow_files

ROWS, TIME, WORDS, BATCH = 24, 5, 12, 4


class Shuffled(keras.utils.PyDataset):
    """Rows of ids in an order that is a pure function of seed and epoch."""

    def __init__(self, seed=0):
        super().__init__()
        random = np.random.default_rng(1)
        self.ids = random.integers(1, WORDS, (ROWS, TIME)).astype("int32")
        self.seed, self.epoch = seed, 0

    def __len__(self):
        return ROWS // BATCH

    def __getitem__(self, number):
        order = np.random.default_rng((self.seed, self.epoch)).permutation(ROWS)
        ids = self.ids[order[number * BATCH : (number + 1) * BATCH]]
        return {"ids": ids}, np.zeros(BATCH, "float32")


class Small(Task):
    """Foretells the mean of the ids of a row."""

    def __init__(self, units=3):
        ids = keras.Input((TIME,), dtype="int32", name="ids")
        mask = ops.not_equal(ids, 0)
        x = layers.Dropout(0.3)(layers.Embedding(WORDS, 3)(ids))
        x = zoo.layers.ZoneoutLSTM(units, zoneout_h=0.1, zoneout_c=0.2)(x, mask=mask)
        answer = layers.Dense(1, dtype="float32")(x)
        wanted = ops.mean(ops.cast(ids, "float32"), 1, keepdims=True) / WORDS
        self.model = keras.Model({"ids": ids}, answer)
        self.training_model = keras.Model(
            {"ids": ids}, ops.squeeze(ops.square(answer - wanted), -1)
        )

    def score(self):
        ids = Shuffled().ids
        return float(ops.mean(ops.cast(self.training_model({"ids": ids}), "float32")))

    def fit(self, seed=0, learning_rate=0.05, data=ROWS, **run):
        rows = Shuffled(seed)
        return self._fit(
            rows,
            rows,
            data,
            learning_rate=learning_rate,
            seed=seed,
            best=lambda **how: BestWeights(self.score, "val_error", lower=True, **how),
            verbose=0,
            **run,
        )


def live(
    output=None,
    folder=None,
    moment=0,
    number=signal.SIGKILL,
    policy="float32",
    slow=True,
    save_every=2,
    epochs=3,
    **options,
):
    """Trains, with a fuse; writes what became of it, if it lives that long.

    Args:
        output: File for weights, logs and states of callbacks.
        folder: Where states of the run are kept; `None` to train straight through.
        moment: When a signal comes, from 1; 0 for never. See `tests.killing`.
        number: Which signal.
        policy: Name of a dtype policy.
        slow: Whether writing files has moments, too.
        save_every, epochs, **options: Of `fit`.

    Returns:
        An empty text.
    """
    keras.config.set_dtype_policy(policy)
    keras.utils.set_random_seed(1)
    fuse = Fuse(moment, number)
    if slow:
        slow_files(fuse)
    task, own = Small(), AfterSteps(fuse)
    stop = keras.callbacks.EarlyStopping("loss", patience=2)
    if folder is not None:
        options = {"resume_dir": folder, "save_every": save_every, **options}
    logs = task.fit(epochs=epochs, callbacks=[own, stop], **options).history
    if output is not None:
        variables = task.training_model.variables
        weights = [ops.convert_to_numpy(ops.cast(w, "float32")) for w in variables]
        logs = np.array(list(logs.values()))
        np.savez(output, *weights, logs, [own.steps], own.means, [stop.wait, stop.best])
    return ""
