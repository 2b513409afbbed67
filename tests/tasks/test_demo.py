"""The demo: what it reads, what it writes, and that it would notice a failure."""

import re
import types

import pytest

import zoo
from tasks import demo, model_table
from tasks.data.conll import read_conll
from tasks.data.tags import detect_scheme, spans
from tasks.demo import tagging
from tasks.demo.telling import DATA
from tasks.results import Entities


class Tagger:
    """Takes words in capitals for entities."""

    def __init__(self, score=1.0):
        self.score = score
        self.model = types.SimpleNamespace(count_params=lambda: 1234567)
        self.fitted = self.saved = None

    def predict(self, texts):
        answers = []
        for text in texts:
            tokens = text.split()
            tags = ["B-name" if token.istitle() else "O" for token in tokens]
            scores = [self.score] * len(tokens)
            answers.append(Entities.from_tags(tokens, tags, scores))
        return answers

    def evaluate(self, data):
        return {"f1": 0.0 if self.fitted is None else 0.75}

    def fit(self, data, **options):
        self.fitted = data

    def save(self, folder):
        self.saved = folder


@pytest.fixture
def loads(monkeypatch):
    """What was loaded, by name and labels; `tagger` may make another one."""
    made = []

    def load(name, **overrides):
        made.append((str(name), overrides))
        return load.tagger(name)

    load.tagger, load.made = lambda name: Tagger(), made
    monkeypatch.setattr(zoo, "load", load)
    monkeypatch.setattr(model_table, "card_data", lambda: [])
    return load


def examples(part):
    return read_conll(DATA / f"recipes_{part}.conll")


def run(output):
    """The demo's part on tagging alone."""
    demo.run(output, [tagging])


def test_parts_are_shown_in_order_in_a_folder_made_for_them(tmp_path, capsys):
    shown = []
    parts = [
        types.SimpleNamespace(show=lambda *given, n=n: shown.append((n, *given)))
        for n in range(3)
    ]
    demo.run(tmp_path / "a" / "b", parts, quick=True)
    assert shown == [(n, tmp_path / "a" / "b", True) for n in range(3)]
    assert (tmp_path / "a" / "b").is_dir()
    assert "== Done in" in capsys.readouterr().out


def test_every_model_of_the_demo_is_there():
    assert {part.MODEL for part in demo.PARTS} <= set(zoo.list_models())


class TestTagging:
    def test_writes_page_and_picture(self, loads, tmp_path):
        pytest.importorskip("matplotlib")
        run(tmp_path / "out")
        page = (tmp_path / "out" / "entities.html").read_text("utf-8")
        assert page.count("<li>") == 15
        assert ">Lovelace <" in page
        picture = (tmp_path / "out" / "entities.png").read_bytes()
        assert picture.startswith(b"\x89PNG")

    def test_shows_score_before_and_after(self, loads, tmp_path, capsys):
        run(tmp_path)
        out = capsys.readouterr().out
        assert "F1 on recipes_test.conll: 0.000 before, 0.750 after" in out
        assert "The loaded model gives the same answers." in out

    def test_gives_each_stage_a_heading(self, loads, tmp_path, capsys):
        run(tmp_path)
        lines = capsys.readouterr().out.splitlines()
        headings = [line for line in lines if line.startswith("== ")]
        assert len(headings) == 9
        assert "A dozen sentences" in headings[2]

    def test_loads_new_labels_and_then_what_it_saved(self, loads, tmp_path):
        run(tmp_path)
        first, second, third = loads.made
        assert first == (tagging.MODEL, {})
        assert second == (tagging.MODEL, {"labels": tagging.LABELS})
        assert third == (str(tmp_path / "recipes"), {})

    def test_trains_nothing_when_it_must_be_quick(self, loads, tmp_path, capsys):
        demo.run(tmp_path, [tagging], quick=True)
        out = capsys.readouterr().out
        assert "A dozen sentences" in out and "recipes" not in out
        assert loads.made == [(tagging.MODEL, {})]
        assert not (tmp_path / "recipes").exists()

    def test_can_be_repeated(self, loads, tmp_path):
        run(tmp_path)
        run(tmp_path)

    def test_notices_another_answer(self, loads, tmp_path):
        saved = tmp_path / "recipes"
        loads.tagger = lambda name: Tagger(0.5 if name == saved else 1.0)
        with pytest.raises(RuntimeError, match="otherwise than before"):
            run(tmp_path)

    def test_goes_on_without_matplotlib(self, loads, tmp_path, monkeypatch, capsys):
        def plot(self):
            raise ImportError("A plot needs matplotlib")

        monkeypatch.setattr(Entities, "plot", plot)
        run(tmp_path)
        assert "no picture: A plot needs matplotlib" in capsys.readouterr().out


class TestData:
    def test_a_dozen_sentences(self):
        text = (DATA / "sentences.txt").read_text("utf-8")
        assert len(text.split("\n")[:-1]) == 12

    @pytest.mark.parametrize("part, least", [("train", 120), ("test", 50)])
    def test_enough_sentences(self, part, least):
        assert len(examples(part)) >= least

    @pytest.mark.parametrize("part", ["train", "test"])
    def test_tags_are_bio_of_the_new_labels(self, part):
        tags = [tags for _, tags in examples(part)]
        assert detect_scheme(tags) == "BIO"
        labels = {label for row in tags for _, _, label in spans(row)}
        assert sorted(labels) == tagging.LABELS

    def test_no_sentence_twice(self):
        words = [
            " ".join(tokens) for p in ("train", "test") for tokens, _ in examples(p)
        ]
        assert len(words) == len(set(words))


@pytest.mark.slow
def test_with_the_real_models(tmp_path, capsys):
    demo.run(tmp_path)
    out = capsys.readouterr().out
    assert "London [location]" in out
    before, after = re.search(r"([\d.]+) before, ([\d.]+) after", out).groups()
    assert float(before) < 0.3
    assert float(after) > 0.6
    assert re.search(r"positive \(0\.[5-9]", out) and "negative (0." in out
    names = ("entities", "surprise", "opinion", "forecast")
    for name in names:
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
