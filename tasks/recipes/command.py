"""`zoo train`: the recipes of the trained models, from the command line."""

import argparse
import difflib
import os

from tasks import recipes, shell

DESCRIPTION = "Train a model of the zoo again; without RECIPE, list the recipes."


def add_arguments(parser):
    """Adds what `run` reads to a parser of `argparse`."""
    parser.add_argument("recipe", nargs="?", metavar="RECIPE")
    parser.add_argument(
        "options",
        nargs=argparse.REMAINDER,
        metavar="...",
        help="--data-dir DIR, --output DIR, --seeds 1 2 3; see `zoo train RECIPE -h`",
    )


def run(args):
    """Runs a recipe, or lists them all; returns no document, and a text."""
    if args.recipe is None:
        return None, "\n".join(sorted(recipes.RECIPES))
    every = recipes.RECIPES
    if args.recipe not in every:
        near = difflib.get_close_matches(args.recipe, every, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise ValueError(
            f"no recipe {args.recipe!r}: {hint}`zoo train` lists all {len(every)}."
        )
    shell.wake_keras()
    recipe = every[args.recipe]
    parser = shell.Parser(
        prog=f"zoo train {args.recipe}",
        description=recipe.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--data-dir", required=True, metavar="DIR", help="where the data sets are"
    )
    parser.add_argument(
        "--output",
        default=os.path.join("runs", args.recipe),
        metavar="DIR",
        help="results, and the state a stopped run goes on from (default: %(default)s)",
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    recipe.add_arguments(parser)
    recipe.run(parser.parse_args(args.options))
    return None, ""
