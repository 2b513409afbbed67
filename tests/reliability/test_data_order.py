"""Each example once an epoch, wherever a run was killed: counted by who reads it."""

import keras
import numpy as np
import pytest

from tasks.continued import fit_from
from tasks.data.batches import Batches, FollowEpochs
from tasks.data.features import WordFeatures
from tasks.data.pipeline import as_dataset
from tasks.data.vocabulary import Vocabulary

EPOCHS, COUNT = 3, 41
# Every word is in one sentence alone, so its id tells which was read.
WORDS = ["x" + chr(97 + i // 26) + chr(97 + i % 26) for i in range(COUNT)]
SENTENCES = [[word] * (1 + 7 * i % 20) for i, word in enumerate(WORDS)]
TAGS = [["O"] * len(sentence) for sentence in SENTENCES]
FEATURES = WordFeatures(
    Vocabulary(WORDS), Vocabulary("abcdefghijklmnopqrstuvwxyz"), word_length=4
)


class Killed(Exception):
    pass


class Reader(keras.Model):
    """Counts what it reads, epoch by epoch, and is killed before a step."""

    def __init__(self, killed=None):
        super().__init__()
        self.killed, self.done, self.read = killed, 0, []
        self.compile(optimizer="sgd", loss="mse", run_eagerly=True)

    def train_step(self, data):
        if self.done == self.killed:
            raise Killed
        self.done += 1
        inputs, _ = data
        firsts = np.asarray(inputs["word_ids"])[:, 0]
        self.read += firsts[np.asarray(inputs["mask"])[:, 0]].tolist()
        return {"loss": 0.0}


def fit(reader, seed, epoch=0, step=0):
    batches = Batches(SENTENCES, TAGS, FEATURES, ["O"], 4, shuffle=True, seed=seed)
    steps, callbacks = len(batches), [FollowEpochs(batches)]
    shown = {"epochs": EPOCHS, "verbose": 0, "callbacks": callbacks}
    reader.optimizer.build([])
    fit_from(reader, as_dataset(batches), epoch, step, steps, **shown)
    return steps


@pytest.mark.parametrize("seed", range(10))
def test_each_sentence_once_an_epoch(seed, tried):
    whole = Reader()
    steps = fit(whole, seed)
    for epoch in range(EPOCHS):
        part = whole.read[epoch * COUNT : (epoch + 1) * COUNT]
        assert len(part) == len(set(part)) == COUNT
    places = (1, steps + steps // 2, 2 * steps)
    for place in places:
        before, after = Reader(killed=place), Reader()
        with pytest.raises(Killed):
            fit(before, seed)
        fit(after, seed, *divmod(place, steps))
        # Not only the same sentences: the same in the same order.
        assert before.read + after.read == whole.read
    tried(len(places))
