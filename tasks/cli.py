"""The `zoo` command. Keras and TensorFlow wake only in the commands that need them."""

import argparse
import importlib
import os
import sys
from pathlib import Path

import zoo
from tasks import shell

_DATA = (
    "file of the model's task: CoNLL columns for a tagger, text and label with a tab "
    "between them for a classifier, plain text for a language model, a table or folder "
    "of recordings with their texts for a recognizer of speech"
)


def main(argv=None):
    """Runs the command.

    Args:
        argv: list of strings; None for the arguments of the process.

    Returns:
        Exit code: 0, 1 from a check that found something, 2 for an error (told in one
        line), 130 for Ctrl-C. With `--debug` (or `ZOO_DEBUG=1`) errors are raised.
    """
    shell.prepare()
    args = _parser().parse_args(argv)
    shell.set_debug(args.debug)
    return shell.run(args.run, args)


def _load(model, **overrides):
    zoo.card(model)  # a wrong name is told before Keras takes its seconds to start
    shell.wake_keras()
    return zoo.load(model, **overrides)


def _parser():
    parser = shell.Parser(
        prog="zoo",
        description="Recurrent models, pretrained: list, try, measure, fine-tune.",
        epilog="Errors are told in one line, with exit code 2.",
    )
    parser.add_argument("--version", action="version", version=zoo.__version__)
    _add_debug(parser, default=False)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for add in _COMMANDS:
        add(commands)
    return parser


def _command(commands, name, run, description):
    parser = commands.add_parser(name, help=description, description=description)
    parser.set_defaults(run=run)
    # Without a default of its own: it must not undo what stood before the command.
    _add_debug(parser, default=argparse.SUPPRESS)
    return parser


def _add_debug(parser, default):
    parser.add_argument(
        "--debug", action="store_true", default=default, help="show where errors arise"
    )


def _add_json(parser):
    parser.add_argument(
        "--json", action="store_true", help="print one JSON document, nothing else"
    )


def _add_model(parser):
    parser.add_argument("model", metavar="MODEL", help="a name of `zoo list`, a folder")


def _list(commands):
    parser = _command(commands, "list", _run_list, "List the trained models.")
    parser.add_argument(
        "pattern", nargs="?", default="*", help="wildcards, such as 'ner*' or '*_en'"
    )
    parser.add_argument("--task", help="only models of this task")
    form = parser.add_mutually_exclusive_group()
    _add_json(form)
    form.add_argument("--markdown", action="store_true", help="as the README's table")


def _run_list(args):
    from tasks import model_table

    cards = model_table.card_data(args.pattern, args.task)
    if args.markdown:
        return cards, model_table.markdown_table(cards)
    if not cards:
        # A list of nothing is an answer: only people need to be told.
        print("zoo: no model matches; `zoo list` shows all.", file=sys.stderr)
        return cards, ""
    return cards, model_table.plain_table(cards)


def _card(commands):
    text = "Show a model's card: data, licence, scores, limits."
    parser = _command(commands, "card", _run_card, text)
    _add_model(parser)
    _add_json(parser)


def _run_card(args):
    card = zoo.card(args.model)
    return card.data, str(card).rstrip("\n")


def _demo(commands):
    text = "Shows what the zoo does, task by task; takes some minutes."
    parser = _command(commands, "demo", _run_demo, text)
    parser.add_argument(
        "--output", default="demo", metavar="FOLDER", help="default: demo"
    )
    parser.add_argument(
        "--quick", action="store_true", help="every model answers; nothing is trained"
    )


def _run_demo(args):
    shell.wake_keras()
    from tasks import demo

    demo.run(args.output, quick=args.quick)
    return None, ""


def _predict(commands):
    text = "Ask a model about texts, or about files, one answer each."
    parser = _command(commands, "predict", _run_predict, text)
    _add_model(parser)
    parser.add_argument(
        "text",
        nargs="*",
        metavar="TEXT",
        help="for models of sound, pictures and series the path of a file; "
        "default: stdin",
    )
    parser.add_argument(
        "--file", help="read the texts or paths here, one a line; or the series"
    )
    parser.add_argument("--html", metavar="OUT", help="write a page of the results")
    _add_json(parser)


def _run_predict(args):
    task = _load(args.model)
    if getattr(task, "task", None) == "forecasting":
        # It reads a file at a time, with all of its series.
        results = [task.predict(file) for file in _series_files(args)]
    else:
        results = task.predict(_texts(args))
    if args.html:
        from tasks.results import entities_html

        page = entities_html(results, title=args.model)
        Path(args.html).write_text(page, encoding="utf-8")
    return [result.to_dict() for result in results], "\n".join(map(str, results))


