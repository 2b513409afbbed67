"""What callbacks must be given back for a run to go on: their own states."""

import keras
import numpy as np

from tasks.errors import RunError

# Keras' own callbacks that decide something offer no state: these are its attributes.
_KNOWN = {
    keras.callbacks.EarlyStopping: ("wait", "stopped_epoch", "best", "best_epoch"),
    keras.callbacks.ReduceLROnPlateau: ("wait", "cooldown_counter", "best"),
}


def states_of(callbacks):
    """List of `(name of the class, plain values, list of arrays)`.

    Callbacks that offer no state are left out.
    """
    found = []
    for callback in _with_state(callbacks):
        name = type(callback).__name__
        if hasattr(callback, "get_state"):
            state = callback.get_state()
            pair = isinstance(state, tuple) and len(state) == 2
            values, arrays = state if pair else (state, [])
            found.append((name, values, [np.asarray(a) for a in arrays]))
        else:
            values = {n: _plain(getattr(callback, n, None)) for n in _names(callback)}
            arrays = getattr(callback, "best_weights", None) or []
            found.append((name, values, list(arrays)))
    return found


def check_states(callbacks, states):
    """Compares callbacks with the states that `states_of` has found.

    Raises:
        RunError: If these are other callbacks.
    """
    present = _with_state(callbacks)
    if not states and present:
        return  # Saved by a version that kept none.
    names = [type(callback).__name__ for callback in present]
    if names != [state[0] for state in states]:
        raise RunError(
            f"The run was saved with the callbacks {[s[0] for s in states]} that have "
            f"a state; now there are {names}. Call `fit` with the same ones."
        )


def take_up_states(callbacks, states):
    """Gives callbacks the states back that `states_of` has found.

    Args:
        callbacks: Those that `check_states` has compared.
        states: What `states_of` has returned.
    """
    present = _with_state(callbacks)
    if not states:
        return
    for callback, (_, values, arrays) in zip(present, states, strict=True):
        if hasattr(callback, "set_state"):
            state = (values, arrays) if isinstance(callback.get_state(), tuple) else 0
            callback.set_state(*state) if state else callback.set_state(values)
            continue
        for name, value in values.items():
            setattr(callback, name, value)
        if arrays:
            callback.best_weights = arrays


def _with_state(callbacks):
    return [
        c
        for c in callbacks
        if _names(c) or (hasattr(c, "get_state") and hasattr(c, "set_state"))
    ]


def _names(callback):
    for known, names in _KNOWN.items():
        if isinstance(callback, known):
            return names
    return ()


def _plain(value):
    return value.item() if isinstance(value, (np.generic, np.ndarray)) else value
