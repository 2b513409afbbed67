"""Answers of a model on one device, also where several train it."""

import contextlib

import keras

from tasks import forks
from zoo.lazy import Lazy, tf

# TensorFlow has no public way out of a scope that somebody else has entered.
_HINT = "pip install 'tensorflow>=2.20,<2.22'"
_distribution = Lazy("tensorflow.python.distribute.distribute_lib", _HINT)
_framework = Lazy("tensorflow.python.framework.ops", _HINT)


def predict_on_batch(model, inputs):
    """As `model.predict_on_batch(inputs)`.

    Under a `tf.distribute` strategy Keras would have every device answer the same
    inputs, and put all their answers into one array.

    Args:
        model: `keras.Model`.
        inputs: What it takes.

    Raises:
        RunError: In a process that was forked from one with models.
    """
    forks.check()
    if getattr(model, "_distribute_strategy", None) is not None:
        model._distribute_strategy = None
    with one_device():
        return model.predict_on_batch(inputs)


@contextlib.contextmanager
def one_device():
    """Within it, code runs as if in the scope of no strategy."""
    if keras.backend.backend() != "tensorflow" or not tf.distribute.has_strategy():
        yield
        return
    graph = _framework.get_default_graph()
    # Strategies stand between `tf.Variable` and those who call it.
    creators, graph._variable_creator_stack = graph._variable_creator_stack, []
    _distribution._push_per_thread_mode(_distribution._get_default_replica_mode())
    try:
        yield
    finally:
        _distribution._pop_per_thread_mode()
        graph._variable_creator_stack = creators
