"""Penalties that belong to recurrence: on what a layer shows, and on its kernels."""

import keras
import numpy as np
from keras import ops

__all__ = [
    "SoftOrthogonal",
    "activation",
    "norm_stabilizer",
    "temporal_activation",
]


def activation(outputs, mask=None):
    r"""Mean square of the outputs: activation regularisation (AR).

    $$\frac{1}{|V| n} \sum_{(b, t) \in V} \lVert h_{bt} \rVert_2^2$$

    over the valid steps $V$, with $n$ units. In a batch without any it is 0.

    Args:
        outputs: `(batch, time, units)`.
        mask: Boolean `(batch, time)`, true for valid steps; `None` if all are.

    Returns:
        Scalar tensor.

    Reference:
        - Merity, McCann and Socher, [Revisiting activation regularization for
          language RNNs](https://arxiv.org/abs/1708.01009), 2017
    """
    outputs, mask = _checked(outputs, mask)
    return _mean(outputs * outputs, mask) / outputs.shape[-1]


def temporal_activation(outputs, mask=None):
    r"""Mean square of the change from step to step: temporal AR (TAR).

    $$\frac{1}{|P| n} \sum_{(b, t) \in P} \lVert h_{b,t+1} - h_{bt} \rVert_2^2$$

    over the pairs $P$ of steps that follow each other and are both valid. Arguments,
    result and paper are those of `activation`.
    """
    outputs, mask = _checked(outputs, mask)
    change = outputs[:, 1:] - outputs[:, :-1]
    return _mean(change * change, _pairs(mask)) / outputs.shape[-1]


def norm_stabilizer(outputs, mask=None):
    r"""Mean square of the change of the outputs' norm from step to step.

    $$\frac{1}{|P|} \sum_{(b, t) \in P}
    (\lVert h_{b,t+1} \rVert_2 - \lVert h_{bt} \rVert_2)^2$$

    over the pairs $P$ of `temporal_activation`. Arguments and result are those of
    `activation`.

    Reference:
        - Krueger and Memisevic, [Regularizing RNNs by stabilizing activations](
          https://arxiv.org/abs/1511.08400), 2016
    """
    outputs, mask = _checked(outputs, mask)
    squares = ops.sum(outputs * outputs, -1, keepdims=True)
    # The root's slope at 0 is infinite; there the norm is taken as constant.
    some = squares > 0
    norms = ops.where(some, ops.sqrt(ops.where(some, squares, 1.0)), 0.0)
    change = norms[:, 1:] - norms[:, :-1]
    return _mean(change * change, _pairs(mask))


@keras.saving.register_keras_serializable(package="zoo")
class SoftOrthogonal(keras.regularizers.Regularizer):
    r"""Pulls recurrent kernels towards orthogonal matrices.

    $$\lambda \sum_k \lVert U_k^\top U_k - I \rVert_F^2$$

    over the gates' blocks $U_k$ of a kernel `(rows, gates * units)`; the rows of a
    block that is wider than high are compared in place of its columns. An orthogonal
    recurrence keeps the norms of what it carries, forwards and backwards.

    Args:
        factor: The weight $\lambda$ of the penalty.
        gates: Number of blocks that lie side by side: 4 for an LSTM, 3 for a GRU, 1
            for a simple RNN.

    Example:

    >>> from zoo.layers import ZoneoutLSTM
    >>> layer = ZoneoutLSTM(8, recurrent_regularizer=SoftOrthogonal(0.01, gates=4))

    Raises:
        ValueError: If an option or the kernel's shape does not fit.

    Reference:
        - Vorontsov et al., [On orthogonality and learning recurrent networks with
          long term dependencies](https://arxiv.org/abs/1702.00071), 2017
    """

    def __init__(self, factor=0.01, gates=1):
        self.factor = check_factor("factor", factor)
        if isinstance(gates, bool) or not isinstance(gates, int) or gates < 1:
            raise ValueError(f"`gates` must be a positive integer. Received: {gates!r}")
        self.gates = gates

    def __call__(self, x):
        if len(x.shape) != 2 or x.shape[1] % self.gates:
            raise ValueError(
                f"SoftOrthogonal(gates={self.gates}) takes kernels of shape (rows, "
                f"{self.gates} * units). Received shape: {tuple(x.shape)}"
            )
        loss = 0.0
        for block in ops.split(ops.convert_to_tensor(x), self.gates, 1):
            rows, columns = block.shape
            across = ops.transpose(block)
            gram = across @ block if rows >= columns else block @ across
            off = gram - ops.eye(min(rows, columns), dtype=gram.dtype)
            loss = loss + ops.sum(off * off)
        return self.factor * loss

    def get_config(self):
        return {"factor": self.factor, "gates": self.gates}


def check_factor(name, value):
    """Returns the weight of a penalty as float, or says what would be one."""
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not 0 <= value < np.inf
    ):
        raise ValueError(
            f"`{name}` must be a number of at least 0. Received: {value!r}"
        )
    return float(value)


def _checked(outputs, mask):
    """Outputs in at least float32, zeros in padding, and the mask in their dtype."""
    outputs = ops.convert_to_tensor(outputs)
    if len(outputs.shape) != 3:
        raise ValueError(
            "A penalty on outputs takes these as (batch, time, units). "
            f"Received shape: {tuple(outputs.shape)}"
        )
    if keras.backend.standardize_dtype(outputs.dtype) != "float64":
        outputs = ops.cast(outputs, "float32")
    if mask is None:
        return outputs, ops.ones_like(outputs[..., :1])
    if len(mask.shape) != 2:
        raise ValueError(
            "A penalty on outputs takes a mask (batch, time). "
            f"Received shape: {tuple(mask.shape)}"
        )
    mask = ops.expand_dims(ops.cast(mask, "bool"), -1)
    return ops.where(mask, outputs, 0.0), ops.cast(mask, outputs.dtype)


def _pairs(mask):
    return mask[:, 1:] * mask[:, :-1]


def _mean(values, mask):
    return ops.sum(values * mask) / ops.maximum(ops.sum(mask), 1.0)
