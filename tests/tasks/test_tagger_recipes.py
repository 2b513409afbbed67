"""Recipes of taggers, run on toys from the first stage to the card."""

import argparse
import functools
import json

import numpy as np
import pytest

import zoo
from tasks.recipes import conll2003, open_text, pretrain, tagging, wnut17

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)

# All files that the stages read: sentences in which names are easy to tell.
NAMES = {"PER": ["Ada", "Alan", "Grace"], "LOC": ["London", "Paris", "Oslo"]}
SIZES = {"char_units": 4, "char_embedding_dim": 4, "casing_dim": 2}


def sentences(kinds, count=120, seed=0):
    """Lists of `(tokens, tags)`, with names of two kinds."""
    random, found = np.random.default_rng(seed), []
    for _ in range(count):
        person, place = (str(random.choice(NAMES[kind])) for kind in ("PER", "LOC"))
        tokens = [person, "saw", str(random.integers(9)), "cats", "in", place, "."]
        tags = [f"B-{kinds[0]}", "O", "O", "O", "O", f"B-{kinds[1]}", "O"]
        found.append((tokens, tags))
    return found


def conll(examples):
    lines = ("".join(f"{a}\t{b}\n" for a, b in zip(*e, strict=True)) for e in examples)
    return "\n".join(lines)


def conllu(examples):
    parts = ["PROPN", "VERB", "NUM", "NOUN", "ADP", "PROPN", "PUNCT"]
    return "\n".join(
        "".join(f"{i}\t{t}\t{t}\t{parts[i]}\n" for i, t in enumerate(tokens))
        for tokens, _ in examples
    )


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    wnut, kinds = sentences(("person", "location")), ("PER", "LOC")
    plain = [" ".join(tokens) for tokens, _ in sentences(kinds)]
    files = {
        "tatoeba_en_de/deu.txt": "".join(f"{n} {s}\tx\n" for n, s in enumerate(plain)),
        "wikitext2_partial/valid.txt": " \n".join(plain[:20]),
        "wikitext2_partial/test.txt": " \n".join(plain[20:40]),
        "ud_english_ewt/en_ewt-ud-train.conllu": conllu(sentences(kinds)),
        "btc_ner/btc.train": conll(sentences(kinds)),
        "wnut17/wnut17train.conll": conll(wnut),
        "wnut17/emerging.dev.conll": conll(wnut[:20]),
        "wnut17/emerging.test.annotated": conll(wnut[20:40]),
        "conll2003/eng.train": conll(sentences(kinds)),
        "conll2003/eng.testa": conll(sentences(kinds, 20)),
        "conll2003/eng.testb": conll(sentences(kinds, 20, seed=1)),
        "glove_50d_5k/glove-50d-5k.json": json.dumps(
            {"cats": [0.1] * 4, "in": [1] * 4}
        ),
        "vectors.txt": "cats 1 0 2 0\nin 0 1 0 2\nzebra 3 0 0 1\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return folder


@pytest.fixture
def arguments(data_dir, tmp_path, monkeypatch):
    """A function from a recipe to its arguments for a small run."""
    small = functools.partial(pretrain.pretrain, units=4, parts=1, verbose=0, **SIZES)

    def pretrain_small(*given, **options):
        return small(*given, **{**options, "embedding_dim": 6, "vector_groups": 2})

    monkeypatch.setattr(pretrain, "TOKENS_PER_BATCH", 64)
    monkeypatch.setattr(open_text, "pretrain", pretrain_small)
    monkeypatch.setattr(
        open_text, "OPTIONS", {**open_text.OPTIONS, **SIZES, "units": 4}
    )

    def parse(recipe, *given):
        parser = argparse.ArgumentParser()
        recipe.add_arguments(parser)
        vectors = ["--vectors", str(data_dir / "vectors.txt"), "--passes", "1"]
        encoder = ["--encoder", str(tmp_path / "encoder"), "--parts-epochs", "1"]
        args = parser.parse_args(["--epochs", "1", *vectors, *encoder, *given])
        args.data_dir, args.output, args.seeds = data_dir, tmp_path / "out", [1, 2]
        return args

    return parse


def test_the_encoder_goes_through_both_stages(arguments, monkeypatch):
    args = arguments(conll2003)
    folders = open_text.open_text_encoder(args)
    assert tagging.encoder_options(folders["language_model"])["vector_dim"] == 4
    kept = {}
    for name, folder in folders.items():
        with np.load(folder / "encoder.npz") as arrays:
            kept[name] = arrays["encoder/0"]
    first, second = kept["language_model"], kept["parts"]
    assert first.shape == second.shape
    assert not np.array_equal(first, second)  # parts of speech taught it something
    # What is done is not done again.
    monkeypatch.setattr(open_text, "pretrain", None)
    monkeypatch.setattr(tagging, "learn_parts_of_speech", None)
    assert open_text.open_text_encoder(args) == folders


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [wnut17, conll2003])
def test_taggers_are_made(arguments, data_dir, tmp_path, recipe):
    more = ["--tweet-epochs", "1"] if recipe is wnut17 else []
    short = ["softmax, no CRF", "GloVe, not pretrained, no characters"]
    recipe.run(arguments(recipe, *more, "--variants", *short))
    made = tmp_path / "out" / recipe.NAME
    card = zoo.card(made)
    assert card.data["metrics"]["f1"]["seeds"] == [1, 2]
    assert all(f"| {name} |" in str(card) for name in ("full", *short))
    assert "{" not in str(card).split("---")[2]
    names = {
        wnut17: "wnut17/emerging.test.annotated",
        conll2003: "conll2003/eng.testb",
    }
    found = zoo.load(made).evaluate(data_dir / names[recipe])["f1"]
    wanted = card.data["metrics"]["f1"]["values"]
    assert min(abs(found - value) for value in wanted) < 0.05  # half precision
