"""Self-critical training: a captioner learns from scores of what it writes itself.

Likelihood asks for the next word of people's captions; what is judged in the end are
whole captions that the model has written. Here it draws some of each picture, and those
that score better than the others become likelier (REINFORCE).

It wants many pictures: what is learned of the scores of a few thousand need not carry
over to others, so watch those of held-out pictures (`validation_data`).

References:
    - Rennie et al., [Self-critical sequence training for image captioning](
      https://arxiv.org/abs/1612.00563), 2017
    - Luo, [A better variant of self-critical sequence training](
      https://arxiv.org/abs/2003.09971), 2020: the others are the baseline
"""

import math
import numbers
from dataclasses import replace
from typing import NamedTuple

import keras
import numpy as np

from tasks.data.batches import bucket_length
from tasks.data.caption_words import caption_words
from tasks.data.captions import BUCKETS, caption_inputs
from tasks.data.pairs import padded
from tasks.metrics.captions import CiderD, bleu

END = "</s>"  # Part of what is judged: a caption may end "a man on a" otherwise.
REWARDS = ("cider_d", "bleu_4")
ROWS = 32  # pictures that are drawn for at once


class Settings(NamedTuple):
    """What is drawn, and how it is judged; see `checked`.

    Attributes:
        weights: Weights of `REWARDS`: of `"cider_d"`, which is from 0 to 10, and of
            `"bleu_4"` of the one caption, smoothed, a tenth of it. One that is left
            out does not count.
        samples: Captions of each picture.
        pictures: Pictures of an epoch.
    """

    weights: dict
    samples: int
    pictures: int

    @classmethod
    def checked(cls, reward, samples, pictures):
        """Settings from what `Captioner.fit_self_critical` takes.

        Raises:
            ValueError: If a number is out of range, or the reward is neither a name nor
                weights.
        """
        for name, value, least in (("samples", samples, 2), ("pictures", pictures, 1)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(
                    f"`{name}` must be an integer of at least {least}. Got: {value!r}"
                )
        weights = {reward: 1.0} if isinstance(reward, str) else reward
        known = isinstance(weights, dict) and weights and not {*weights} - {*REWARDS}
        if not known or not all(map(_positive, weights.values())):
            raise ValueError(
                f"`reward` must be one of {REWARDS}, or a dict of their weights, such "
                f"as {{'cider_d': 1.0, 'bleu_4': 0.5}}. Got: {reward!r}"
            )
        weights = {name: float(weights[name]) for name in REWARDS if name in weights}
        return cls(weights, samples, pictures)


def _positive(value):
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return number and 0 < value < math.inf


def drawn_captions(writer, how, examples, regions, settings, batch_size, seed):
    """`DrawnCaptions` of a captioner.

    Args:
        writer: `tasks.caption_writer.CaptionWriter`.
        how: `tasks.decoding.random_search.RandomSearch`.
        examples: List of `tasks.data.captions.Captioned`.
        regions: See `tasks.data.captions.CaptionBatches`.
        settings: `Settings`.
        batch_size, seed: See `DrawnCaptions`.
    """
    references = [[caption_words(c) for c in e.captions] for e in examples]
    reward, coder = CaptionReward(references, settings.weights), writer.coder
    return DrawnCaptions(
        regions,
        lambda seen, keys, seed: writer.drawn(
            seen, replace(how, seed=seed), ROWS, keys
        ),
        lambda number, ids: reward(number, coder.words(ids)),
        coder.end,
        settings.pictures,
        batch_size,
        seed,
    )


class CaptionReward:
    """The score of a single caption, the larger the better.

    Args:
        references: List of lists of lists of words, several of each picture.
        weights: See `Settings`.
    """

    def __init__(self, references, weights):
        self.references = [[[*words, END] for words in own] for own in references]
        self.weights = weights
        self._consensus = CiderD(self.references)

    def __call__(self, number, words):
        """The reward of a caption, a list of words, of the picture of this number."""
        words, total = [*words, END], 0.0
        if weight := self.weights.get("cider_d"):
            total += weight * self._consensus.score(number, words)
        if weight := self.weights.get("bleu_4"):
            total += weight * bleu([words], [self.references[number]], smooth=1)[3] / 10
        return total


class Drawn(NamedTuple):
    """Captions that were drawn, batch by batch.

    Attributes:
        epoch: Which epoch they are for.
        reward: Their mean reward.
        kinds: `(captions,)`, which regions each one is about: as they are, or mirrored.
        pictures: `(captions,)`, the number of its picture.
        ids: `(captions, longest)`, its end among them, then padding.
        lengths: `(captions,)`, the number of its ids.
        advantages: `(captions,)` float32: the reward minus the mean of the picture's
            other captions, in standard deviations.
    """

    epoch: int
    reward: float
    kinds: np.ndarray
    pictures: np.ndarray
    ids: np.ndarray
    lengths: np.ndarray
    advantages: np.ndarray


class DrawnCaptions(keras.utils.PyDataset):
    """Batches of captions that the model has drawn, with how much better each one is.

    An epoch draws anew: of some pictures, several captions each.

    Args:
        regions: See `tasks.data.captions.CaptionBatches`.
        draw: Function of regions `(pictures, regions, channels)`, keys and a seed that
            returns for each picture lists of ids without the end.
        reward: Function of a picture's number and ids that returns a float.
        end: Id of the end.
        pictures: Pictures of an epoch; at most as many as there are.
        batch_size: Captions.
        seed: int >= 0.

    Attributes:
        epoch: int >= 0.
        drawn: `Drawn`, what was drawn last.

    Items are like those of `CaptionBatches`, with `"advantages"` (batch_size,) float32.
    """

    def __init__(
        self, regions, draw, reward, end, pictures, batch_size, seed=0, **kwargs
    ):
        super().__init__(**kwargs)
        if batch_size < 1:
            raise ValueError(f"`batch_size` must be positive. Received: {batch_size}")
        self.regions, self.draw, self.judge, self.end = regions, draw, reward, end
        self.pictures = min(pictures, len(regions[0]))
        self.batch_size, self.seed, self.epoch = batch_size, seed, 0
        self.drawn = None

    def plan(self):
        """What was drawn for this epoch."""
        drawn = self.drawn  # read once, as another thread may ask, too
        if drawn is None or drawn.epoch != self.epoch:
            self.drawn = drawn = self._draw(self.epoch)
        return drawn

    def _draw(self, epoch):
        random = np.random.default_rng([self.seed, epoch])
        chosen = random.permutation(len(self.regions[0]))[: self.pictures]
        kinds = random.integers(len(self.regions), size=len(chosen))
        seed, found = int(random.integers(2**31)), [None] * len(chosen)
        for kind, regions in enumerate(self.regions):
            places = np.flatnonzero(kinds == kind)
            # In order, as what is read may be a file.
            places = places[np.argsort(chosen[places])]
            numbers = chosen[places]
            captions = self.draw(regions[numbers], numbers, seed) if len(places) else ()
            for place, own in zip(places, captions, strict=True):
                found[place] = own
        rewards = np.array(
            [
                [self.judge(number, ids) for ids in captions]
                for number, captions in zip(chosen, found, strict=True)
            ]
        )
        samples = rewards.shape[1]
        captions = [[*ids, self.end] for own in found for ids in own]
        lengths = np.array([len(ids) for ids in captions], "int32")
        ids, _ = padded(captions, lengths.max(), len(captions))
        order = self._order(lengths, random)
        return Drawn(
            epoch,
            float(rewards.mean()),
            np.repeat(kinds, samples)[order],
            np.repeat(chosen, samples)[order],
            ids[order],
            lengths[order],
            advantages(rewards).reshape(-1)[order].astype("float32"),
        )

    def _order(self, lengths, random):
        """Captions of a length together; batches by chance, what is left at last."""
        order, size = np.argsort(lengths, kind="stable"), self.batch_size
        whole = len(order) // size
        first = order[: whole * size].reshape(whole, size)[random.permutation(whole)]
        return np.append(first, order[whole * size :])

    def order(self):
        """List of int arrays: the captions of each batch, by their place in all."""
        count, size = len(self.plan().lengths), self.batch_size
        return [np.arange(n, min(count, n + size)) for n in range(0, count, size)]

    def __len__(self):
        return -(-len(self.plan().lengths) // self.batch_size)

    def __getitem__(self, index):
        drawn, count = self.plan(), self.batch_size
        rows = slice(index * count, (index + 1) * count)
        lengths = drawn.lengths[rows]
        ids = [row[:n] for row, n in zip(drawn.ids[rows], lengths, strict=True)]
        seen = zip(drawn.kinds[rows], drawn.pictures[rows], strict=True)
        length = bucket_length(int(lengths.max()), BUCKETS)
        inputs = caption_inputs(self.regions, seen, ids, length, count)
        inputs["advantages"] = np.zeros((count,), "float32")
        inputs["advantages"][: len(ids)] = drawn.advantages[rows]
        return inputs, np.zeros((count,), "float32")


def advantages(rewards):
    """How much better each caption is than the others of its picture.

    Args:
        rewards: `(pictures, captions)`, two captions or more.

    Returns:
        Array of this shape, in standard deviations of all of it; 0 if all are equal.
    """
    count = rewards.shape[1]
    better = (rewards - rewards.mean(1, keepdims=True)) * (count / (count - 1))
    spread = better.std()
    return better / spread if spread else better


class Drawing(keras.callbacks.Callback):
    """Draws before each epoch, tells the mean reward, and keeps what was drawn.

    Args:
        batches: `DrawnCaptions`.
    """

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def get_state(self):
        """Plain values and arrays: a run goes on in an epoch with what was drawn."""
        epoch, reward, *arrays = self.batches.plan()
        return {"epoch": epoch, "reward": reward}, arrays

    def set_state(self, values, arrays):
        """Takes up what `get_state` returned."""
        self.batches.drawn = Drawn(values["epoch"], values["reward"], *arrays)

    def on_epoch_begin(self, epoch, logs=None):
        self.batches.plan()

    def on_epoch_end(self, epoch, logs=None):
        if logs is not None:
            logs["reward"] = self.batches.drawn.reward
