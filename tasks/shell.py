"""How a command behaves: one-line errors, exit codes, JSON alone, a quiet start."""

import argparse
import contextlib
import importlib
import json
import logging
import os
import sys
import tempfile

_SIGINT, _SIGPIPE = 130, 141  # exit codes of shells, 128 and the signal's number


class Parser(argparse.ArgumentParser):
    """Tells what is wrong in one line."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {message} (try `{self.prog} --help`)\n")


def prepare():
    """Settles what the whole process prints, and how."""
    # TensorFlow's own notes on start are no part of any answer.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a character it lacks must not end a run
            stream.reconfigure(errors="backslashreplace")


def set_debug(wanted):
    """Lets errors of this process be raised, not told, if that is wanted."""
    if wanted:
        os.environ["ZOO_DEBUG"] = "1"


def run(command, args):
    """Runs a command and prints what it answers.

    Args:
        command: Function from `args` to a document for machines and a text for
            people, and an exit code if it is not 0.
        args: Parsed arguments; with a true `json`, the document is printed and
            nothing else.

    Returns:
        Exit code.
    """
    try:
        code = _answer(command, args, as_json=getattr(args, "json", False))
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("zoo: stopped.", file=sys.stderr)
        return _SIGINT
    except BrokenPipeError:  # as in `zoo list | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _SIGPIPE
    except Exception as error:
        if _debug():
            raise
        print(f"zoo: {_one_line(error)}", file=sys.stderr)
        return 2
    return code


def _answer(command, args, as_json):
    # Keras prints its progress on stdout, where only the document may stand.
    aside = contextlib.redirect_stdout(sys.stderr)
    with aside if as_json else contextlib.nullcontext():
        document, text, *code = command(args)
    if as_json:
        print(json.dumps(document, indent=1))
    elif text:
        print(text)
    return code[0] if code else 0


def _debug():
    return os.environ.get("ZOO_DEBUG") == "1"


def _one_line(error):
    if isinstance(error, OSError) and error.strerror:
        names = [os.fsdecode(name) for name in (error.filename,) if name is not None]
        message = ": ".join([*names, error.strerror])
    else:
        message = str(error)
    if not isinstance(error, ValueError | OSError | ImportError) or not message:
        message = f"{type(error).__name__}: {message} (--debug tells where)"
    return " ".join(message.split())


def wake_keras():
    """Imports Keras, without the notes its backend writes past every log level.

    With `--debug` they are shown.
    """
    if _debug() or "keras" in sys.modules:
        return
    sys.stderr.flush()
    shown = os.dup(2)
    try:
        with tempfile.TemporaryFile() as notes:
            os.dup2(notes.fileno(), 2)
            importlib.import_module("keras")
    finally:
        os.dup2(shown, 2)
        os.close(shown)
