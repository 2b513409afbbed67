"""Each preset in the package: sound, described, and giving the answers it shows."""

import pytest

import zoo
from zoo.hub import PRESETS
from zoo.preset import read_preset

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)

NAMES = sorted(path.parent.name for path in PRESETS.glob("*/config.json"))
FIELDS = {
    "name",
    "task",
    "architecture",
    "language",
    "data",
    "data_licence",
    "licence",
    "intended_use",
    "metrics",
    "baseline",
    "parameters",
    "size_bytes",
    "command",
    "hardware",
    "seconds",
    "limits",
}
MOST_BYTES = 60 * 2**20
TOLERANCE = 1e-3


@pytest.fixture(scope="module", params=NAMES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def preset(name):
    return read_preset(PRESETS / name)


@pytest.fixture(scope="module")
def task(name):
    return zoo.load(name)


def test_sums_are_right(preset):
    assert preset.examples, "examples.json is empty"


def test_it_is_listed(name):
    assert name in zoo.list_models()


def test_the_card_says_everything(name):
    data = zoo.card(name).data
    assert FIELDS <= set(data), f"missing: {sorted(FIELDS - set(data))}"
    assert data["name"] == name
    assert all(data[field] not in (None, "", [], {}) for field in FIELDS)


def test_scores_have_a_mean_and_a_spread(name):
    for score in zoo.card(name).data["metrics"].values():
        assert {"mean", "std", "seeds"} <= set(score)
        assert len(score["seeds"]) >= 3


def test_the_card_counts_as_the_model_does(name, task):
    assert zoo.card(name).data["parameters"] == task.model.count_params()


def test_it_repeats_its_examples(preset, task):
    results = task.predict([example["text"] for example in preset.examples])
    for result, example in zip(results, preset.examples, strict=True):
        got = result.to_dict()
        for key in ("text", "tokens", "tags"):
            assert got[key] == example[key]
        assert got["scores"] == pytest.approx(example["scores"], abs=TOLERANCE)
        found = [(e["text"], e["label"], e["start"]) for e in got["entities"]]
        shown = [(e["text"], e["label"], e["start"]) for e in example["entities"]]
        assert found == shown


def test_all_together_are_small():
    sizes = [p.stat().st_size for p in PRESETS.rglob("*") if p.is_file()]
    assert sum(sizes) < MOST_BYTES
