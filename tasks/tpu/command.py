"""`zoo tpu-check`: a task and the TPU's compiler, from the command line."""

import ast
import sys

import zoo
from tasks.tpu.check import BACKENDS, TOPOLOGIES, check
from tasks.tpu.chips import CHIPS, check_installed
from tasks.tpu.untrained import NAMES

DESCRIPTION = "Compile a model's steps for a TPU; needs none, and runs nothing."


def add_arguments(parser):
    """Adds what `run` reads to a parser of `argparse`."""
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="a name of `zoo list`, a folder; or a task such as ner, untrained",
    )
    parser.add_argument("--chip", choices=CHIPS, default="v5e", help="default: v5e")
    parser.add_argument(
        "--topology",
        nargs="+",
        default=TOPOLOGIES,
        metavar="NxM",
        help="slices that share each batch (default: 1x1 and 2x2)",
    )
    parser.add_argument(
        "--backend", choices=BACKENDS, help="compile what one backend makes (both)"
    )
    parser.add_argument(
        "--batch", type=int, default=64, help="rows, of all chips together (64)"
    )
    parser.add_argument("--length", type=int, default=64, help="steps of time (64)")
    parser.add_argument(
        "--step", action="append", metavar="NAME", help="only this one, such as train"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="options",
        help="an option of an untrained task, such as units=1024 or vocabulary=32000",
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON document, nothing else"
    )


def run(args):
    """Compiles; returns a document, a table, and 1 if something speaks against it."""
    check_installed()
    if args.model not in NAMES:
        zoo.card(args.model)  # a wrong name is told before minutes have gone by
    options = dict(map(_option, args.options))
    every = []
    for found in check(
        args.model,
        args.chip,
        args.topology,
        [args.backend] if args.backend else BACKENDS,
        args.batch,
        args.length,
        options,
        args.step,
    ):
        every.append(found)
        # It takes minutes: what is done is told on the way.
        print(
            f"{found['step']}, {found['backend']}, {found['topology']}: "
            f"{found['compile_seconds']:.1f} s",
            file=sys.stderr,
        )
    if not every:
        raise ValueError(f"{args.model} has no step {' or '.join(args.step)}.")
    from tasks.tpu import report

    fit = not any(map(report.faults, every))
    told = report.text(args.model, every)
    return report.document(args.model, every), told, 0 if fit else 1


def _option(text):
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ValueError(f"--set takes NAME=VALUE. Received: {text!r}")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value
