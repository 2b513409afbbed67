"""How likely the true tokens are to a model that is told those before."""

import numpy as np

from tasks.answering import predict_on_batch


def mean_loss(model, batches):
    """Negative log-likelihood in nats a token, without padding, smoothing or penalties.

    Args:
        model: `keras.Model` that answers `{"logits": (rows, time, vocabulary), ...}`.
        batches: Sequence of pairs; the first of each is the model's inputs, and
            `"targets"` `(rows, time)` besides, `"target_mask"` among them.

    Returns:
        A float.
    """
    total, count = 0.0, 0
    for number in range(len(batches)):
        inputs, _ = batches[number]
        targets = inputs.pop("targets")
        mask = inputs["target_mask"]
        logits = np.asarray(predict_on_batch(model, inputs)["logits"])[mask]
        logits, right = logits.astype("float64"), targets[mask]
        most = logits.max(1)
        sums = np.log(np.exp(logits - most[:, None]).sum(1)) + most
        total += float(np.sum(sums - logits[np.arange(len(right)), right]))
        count += len(right)
    return total / max(count, 1)
