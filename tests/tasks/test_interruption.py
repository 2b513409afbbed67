"""Signals that wait for a good moment, and those that do not."""

import os
import signal
import threading

import pytest

from tasks.interruption import Interruption


@pytest.fixture(autouse=True)
def listening():
    """Ctrl-C counts, even where the tests were started without it (`nohup`, `&`)."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_first_signal_waits():
    with pytest.raises(KeyboardInterrupt):
        with Interruption() as kept:
            os.kill(os.getpid(), signal.SIGINT)
            assert kept.came == signal.SIGINT
            kept.end("state")


def test_the_second_acts_at_once():
    with Interruption() as kept:
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        kept.came = None
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_one_that_nobody_acted_on_is_not_swallowed():
    with pytest.raises(KeyboardInterrupt):
        with Interruption():
            os.kill(os.getpid(), signal.SIGINT)


def test_sigterm_ends_with_the_code_of_shells(capsys):
    kept = Interruption()
    kept.came = signal.SIGTERM
    with pytest.raises(SystemExit) as end:
        kept.end("runs/1/000003.checkpoint")
    assert end.value.code == 143
    assert (
        "saved in runs/1/000003.checkpoint; call `fit` again" in capsys.readouterr().out
    )


def test_handlers_of_the_program_stay():
    came, before = [], signal.signal(signal.SIGTERM, lambda *given: came.append(given))
    try:
        with Interruption() as kept:
            os.kill(os.getpid(), signal.SIGTERM)
            assert kept.came is None and len(came) == 1
    finally:
        signal.signal(signal.SIGTERM, before)


def test_an_error_gives_handlers_back():
    with pytest.raises(KeyError):
        with Interruption():
            assert signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
            raise KeyError
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_threads_are_left_alone():
    kept = []

    def work():
        with Interruption() as one:
            kept.append(signal.getsignal(signal.SIGINT))
            assert one.came is None

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert kept == [signal.default_int_handler]
