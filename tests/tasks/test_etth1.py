"""The recipes of ETTh1: the protocol, and scores at each horizon."""

import numpy as np
import pytest

from tasks.data.windows import origins_of
from tasks.recipes import RECIPES, etth1

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Splits of a file of ETTh1's form, with numbers that are made up."""
    folder = tmp_path_factory.mktemp("data")
    hours = np.arange("2016-07-01", "2018-06-26T20", dtype="datetime64[h]")
    waves = np.sin(2 * np.pi * np.arange(len(hours)) / 24)
    lines = ["date,HUFL,HULL,MUFL,MULL,LUFL,LULL,OT"]
    for i, (hour, wave) in enumerate(zip(hours, waves, strict=True)):
        stamp = str(hour).replace("T", " ") + ":00:00"
        lines.append(
            f"{stamp}," + ",".join(f"{c + wave + i / 1e4:.4f}" for c in range(7))
        )
    (folder / "ETTh1.csv").write_text("\n".join(lines), "utf-8")
    return etth1.read(folder)


def test_splits_are_12_4_and_4_months_with_their_context(data):
    lengths = {name: part.lengths[0] for name, part in data.items()}
    assert lengths == {"train": 8640, "validation": 2880 + 96, "test": 2880 + 96}
    first = {name: str(part.starts[0]) for name, part in data.items()}
    assert first["train"] == "2016-07-01T00:00:00"
    assert first["test"] == str(
        np.datetime64("2016-07-01T00:00:00") + np.timedelta64(11520 - 96, "h")
    )


@pytest.mark.parametrize(
    "horizon, windows", [(96, 2785), (192, 2689), (336, 2545), (720, 2161)]
)
def test_every_window_of_the_test_months_counts(data, horizon, windows):
    assert len(origins_of(data["test"].lengths[0], 96, horizon)) == windows


@pytest.mark.slow
def test_a_model_is_scored_at_each_horizon(data):
    forecaster = etth1.make(720, units=2, segment_length=48)
    forecaster.scaling.fit(data["train"])
    short = data["test"].slice(0, 96 + 730)
    scores = etth1.scores_of(forecaster, short, etth1.HORIZONS)
    assert set(etth1.SCORES) <= set(scores)
    assert all(np.isfinite(value) for value in scores.values())


NAMES = {"forecasting_segment_gru.etth1": "gru", "forecasting_ind_rnn.etth1": "ind_rnn"}


@pytest.mark.parametrize("name, layer", NAMES.items())
def test_the_shipped_variant_is_one_model(name, layer):
    variants = RECIPES[name].VARIANTS
    assert next(iter(variants)) == "full" and "horizons" not in variants["full"]
    assert {options["layer"] for options in variants.values()} == {layer}


def test_the_example_is_a_history_of_seven_channels():
    assert np.shape(etth1.example()) == (96, 7)
