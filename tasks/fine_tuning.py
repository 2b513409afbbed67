"""Fine-tuning with care: deeper layers learn more slowly, and begin later."""

import keras
from keras import ops

from zoo.layers import Stack
from zoo.layers.recurrent import Recurrent


@keras.saving.register_keras_serializable(package="tasks")
class GroupedAdam(keras.optimizers.Adam):
    """Adam with a factor on the rate of each group of variables.

    Args:
        groups: List of lists of variables; those in none have a factor of 1.
        factors: List of floats, one a group.
        *args, **kwargs: Those of `keras.optimizers.Adam`.
    """

    def __init__(self, *args, groups=(), factors=(), **kwargs):
        super().__init__(*args, **kwargs)
        self.factors = [
            keras.Variable(factor, trainable=False, dtype="float32")
            for factor in factors
        ]
        self._group = {id(v): n for n, group in enumerate(groups) for v in group}

    def update_step(self, gradient, variable, learning_rate):
        # What comes here may be the backend's own variable: known by its number.
        known = self._trainable_variables[self._get_variable_index(variable)]
        group = self._group.get(id(known))
        if group is not None:
            factor = ops.cast(self.factors[group], ops.dtype(learning_rate))
            learning_rate = learning_rate * factor
        super().update_step(gradient, variable, learning_rate)


class Unfreeze(keras.callbacks.Callback):
    """Lets one group more learn every so many epochs, the head's first.

    Args:
        optimizer: `GroupedAdam`.
        every: Epochs between groups.
    """

    def __init__(self, optimizer, every):
        super().__init__()
        self.optimizer, self.every = optimizer, every
        self._factors = [float(f) for f in optimizer.factors]

    def on_epoch_begin(self, epoch, logs=None):
        for group, factor in enumerate(self._factors):
            awake = group * self.every <= epoch
            self.optimizer.factors[group].assign(factor if awake else 0.0)


def groups_by_depth(model):
    """Trainable variables of a model, from the head down to the vectors of words.

    What stands behind the last recurrent layer is the head; each layer of a stack is a
    group of its own; what stands before the first one is the last group.

    Returns:
        List of lists of variables.
    """
    head, middle, words = [], [], []
    for layer in model.layers:
        if isinstance(layer, (Stack, Recurrent)):
            parts = layer.layers if isinstance(layer, Stack) else [layer]
            found = [v for part in parts for v in part.trainable_variables]
            rest = [v for v in layer.trainable_variables if not _among(v, found)]
            middle += [part.trainable_variables for part in parts]
            middle[-1] = [*middle[-1], *rest]
        elif middle:
            head += layer.trainable_variables
        else:
            words += layer.trainable_variables
    return [group for group in (head, *reversed(middle), words) if group]


def _among(variable, variables):
    return any(variable is other for other in variables)


def adam_for(model, schedule, clipnorm, rate_decay, unfreeze_every, ema=None):
    """Adam, with rates by depth if wanted, and the callbacks that this needs.

    Args:
        model: The model to train.
        schedule: Rate of the head.
        clipnorm: Largest norm of all gradients together.
        rate_decay: What the rate is divided by from each group to the next deeper one.
        unfreeze_every: Epochs after which one group more begins to learn; 0 for all
            from the first epoch.
        ema: Momentum of a moving average of the weights, or `None`.

    Returns:
        Keras optimizer, and a list of callbacks.

    Raises:
        ValueError: If a number is out of range.

    Reference:
        - Howard and Ruder, [Universal language model fine-tuning for text
          classification](https://arxiv.org/abs/1801.06146), 2018
    """
    if not rate_decay >= 1 or unfreeze_every < 0:
        raise ValueError(
            "`rate_decay` must be at least 1 and `unfreeze_every` at least 0. "
            f"Received: {rate_decay} and {unfreeze_every}"
        )
    if ema is not None and not 0 < ema < 1:
        raise ValueError(f"`ema` must be between 0 and 1, or None. Received: {ema}")
    options = {} if ema is None else {"use_ema": True, "ema_momentum": ema}
    options["global_clipnorm"] = clipnorm
    if rate_decay == 1 and not unfreeze_every:
        return keras.optimizers.Adam(schedule, **options), []
    groups = groups_by_depth(model)
    factors = [rate_decay**-depth for depth in range(len(groups))]
    optimizer = GroupedAdam(schedule, groups=groups, factors=factors, **options)
    return optimizer, [Unfreeze(optimizer, unfreeze_every)] if unfreeze_every else []
