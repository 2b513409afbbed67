"""Gradients of several batches that make one update together."""

from zoo.lazy import tf


class Accumulator:
    """Sums of gradients, in variables of the optimizer, so that a saved run has them.

    Args:
        optimizer: Keras optimizer, built.
        variables: List of the variables to train.
        batches: Number of batches of a group.
    """

    def __init__(self, optimizer, variables, batches):
        self.batches = batches
        self.sums = [
            optimizer.add_variable_from_reference(v, "gathered") for v in variables
        ]
        self.count = optimizer.add_variable(
            (),
            initializer="zeros",
            dtype="int32",
            aggregation="only_first_replica",
            name="gathered_batches",
        )

    def gather(self, gradients):
        """Adds gradients that are the same on each device."""
        pairs = [
            (s, s + g)
            for s, g in zip(self.sums, gradients, strict=True)
            if g is not None
        ]
        _assign(*zip(*pairs, strict=True))
        self.count.assign_add(1)

    def finish(self, gradients):
        """The mean of a group whose last gradients these are; begins the next one."""
        means = [
            None if g is None else (s + g) / self.batches
            for s, g in zip(self.sums, gradients, strict=True)
        ]
        _assign(self.sums, [tf.zeros(s.shape, s.dtype) for s in self.sums])
        self.count.assign(0)
        return means


def _assign(variables, values):
    """Assigns on each device what is there the same."""

    def everywhere(strategy, values):
        for variable, value in zip(variables, values, strict=True):
            strategy.extended.update(
                variable.value, lambda v, x: v.assign(x), args=(value,), group=False
            )

    tf.__internal__.distribute.interim.maybe_merge_call(
        everywhere, tf.distribute.get_strategy(), list(values)
    )
