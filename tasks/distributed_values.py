"""Variables that several devices hold: read and written as if one device did."""

import keras
import numpy as np
from keras import ops

from zoo.lazy import tf


def read(variable):
    """A variable's value, as an array.

    Of a variable of which each device holds its own rows, such as a state that goes on
    from batch to batch, all rows, in the order of the devices; all workers must ask.
    """
    parts = _parts(variable)
    if parts is None:
        return ops.convert_to_numpy(variable)
    strategy = variable.value.distribute_strategy
    found = [_of_all_workers(strategy, part.read_value()) for part in parts]
    # Devices come worker by worker; what was found comes device by device.
    return np.concatenate(
        [rows for worker in zip(*found, strict=True) for rows in worker]
    )


def write(variable, value):
    """Assigns what `read` has returned."""
    parts = _parts(variable)
    if parts is None:
        variable.assign(value)
        return
    strategy = variable.value.distribute_strategy
    rows = np.split(np.asarray(value), strategy.num_replicas_in_sync)
    first = _worker(strategy) * len(parts)
    for part, own in zip(parts, rows[first:], strict=False):
        part.assign(own)


def agreed(model, number):
    """A number as the first worker has found it: decisions must be the same on all."""
    strategy = _strategy_of(model)
    if strategy is None:
        return number
    every = _of_all_workers(strategy, tf.constant([number], tf.float64))
    return float(every[0][0])


def replicas_agree(model, numbers):
    """Whether all workers come with the same whole numbers."""
    strategy = _strategy_of(model)
    if strategy is None:
        return True
    every = _of_all_workers(strategy, tf.constant([numbers], tf.int64))
    return all(np.array_equal(one, every[0]) for one in every)


def of_all_workers(strategy, number):
    """List of the whole numbers that the workers come with."""
    every = _of_all_workers(strategy, tf.constant([number], tf.int64))
    return [int(one[0]) for one in every]


def _strategy_of(model):
    """The strategy of a model that several workers train, or `None`."""
    replicas = getattr(model, "replicas", None)
    return replicas.distribute if replicas and replicas.workers > 1 else None


def _of_all_workers(strategy, tensor):
    """What each worker has, as a list of arrays."""
    if not _several(strategy):
        return [tensor.numpy()]
    workers = len(strategy.cluster_resolver.cluster_spec().as_dict()["worker"])
    with strategy.scope():
        every = strategy.gather(tensor, axis=0).numpy()
    return np.split(every, workers)


def _several(strategy):
    return getattr(strategy.extended, "_in_multi_worker_mode", bool)()


def _worker(strategy):
    return strategy.cluster_resolver.task_id if _several(strategy) else 0


def _parts(variable):
    """A device's own part of a variable of which each holds other rows, as a list."""
    if keras.backend.backend() != "tensorflow":
        return None
    value = getattr(variable, "value", variable)
    if getattr(variable, "synchronization", None) != "on_read":
        return None
    if getattr(variable, "aggregation", "none") != "none":
        return None
    if not isinstance(value, tf.distribute.DistributedValues):
        return None
    return list(value.values)
