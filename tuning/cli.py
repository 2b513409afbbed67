"""`zoo tune`: a search from the command line."""

import json
import os
import sys
from pathlib import Path

from tasks import shell
from tuning.arguments import ALGORITHMS
from tuning.errors import SearchError

DESCRIPTION = "Search the settings of a task that are best on validation data."


def add_arguments(parser):
    """Adds what `run` reads to a parser of `argparse`."""
    parser.add_argument(
        "task", metavar="TASK", help="a task such as ner; or a model to fine-tune"
    )
    parser.add_argument("--train", required=True, metavar="FILE", help="training data")
    parser.add_argument(
        "--validation",
        required=True,
        metavar="FILE",
        help="other examples, which choose the settings; never those to test on",
    )
    parser.add_argument("--trials", type=int, metavar="N", help="number of trials")
    parser.add_argument(
        "--algorithm", choices=ALGORITHMS, default="bayesian", help="default: bayesian"
    )
    parser.add_argument("--objective", metavar="SCORE", help="such as f1")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="overrides",
        help="fix a value, units=64; choose among some, units=[64,128]; or a range, "
        "dropout=0.1..0.5",
    )
    parser.add_argument("--directory", metavar="DIR", help="folder of the search")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--max-time", type=float, metavar="SECONDS", help="begin no trial after this"
    )
    parser.add_argument("--keep", type=int, default=3, help="best models to keep")
    parser.add_argument(
        "--reruns", type=int, default=2, help="fresh seeds for the best trials"
    )
    parser.add_argument(
        "--workers", type=int, default=1, help="processes on this machine"
    )
    parser.add_argument(
        "--trials-per-process",
        type=int,
        metavar="N",
        help="then a new process goes on, with its memory free again",
    )
    parser.add_argument(
        "--serve", metavar="HOST:PORT", help="let workers of other machines join here"
    )
    parser.add_argument(
        "--join",
        metavar="HOST:PORT",
        help="be a worker of the search that serves there; needs --directory",
    )
    parser.add_argument(
        "--name", metavar="NAME", help="of this worker, with --join; unlike all others"
    )
    parser.add_argument(
        "--output", metavar="FOLDER", help="save the best model there as well"
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON document, nothing else"
    )


def run(args):
    """Runs a search, or a worker of one.

    Args:
        args: Parsed arguments.

    Returns:
        A document for machines and a text for people.
    """
    data = [_data(path) for path in (args.train, args.validation)]
    if args.join is not None and None in (args.directory, args.name):
        raise SearchError("--join needs --directory and --name.")
    if args.output is not None and os.path.exists(args.output):
        raise SearchError(f"{args.output} exists; give a new folder.")
    overrides = dict(map(override, args.overrides))
    # What can be judged was judged: now Keras may take its seconds to start.
    shell.wake_keras()
    import tuning

    if args.join is not None:
        tuning.join(args.directory, *data, address=args.join, name=args.name)
        return None, ""
    result = tuning.search(
        args.task,
        *data,
        trials=args.trials,
        algorithm=args.algorithm,
        objective=args.objective,
        overrides=overrides,
        directory=args.directory,
        seed=args.seed,
        max_time=args.max_time,
        keep=args.keep,
        reruns=args.reruns,
        workers=args.workers,
        address=args.serve,
        trials_per_process=args.trials_per_process,
    )
    if args.output is not None:
        result.save(args.output)
    return document(result), str(result)


def document(result):
    """A result as plain data."""
    return {
        "directory": str(result.directory),
        "objective": result.objective.name,
        "score": result.score,
        "winner": result.winner,
        "values": result.values,
        "trials": result.trials.rows(),
        "reruns": result.reruns.rows(),
    }


def override(text):
    """Reads `name=value`: JSON, `low..high`, or a plain word.

    Raises:
        SearchError: If there is no `=`.
    """
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise SearchError(f"--set takes NAME=VALUE. Received: {text!r}")
    low, dots, high = value.partition("..")
    if dots:
        try:
            return name, (json.loads(low), json.loads(high))
        except ValueError:
            raise SearchError(
                f"--set {name}: a range is two numbers, such as 0.1..0.5. "
                f"Received: {value!r}"
            ) from None
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _data(path):
    path = Path(path)
    if not path.exists():
        raise SearchError(f"there is no file {path}.")
    return path


def main(argv=None):
    """Runs the command by itself; returns its exit code."""
    shell.prepare()
    parser = shell.Parser(prog="zoo tune", description=DESCRIPTION)
    add_arguments(parser)
    args = parser.parse_args(argv)
    return shell.run(run, args)


if __name__ == "__main__":
    sys.exit(main())
