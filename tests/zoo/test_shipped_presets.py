"""Each preset in the package: sound, described, and giving the answers it shows."""

import numpy as np
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
    # Numbers have no language.
    fields = FIELDS - {"language"} if data["task"] == "forecasting" else FIELDS
    assert fields <= set(data), f"missing: {sorted(fields - set(data))}"
    assert data["name"] == name
    assert all(data[field] not in (None, "", [], {}) for field in fields)


def test_scores_have_a_mean_and_a_spread(name):
    for score in zoo.card(name).data["metrics"].values():
        assert {"mean", "std", "seeds", "values"} <= set(score)
        values = score["values"]
        assert len(values) == len(score["seeds"]) >= 1
        assert score["mean"] == pytest.approx(np.mean(values), abs=1e-3)
        # One seed has no spread, and does not claim one.
        spread = np.std(values, ddof=1) if len(values) > 1 else 0.0
        assert score["std"] == pytest.approx(spread, abs=1e-3)


def test_the_baseline_is_scored_alike(name):
    data = zoo.card(name).data
    assert next(iter(data["metrics"])) in data["baseline"]


def test_the_card_counts_as_the_model_does(name, task):
    assert zoo.card(name).data["parameters"] == task.model.count_params()


def test_it_repeats_its_examples(preset, task):
    assert_alike(task.examples(), preset.examples)


def assert_alike(got, wanted):
    """The same plain data, but for rounding."""
    if isinstance(wanted, dict):
        assert set(got) == set(wanted)
        for key in wanted:
            assert_alike(got[key], wanted[key])
    elif isinstance(wanted, list):
        assert len(got) == len(wanted)
        for one, other in zip(got, wanted, strict=True):
            assert_alike(one, other)
    elif isinstance(wanted, float):
        assert got == pytest.approx(wanted, rel=TOLERANCE, abs=TOLERANCE)
    else:
        assert got == wanted


def test_all_together_are_small():
    sizes = [p.stat().st_size for p in PRESETS.rglob("*") if p.is_file()]
    assert sum(sizes) < MOST_BYTES
