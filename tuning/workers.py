"""A search in several processes: this one leads, others run the trials."""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from concurrent import futures

from tuning.errors import SearchError
from tuning.trial import MOST_STARTS

# A trial that kills its worker is given up after so many deaths: then it goes on.
_MOST_DEATHS = MOST_STARTS + 2
# How a worker ends that has run its trials, while there may be more (EX_TEMPFAIL).
_MORE = 75
# Seconds that a trial may go on after the time is up, to finish its epoch.
_GRACE = 600
_POLL = 0.2


def run_workers(
    folder, oracle, cls, train, validation, workers, address=None, most=None
):
    """Leads workers until there are no more trials; none of them outlives this call.

    Args:
        folder: `tuning.folder.SearchFolder`.
        oracle: One of `tuning.oracles`.
        cls: The task's class.
        train, validation: Data that can be sent to another process.
        workers: Number of processes to start here.
        address: `"host:port"` to listen at; a free port of this machine by default.
        most: Number of trials after which a new process takes a worker's place.

    Raises:
        SearchError: If a worker keeps dying, or the data cannot be sent.
    """
    with contextlib.ExitStack() as stack:
        server, port = serve(oracle, address or "127.0.0.1:0")
        stack.callback(lambda: server.stop(0).wait(5))
        crew = Crew(folder, cls, (train, validation), f"127.0.0.1:{port}", most)
        stack.callback(crew.stop)
        crew.start(workers)
        while not (oracle.stopped and not oracle.ongoing_trials and crew.done()):
            crew.check()
            if not crew.processes and not workers and time.time() > oracle.deadline():
                break
            if time.time() > oracle.deadline() + _GRACE:
                break
            time.sleep(_POLL)


def serve(oracle, address):
    """Answers workers' questions to an algorithm, one at a time.

    Returns:
        The server, and its port.

    Raises:
        SearchError: If the address is taken or cannot be had.
    """
    import grpc
    from keras_tuner.src import protos
    from keras_tuner.src.distribute.oracle_chief import OracleServicer

    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    add = protos.get_service_grpc().add_OracleServicer_to_server
    add(OracleServicer(oracle), server)
    try:
        port = server.add_insecure_port(address)
    except RuntimeError:
        port = 0
    if not port:
        raise SearchError(f"Cannot listen at {address}: is it taken?")
    server.start()
    return server, port


class Crew:
    """The workers of this machine.

    Args:
        folder: `tuning.folder.SearchFolder`.
        cls: The task's class; to be sent, its module is imported there.
        data: Training and validation data.
        address: Where the search answers.
        most: Number of trials that a process runs, or `None`.
    """

    def __init__(self, folder, cls, data, address, most=None):
        self.folder, self.cls, self.data, self.address = folder, cls, data, address
        self.most = most
        self.context = multiprocessing.get_context("spawn")
        self.processes, self.deaths, self.ended = {}, {}, 0

    def start(self, count):
        """Starts workers.

        Raises:
            SearchError: If the data cannot be sent to them.
        """
        for number in range(count):
            self._start(f"worker{number}")

    def _start(self, name):
        process = self.context.Process(
            target=_work,
            args=(
                str(self.folder.path),
                self.cls,
                *self.data,
                self.address,
                name,
                self.most,
                os.getpid(),
            ),
            name=name,
            daemon=True,
        )
        try:
            process.start()
        except OSError:
            raise  # no room for another process
        except Exception as error:
            raise SearchError(
                f"The data cannot be sent to workers ({error}): give paths of files, "
                "lists or arrays."
            ) from error
        self.processes[name] = process

    def check(self):
        """Starts workers again that have died, or have run their trials.

        Raises:
            SearchError: If one dies again and again.
        """
        ended = sum(r.status != "running" for r in self.folder.trials.all())
        if ended > self.ended:
            self.ended, self.deaths = ended, {}
        for name, process in list(self.processes.items()):
            if process.is_alive() or process.exitcode == 0:
                continue
            if process.exitcode == _MORE:
                self._start(name)
                continue
            self.deaths[name] = self.deaths.get(name, 0) + 1
            if self.deaths[name] >= _MOST_DEATHS:
                raise SearchError(
                    f"{name} died {_MOST_DEATHS} times in a row, the last time with "
                    f"exit code {process.exitcode}; the same call goes on."
                )
            self._start(name)

    def done(self):
        """Whether all workers have come to their end."""
        return all(process.exitcode == 0 for process in self.processes.values())

    def stop(self):
        """Ends every worker, whatever it does."""
        alive = [p for p in self.processes.values() if p.is_alive()]
        for process in alive:
            process.terminate()
        for process in alive:
            process.join(5)
            if process.is_alive():
                process.kill()
                process.join(5)


def _work(directory, cls, train, validation, address, name, most, parent):
    # Ctrl-C reaches the whole group; the leading process decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from tuning.joining import join

    try:
        more = join(directory, train, validation, address=address, name=name, most=most)
    except Exception as error:
        text = " ".join(str(error).split())
        print(f"{name}: {type(error).__name__}: {text}", file=sys.stderr)
        sys.exit(1)
    sys.exit(_MORE if more else 0)


def _leave_with(parent):
    """Ends this process when the one that started it is gone, even by a kill."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
