"""Forked processes: TensorFlow and JAX do not survive a fork, and would hang in it.

Their threads are not copied, so whatever a child asks of them waits for ever. Fork
before the first model is made, or start processes anew ("spawn").
"""

import os

from tasks.errors import RunError

_begun = _cut_off = False


def begin():
    """Notes that models are made in this process.

    Raises:
        RunError: If it was forked from one in which they had been.
    """
    global _begun
    check()
    _begun = True


def check():
    """Refuses to compute where it would hang.

    Raises:
        RunError: In a process that was forked after models had been made.
    """
    if _cut_off:
        raise RunError(
            "This process was forked from one that had made a model, whose threads "
            "are not here: load the model in this process after a fork that comes "
            "before any model, or start it with the method 'spawn'."
        )


def _note():
    global _cut_off
    _cut_off = _begun


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note)
