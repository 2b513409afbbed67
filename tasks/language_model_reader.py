"""Reading text with a language model: how likely it thinks each token."""

import math

import keras
import numpy as np

from tasks.answering import predict_on_batch
from tasks.data.text_streams import StreamBatches
from tasks.losses import row_loss

# Tokens a compiled call reads when a text is scored.
_WINDOW = 256


class Reader:
    """Reads streams with states carried from batch to batch.

    Args:
        parts: `tasks.language_model.LanguageModelParts`.
    """

    def __init__(self, parts):
        self.parts = parts

    def losses(self, ids):
        """Negative log-likelihood of each id in nats, float64."""
        if not len(ids):
            return np.zeros((0,))
        batches = StreamBatches([ids], 1, min(_WINDOW, _room(len(ids))))
        states, found = None, []
        for number in range(len(batches)):
            inputs = batches[number][0]
            answer, states = self._step(inputs, states)
            found.append(answer["losses"][inputs["mask"]])
        return np.concatenate(found).astype("float64")

    def read(self, batches):
        """Summed loss of batches in nats, and how often the likeliest token came."""
        states, loss, hits = None, 0.0, 0.0
        for number in range(len(batches)):
            answer, states = self._step(batches[number][0], states)
            loss += float(np.sum(answer["losses"], dtype="float64"))
            hits += float(np.sum(answer["hits"], dtype="float64"))
        return loss, hits

    def _step(self, inputs, states):
        if states is None:
            sizes = self.parts.stack.state_sizes
            rows = len(inputs["mask"])
            states = {
                f"state_{i}": np.zeros((rows, n), "float32")
                for i, n in enumerate(sizes)
            }
        fresh = inputs["fresh"][:, None]
        states = {name: np.where(fresh, 0, x) for name, x in states.items()}
        given = {k: v for k, v in inputs.items() if k != "fresh"}
        answer = predict_on_batch(self.parts.scoring_model, {**given, **states})
        return answer, {name: answer[name] for name in states}

    def dynamic_loss(self, batches, learning_rate):
        """Summed loss of batches to a model that learns from each of them."""
        model = self.parts.training_model(batches.rows, still=True)
        model.compile(
            keras.optimizers.SGD(learning_rate, global_clipnorm=1.0), row_loss
        )
        before, total = self.parts.model.get_weights(), 0.0
        try:
            for number in range(len(batches)):
                inputs, targets = batches[number]
                # The loss is that of the weights before this step.
                loss = float(np.mean(model.train_on_batch(inputs, targets)))
                total += loss * int(inputs["mask"].sum())
        finally:
            self.parts.model.set_weights(before)
        return total


def scores(loss, tokens, characters):
    """The usual scores of a summed loss in nats."""
    mean = loss / max(tokens, 1)
    return {
        "loss": mean,
        "perplexity": math.exp(min(mean, 700)),
        "bits_per_character": loss / math.log(2) / max(characters, 1),
    }


def _room(length):
    """The next power of two from 8 up: few shapes to compile for."""
    return max(8, 1 << (length - 1).bit_length())
