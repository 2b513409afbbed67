"""Runs of training that end at a moment of one's choice, many of them, quickly.

Importing takes longer than a small run trains. One process imports all that is needed,
and forks a child for each life of a run; the child has a hard time limit.
"""

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


class Lives:
    """A process that has imported everything, and forks one for each life.

    Args:
        **environment: Variables to set, such as `KERAS_BACKEND`.
    """

    def __init__(self, **environment):
        quiet = {"PYTHONPATH": f"{ROOT}", "TF_CPP_MIN_LOG_LEVEL": "3"}
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-W",
                "ignore",
                "-c",
                "from tests import lives; lives.serve()",
            ],
            cwd=ROOT,
            env={**os.environ, **quiet, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def __call__(self, timeout=120, **life):
        """Lets one live; returns its exit code, and what it has said.

        Args:
            timeout: Seconds after which the system ends it.
            **life: Arguments of `live`.
        """
        print(json.dumps([timeout, life]), file=self._process.stdin, flush=True)
        # The child's own alarm comes first; this is for a process that hangs itself.
        if not select.select([self._process.stdout], [], [], timeout + 60)[0]:
            self.close()
            raise TimeoutError(f"The life {life} has not ended.")
        return json.loads(self._process.stdout.readline())

    def close(self):
        """Ends the process, and a child that may be left of it."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate(timeout=30)


def serve():
    """Forks a child for each line of the input, and tells how it has ended."""
    from tests import small_run  # noqa: F401, which is the work of importing

    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        timeout, life = json.loads(line)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            # Ctrl-C counts, even where the tests were started without it.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.alarm(timeout)
            _child(writing, life)
        os.close(writing)
        with os.fdopen(reading, encoding="utf-8") as said:
            words = said.read()
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        print(json.dumps([code, words]), file=answers, flush=True)


def _child(output, life):
    """Lives, and ends as the `zoo` command would."""
    from tasks import shell
    from tests.small_run import live

    os.dup2(output, 1)
    os.dup2(output, 2)
    code = 1
    try:
        code = shell.run(lambda args: (None, live(**args)), life)
    except SystemExit as end:
        code = end.code
    finally:
        sys.stdout.flush()
        os._exit(code)
