"""Names, folders, overrides, cards and the errors that teach them."""

import json
import re
from importlib import metadata
from pathlib import Path

import pytest

import zoo
from zoo import hub


@pytest.fixture
def shipped(make_preset, tmp_path, monkeypatch):
    """Two presets inside the package, and an empty catalog."""
    make_preset("presets/ner_toy.one_en")
    card = make_preset("presets/text_toy.two_de") / "README.md"
    card.write_text('---\ntask: "text"\nlanguage: "de"\n---\n\n# Two\n')
    make_preset.sign(card.parent)
    (tmp_path / "presets" / "__pycache__").mkdir()
    (tmp_path / "catalog.json").write_text('{"format": 1, "presets": {}}')
    monkeypatch.setattr(hub, "PRESETS", tmp_path / "presets")
    monkeypatch.setattr(hub, "CATALOG", tmp_path / "catalog.json")
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "presets"


class TestLoad:
    def test_name(self, shipped):
        toy = zoo.load("ner_toy.one_en")
        assert toy.preset.folder == shipped / "ner_toy.one_en"

    @pytest.mark.parametrize("kind", [str, Path])
    def test_folder(self, kind, preset_folder):
        assert zoo.load(kind(preset_folder)).units == 3

    def test_relative_folder(self, shipped):
        assert zoo.load("presets/ner_toy.one_en").units == 3

    def test_home_folder(self, make_preset, tmp_path, monkeypatch):
        make_preset("mine")
        monkeypatch.setenv("HOME", str(tmp_path))
        assert zoo.load("~/mine").units == 3

    def test_overrides_reach_the_class(self, preset_folder):
        toy = zoo.load(preset_folder, labels=["DRUG", "DOSE"], units=5)
        assert (toy.labels, toy.units) == (["DRUG", "DOSE"], 5)

    def test_wrong_override_is_the_callers_error(self, preset_folder):
        with pytest.raises(TypeError, match="lables"):
            zoo.load(preset_folder, lables=["DRUG"])

    def test_wrong_option_in_the_file_is_the_presets_error(self, make_preset):
        with pytest.raises(zoo.PresetError, match="units must be in"):
            zoo.load(make_preset(units=5000))

    def test_missing_package_is_an_import_error(self, preset_folder, monkeypatch):
        cls = type(zoo.load(preset_folder))

        def needs(preset):
            raise ImportError("tensorflow_text is needed here: pip install it")

        monkeypatch.setattr(cls, "from_preset", needs)
        with pytest.raises(ImportError, match="pip install"):
            zoo.load(preset_folder)

    def test_own_folder_wins_over_a_name(self, shipped, make_preset):
        make_preset("ner_toy.one_en", units=7)
        assert zoo.load("ner_toy.one_en").units == 7

    def test_other_folder_of_that_name_does_not_hide_it(self, shipped, tmp_path):
        (tmp_path / "ner_toy.one_en").mkdir()
        assert zoo.load("ner_toy.one_en").units == 3


class TestUnknown:
    @pytest.mark.parametrize(
        "name", ["ner_toy.one", "ner_toy_one_en", "NER_TOY.ONE_EN", "ner_toi.one_en"]
    )
    def test_typo_gets_the_nearest_name(self, name, shipped):
        with pytest.raises(zoo.PresetError, match=r"did you mean ner_toy\.one_en"):
            zoo.load(name)

    def test_other_name_says_how_to_list(self, shipped):
        with pytest.raises(zoo.PresetError, match=r"zoo\.list_models\(\) lists all 2"):
            zoo.load("zzzzzz")

    @pytest.mark.parametrize("name", ["./nothing", "~/nothing", "a/b", "/a/b"])
    def test_missing_folder(self, name, shipped):
        with pytest.raises(zoo.PresetError, match="there is no folder"):
            zoo.load(name)

    @pytest.mark.parametrize(
        "name", ["", ".", "..", "a\x00b", "x" * 9999, "\ud800", "é", "../presets", "\n"]
    )
    def test_strange_names(self, name, shipped):
        with pytest.raises(zoo.PresetError) as caught:
            zoo.load(name)
        assert len(str(caught.value)) < 400
        str(caught.value).encode()

    @pytest.mark.parametrize("name", [None, 5, ["ner_toy.one_en"]])
    def test_other_types(self, name):
        with pytest.raises(TypeError):
            zoo.load(name)

    def test_card_of_an_unknown_model(self, shipped):
        with pytest.raises(zoo.PresetError, match="did you mean"):
            zoo.card("ner_toy.one")


class TestListModels:
    def test_all(self, shipped):
        assert zoo.list_models() == ["ner_toy.one_en", "text_toy.two_de"]

    @pytest.mark.parametrize(
        ("pattern", "names"),
        [
            ("ner*", ["ner_toy.one_en"]),
            ("*_de", ["text_toy.two_de"]),
            ("*toy*", ["ner_toy.one_en", "text_toy.two_de"]),
            ("ner", []),
        ],
    )
    def test_pattern(self, pattern, names, shipped):
        assert zoo.list_models(pattern) == names

    def test_task(self, shipped):
        assert zoo.list_models(task="text") == ["text_toy.two_de"]
        assert zoo.list_models("ner*", task="text") == []


class TestCard:
    def test_prints_as_it_is_and_has_facts(self, shipped):
        card = zoo.card("text_toy.two_de")
        text = (shipped / "text_toy.two_de" / "README.md").read_text()
        assert str(card) == text and f"{card}" == text
        assert card.data == {"task": "text", "language": "de"}
        assert card.body == "# Two\n"

    def test_folder(self, preset_folder):
        assert zoo.card(preset_folder).data == {"task": "toy"}


class TestPackage:
    def test_version_is_the_installed_one(self, monkeypatch):
        monkeypatch.setattr(metadata, "version", lambda name: f"{name} 9.9")
        assert zoo.__version__ == "recurrent-zoo 9.9"

    def test_version_of_a_checkout(self, monkeypatch):
        def missing(name):
            raise metadata.PackageNotFoundError(name)

        monkeypatch.setattr(metadata, "version", missing)
        assert re.fullmatch(r"\d+\.\d+\.\d+", zoo.__version__)

    def test_public_names_are_there(self):
        assert set(zoo.__all__) <= set(dir(zoo))
        assert all(getattr(zoo, name) is not None for name in zoo.__all__)

    def test_other_names_are_not(self):
        with pytest.raises(AttributeError, match="no attribute 'laod'"):
            _ = zoo.laod

    def test_catalog_is_well_formed(self):
        catalog = json.loads(hub.CATALOG.read_text())
        assert catalog["format"] == 1
        for entry in hub._catalog().values():
            assert {"url", "sha256", "size", "task", "licence"} <= set(entry)

    def test_faulty_catalog_entry_is_named(self, shipped):
        entry = {"url": "file:///etc", "sha256": "0" * 64, "size": 1}
        hub.CATALOG.write_text(json.dumps({"format": 1, "presets": {"toy.x": entry}}))
        with pytest.raises(zoo.PresetError, match="faulty entry 'toy.x'"):
            zoo.list_models()
