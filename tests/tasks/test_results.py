import colorsys
import dataclasses
import html.parser
import json
import re
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.results import Entities, Entity, entities_html, label_hue

TEXT = "Ada Lovelace lived in London."
TOKENS = ["Ada", "Lovelace", "lived", "in", "London", "."]
OFFSETS = [(0, 3), (4, 12), (13, 18), (19, 21), (22, 28), (28, 29)]
TAGS = ["B-person", "I-person", "O", "O", "B-location", "O"]
SCORES = [0.9, 0.8, 1.0, 1.0, 0.7, 1.0]
HOSTILE = [
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=y>",
    "&amp;&lt;",
    "{title} {items} %s",
    "\x00\x1b[31m",
    "\udfff\ud800",
    "שלום\u202e",
    "$x^2$ \\frac",
    "a\nb\tc",
    "",
]
ANY_TEXT = st.text(st.characters(exclude_categories=()))


@pytest.fixture
def result():
    return Entities.from_tags(TOKENS, TAGS, SCORES, TEXT, OFFSETS)


class Reader(html.parser.HTMLParser):
    """Reads a page back: its elements, text outside labels, and whether it is sound."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.attributes, self.open, self.text = [], [], [], ""
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.elements.append(tag)
        self.attributes.extend(attributes)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "small" not in self.open:
            self.text += data


def all_hostile(kind):
    tags = [f"B-{kind or 'x'}" for _ in HOSTILE]
    return Entities.from_tags(HOSTILE, tags)


class TestFromTags:
    def test_entities(self, result):
        assert list(result) == [
            Entity("Ada Lovelace", "person", 0, 12, 0.8),
            Entity("London", "location", 22, 28, 0.7),
        ]

    def test_offsets_point_into_the_text(self, result):
        assert [TEXT[e.start : e.end] for e in result] == [e.text for e in result]

    def test_tokens_are_joined_with_spaces(self):
        result = Entities.from_tags(TOKENS, TAGS)
        assert result.text == "Ada Lovelace lived in London ."
        assert [(e.start, e.end) for e in result] == [(0, 12), (22, 28)]

    def test_empty_tokens_keep_offsets_right(self):
        result = Entities.from_tags(["", "Ada", ""], ["O", "B-per", "O"])
        assert (result[0].start, result[0].end, result.text) == (1, 4, " Ada ")

    def test_keeps_what_led_to_it(self, result):
        assert result.text == TEXT
        assert result.tokens == tuple(TOKENS)
        assert result.tags == tuple(TAGS)
        assert result.scores == tuple(SCORES)

    def test_score_is_that_of_the_least_sure_token(self, result):
        assert result[0].score == 0.8

    def test_scores_are_plain_floats(self):
        np = pytest.importorskip("numpy")
        scores = np.array(SCORES, "float32")
        result = Entities.from_tags(TOKENS, TAGS, scores, TEXT, np.array(OFFSETS))
        assert {type(score) for score in result.scores} == {float}
        assert type(result[0].start) is int and type(result[0].score) is float

    def test_no_scores(self):
        assert Entities.from_tags(["a"], ["B-x"])[0].score == 1.0

    def test_nothing(self):
        result = Entities.from_tags([], [])
        assert (len(result), result.text, str(result)) == (0, "", "(no entities)")

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"tags": TAGS[1:]}, "6 tokens, but 5 tags"),
            ({"scores": SCORES[1:]}, "6 tokens, but 5 scores"),
            ({"offsets": OFFSETS[1:]}, "6 tokens, but 5 offsets"),
            ({"text": None}, "go together"),
            ({"offsets": None}, "go together"),
            ({"tags": ["person"] * 6}, "'person' is not a tag"),
        ],
    )
    def test_refuses(self, options, message):
        arguments = {
            "tokens": TOKENS,
            "tags": TAGS,
            "scores": SCORES,
            "text": TEXT,
            "offsets": OFFSETS,
        }
        with pytest.raises(ValueError, match=message):
            Entities.from_tags(**{**arguments, **options})


class TestSequence:
    def test_length_index_and_slice(self, result):
        assert len(result) == 2
        assert result[-1].text == "London"
        assert result[:1] == (result[0],)

    def test_iterates_again_and_again(self, result):
        assert list(result) == list(result)

    def test_equal(self, result):
        again = Entities.from_tags(TOKENS, TAGS, SCORES, TEXT, OFFSETS)
        assert result == again
        assert hash(result) == hash(again)
        assert result != Entities.from_tags(TOKENS, TAGS)

    def test_cannot_be_changed(self, result):
        with pytest.raises(dataclasses.FrozenInstanceError):
            result.text = "x"
        with pytest.raises(dataclasses.FrozenInstanceError):
            result[0].label = "x"

    def test_refuses_uneven_parts(self):
        with pytest.raises(ValueError, match="Got 1 tokens, 0 tags and 0 scores"):
            Entities("a", tokens=["a"])


class TestPrint:
    def test_reads_well(self, result):
        assert str(result) == "Ada Lovelace [person] · London [location]"

    def test_none(self):
        assert str(Entities("nothing here")) == "(no entities)"

    def test_line_ends_inside_an_entity(self):
        assert str(Entity("New\n  York", "loc", 0, 10)) == "New York [loc]"

    @pytest.mark.parametrize("text", HOSTILE, ids=ascii)
    def test_prints_on_any_terminal(self, text):
        shown = str(Entities(text, [Entity(text, text, 0, len(text))]))
        shown.encode("utf-8")
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", shown)

    def test_repr_is_short(self, result):
        assert "Ada Lovelace" in repr(result) and "tokens" not in repr(result)


class TestDict:
    def test_is_json(self, result):
        assert json.loads(json.dumps(result.to_dict())) == {
            "text": TEXT,
            "entities": [
                {"text": "Ada Lovelace", "label": "person"}
                | {"start": 0, "end": 12, "score": 0.8},
                {"text": "London", "label": "location"}
                | {"start": 22, "end": 28, "score": 0.7},
            ],
            "tokens": TOKENS,
            "tags": TAGS,
            "scores": SCORES,
        }

    def test_strange_text_is_json(self):
        result = all_hostile("x")
        assert json.loads(json.dumps(result.to_dict())) == result.to_dict()


class TestHtml:
    def test_marks_entities(self, result):
        page = result.to_html()
        assert page.count("<mark ") == 2
        assert '"person 0.80"' in page

    def test_shows_the_whole_text(self, result):
        # A space parts each entity from its label.
        expected = "Ada Lovelace  lived in London ."
        assert Reader(result.to_html()).text == expected

    def test_notebooks_show_it(self, result):
        assert result._repr_html_() == result.to_html()

    @pytest.mark.parametrize("label", HOSTILE, ids=ascii)
    def test_nothing_gets_through(self, label):
        reader = Reader(all_hostile(label).to_html())
        assert set(reader.elements) <= {"div", "mark", "small"}
        assert {name for name, _ in reader.attributes} <= {"dir", "style", "title"}

    def test_strange_text_encodes(self):
        page = all_hostile("\ud800").to_html()
        page.encode("utf-8")
        assert "\x00" not in page and "\ufffd" in page

    def test_direction_follows_the_text(self, result):
        attributes = Reader(result.to_html()).attributes
        assert [v for n, v in attributes if n == "dir"] == ["auto"] * 5

    @settings(derandomize=True, database=None, deadline=None, max_examples=100)
    @given(st.lists(ANY_TEXT), st.sampled_from(["B-x", "B-\ud800<", "O"]))
    def test_any_text(self, tokens, tag):
        result = Entities.from_tags(tokens, [tag] * len(tokens))
        page = entities_html([result], "".join(tokens))
        page.encode("utf-8")
        assert set(Reader(page).elements) <= {
            *("html", "head", "meta", "title", "style", "body", "h1", "ol", "li"),
            *("div", "mark", "small"),
        }


class TestPage:
    def test_is_a_whole_document(self, result):
        page = entities_html([result, result], "Two")
        assert page.startswith("<!doctype html>")
        reader = Reader(page)
        assert reader.elements.count("li") == reader.elements.count("div") == 2
        assert "<title>Two</title>" in page

    def test_needs_no_other_file(self, result):
        page = entities_html([result])
        assert not re.search(r"https?:|src=|<link|<script|url\(", page)

    def test_none(self):
        assert "<li>" not in entities_html([])

    def test_braces_in_text_stay(self):
        assert "{title}" in entities_html([Entities("{title}")])


def luminance(color):
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


class TestColours:
    def test_common_labels_differ(self):
        wnut = [
            "person",
            "location",
            "group",
            "corporation",
            "product",
            "creative-work",
        ]
        assert len({label_hue(label) for label in wnut}) == 6
        assert len({label_hue(label) for label in ["PER", "LOC", "ORG", "MISC"]}) == 4

    def test_stable(self):
        # Python's own hash would change from run to run.
        assert label_hue("DRUG") == label_hue("drug") == 246
        assert 0 <= label_hue("\ud800") < 360

    def test_legible(self, result):
        """Contrast of at least 4.5 (WCAG AA) for every hue, on any page."""
        style = re.findall(r"hsl\(\d+ (\d+)% (\d+)%\);color:#(\w+)", result.to_html())
        assert len(style) == 4
        for saturation, lightness, ink in style:
            ink = luminance([int(ink[0], 16) / 15] * 3)
            for hue in range(360):
                rgb = colorsys.hls_to_rgb(
                    hue / 360, int(lightness) / 100, int(saturation) / 100
                )
                dark, light = sorted((luminance(rgb), ink))
                assert (light + 0.05) / (dark + 0.05) >= 4.5


class TestPlot:
    @pytest.fixture(autouse=True)
    def need_matplotlib(self):
        pytest.importorskip("matplotlib")

    def test_one_bar_a_token(self, result):
        axes = result.plot().axes[0]
        heights = {round(bar.get_x() + 0.4): bar.get_height() for bar in axes.patches}
        assert heights == dict(enumerate(SCORES))
        assert [label.get_text() for label in axes.get_xticklabels()] == TOKENS

    def test_legend_names_the_labels(self, result):
        texts = [text.get_text() for text in result.plot().legends[0].get_texts()]
        assert texts == ["person", "no entity", "location"]

    def test_draws(self, result, tmp_path):
        result.plot().savefig(tmp_path / "x.png")
        assert (tmp_path / "x.png").stat().st_size > 1000

    def test_text_is_no_formula(self, tmp_path):
        broken = "$\\frac{$"  # as a formula, an error
        result = Entities.from_tags([broken], [f"B-{broken}"])
        result.plot().savefig(tmp_path / "x.png")

    def test_strange_text(self):
        all_hostile("\ud800").plot()

    def test_nothing(self, tmp_path):
        Entities("").plot().savefig(tmp_path / "x.png")

    def test_long_text_is_cut(self):
        axes = Entities.from_tags(["a"] * 100_000, ["O"] * 100_000).plot().axes[0]
        assert len(axes.patches) == 60
        assert axes.get_xlabel() == "first 60 of 100000 tokens"

    def test_leaves_no_figure_open(self, result):
        pyplot = pytest.importorskip("matplotlib.pyplot")
        before = pyplot.get_fignums()
        result.plot()
        assert pyplot.get_fignums() == before


def test_without_matplotlib(result, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        result.plot()
