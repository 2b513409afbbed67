"""Ctrl-C and SIGTERM, kept until a step has ended and the run's state is saved."""

import signal
import threading

_DEFAULTS = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
}


class Interruption:
    """A context that keeps the first signal, and tells of it when asked.

    A second signal acts at once, as it would have without. Handlers that a program has
    set for itself stay, and so do signals that it ignores; threads other than the main
    one cannot have any.

    Attributes:
        came: The signal that came, or `None`.
    """

    def __init__(self):
        self.came, self._before = None, {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            for number, default in _DEFAULTS.items():
                if signal.getsignal(number) == default:
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, kind, error, trace):
        self._give_back()
        if kind is None and self.came is not None:
            signal.raise_signal(self.came)  # nobody has acted on it

    def _note(self, number, frame):
        self.came = number
        self._give_back()

    def _give_back(self):
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def end(self, saved):
        """Ends the process as the signal would have, with a line about what is saved.

        Args:
            saved: Path of the state that the run goes on from.

        Raises:
            KeyboardInterrupt: After Ctrl-C.
            SystemExit: After SIGTERM, with the code of shells, 143.
        """
        print(
            f"Stopped. The run is saved in {saved}; call `fit` again with the same "
            "arguments, and it goes on there.",
            flush=True,
        )
        if self.came == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + self.came)
