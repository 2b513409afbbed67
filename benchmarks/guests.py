"""Contestants in a Python of their own, with packages that ours lacks."""

import json
import os
import subprocess
import sys
from pathlib import Path

from harness import Contestant, serve


class Guest(Contestant):
    """A function in a process of another Python.

    Args:
        python: Path of that Python.
        script: Name of a file beside this one, which calls `play`.
        *args: What JSON can carry, for the script's function.
    """

    def __init__(self, python, script, *args):
        self.process = subprocess.Popen(
            [python, Path(__file__).with_name(script), json.dumps(args)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pipe = Lines(self.process.stdout, self.process.stdin)
        self.first_call = self._answer()

    def stop(self):
        """Ends the process; returns its peak of memory, in MB."""
        self.pipe.send(None)
        memory = self._answer()
        self.process.wait()
        return memory


class Lines:
    """A pipe of JSON, line by line."""

    def __init__(self, reads, writes):
        self.reads, self.writes = reads, writes

    def send(self, value):
        self.writes.write(json.dumps(value) + "\n")
        self.writes.flush()

    def recv(self):
        line = self.reads.readline()
        if not line:
            raise RuntimeError("The other Python has ended; its message is above.")
        return json.loads(line)


def play(build):
    """Serves as a `Guest`: builds with the arguments of the command line."""
    writes = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what packages print must not come in between
    serve(Lines(sys.stdin, writes), build, json.loads(sys.argv[1]))