def _series_files(args):
    files = [*args.text, *([args.file] if args.file else [])]
    if not files:
        raise ValueError("a forecaster needs the path of a CSV file of series.")
    return [Path(file) for file in files]


def _texts(args):
    if args.text and args.file:
        raise ValueError("give either TEXT or --file, not both.")
    if args.text:
        return args.text
    if args.file:
        data = Path(args.file).read_bytes()
    elif sys.stdin.isatty():
        raise ValueError("nothing to read: give TEXT or --file, or pipe text in.")
    else:
        data = sys.stdin.buffer.read()
    # Unlike `splitlines`, this leaves the rarer separators of Unicode in the text.
    lines = data.decode("utf-8-sig", "replace").replace("\r\n", "\n").split("\n")
    return [line for line in lines if line.strip()]


def _evaluate(commands):
    text = "Measure a model on labelled data."
    parser = _command(commands, "evaluate", _run_evaluate, text)
    _add_model(parser)
    parser.add_argument("data", metavar="DATA", help=_DATA)
    _add_json(parser)


def _run_evaluate(args):
    scores = _load(args.model).evaluate(Path(args.data))
    return scores, _score_lines(scores)


def _score_lines(scores):
    width = max(map(len, scores), default=0)
    return "\n".join(f"{name:{width}}  {value:.4f}" for name, value in scores.items())


def _train(commands):
    from tasks.recipes import command

    parser = _command(commands, "train", command.run, command.DESCRIPTION)
    command.add_arguments(parser)


def _fit(commands):
    text = "Fine-tune a model on your own labelled data and save it."
    parser = _command(commands, "fit", _run_fit, text)
    _add_model(parser)
    parser.add_argument("train", metavar="TRAIN", help=_DATA)
    parser.add_argument("--validation", metavar="DEV", help="file to measure on")
    parser.add_argument(
        "--labels",
        nargs="+",
        metavar="LABEL",
        help="new labels: the encoder is kept, the head is new (default: as it was)",
    )
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--seed", type=int)
    parser.add_argument(
        "--output", required=True, metavar="FOLDER", help="for `zoo predict FOLDER`"
    )
    _add_json(parser)


def _run_fit(args):
    _check_output(Path(args.output))
    task = _load(args.model, **({"labels": args.labels} if args.labels else {}))
    names = ("epochs", "batch_size", "learning_rate", "seed")
    given = {name: getattr(args, name) for name in names}
    given = {name: value for name, value in given.items() if value is not None}
    held = Path(args.validation) if args.validation else None
    task.fit(Path(args.train), validation_data=held, **given)
    task.save(args.output)
    scores = task.evaluate(held) if held else {}
    lines = [_score_lines(scores), f"saved: zoo predict {args.output} TEXT"]
    return {"output": args.output, "scores": scores}, "\n".join(filter(None, lines))


def _check_output(folder):
    # `save` refuses it too, but only after the training.
    if folder.exists() and not (folder / "config.json").is_file():
        if not folder.is_dir() or any(folder.iterdir()):
            raise ValueError(f"{folder} holds other files; give a new folder.")


def _export(commands):
    text = "Write a model as a TensorFlow SavedModel, to serve without the zoo."
    parser = _command(commands, "export", _run_export, text)
    _add_model(parser)
    parser.add_argument("output", metavar="FOLDER", help="must not exist yet")
    _add_json(parser)


def _run_export(args):
    if os.path.lexists(args.output):
        raise ValueError(f"{args.output} exists; give a new folder.")
    _load(args.model).export(args.output)
    return {"output": args.output}, f"exported: {args.output}"


def _tune(commands):
    # The one word of this floor about the one above, which has the command's rest.
    tuning = importlib.import_module("tuning.cli")
    parser = _command(commands, "tune", tuning.run, tuning.DESCRIPTION)
    tuning.add_arguments(parser)


def _tpu(commands):
    from tasks.tpu import command

    parser = _command(commands, "tpu-check", command.run, command.DESCRIPTION)
    command.add_arguments(parser)


_COMMANDS = (
    *(_list, _card, _demo, _predict, _evaluate, _train, _fit, _export, _tune),
    _tpu,
)

if __name__ == "__main__":
    sys.exit(main())
