"""Search spaces: plain data in, checked parameters out."""

import math

import pytest

from tasks.task import Task
from tuning.errors import SearchError
from tuning.hyperparameters import hyperparameters_of, values_of
from tuning.objectives import OBJECTIVES, objective_of
from tuning.parameter import Parameter
from tuning.sources import class_named, task_classes
from tuning.space import Space, nested
from tuning.spaces import SPACES, known_names, space_of

ENTRIES = {
    "layer": {"choices": ["gru", "qrnn", None]},
    "units": {"choices": [128, 64]},
    "dropout": {"low": 0.0, "high": 0.5, "step": 0.25},
    "learning_rate": {"low": 1e-4, "high": 1e-2, "scale": "log"},
    "layer_options.window": {"low": 1, "high": 3, "when": {"layer": ["qrnn"]}},
}
KNOWN = {
    "layer": "gru",
    "units": 32,
    "dropout": 0.1,
    "learning_rate": 1e-3,
    "layer_options": {},
    "epochs": 3,
    "bidirectional": True,
}


# Those that the package names.
TASKS = sorted(set(SPACES) & set(task_classes()))


def build(**overrides):
    return Space.build(ENTRIES, overrides, KNOWN)


def parameter(space, name):
    return next(p for p in space.parameters if p.name == name)


def test_values_of_choices_and_ranges():
    space = build()
    assert parameter(space, "units").values() == [64, 128]
    assert parameter(space, "dropout").values() == [0.0, 0.25, 0.5]
    assert parameter(space, "layer_options.window").values() == [1, 2, 3]
    assert parameter(space, "learning_rate").values() is None
    assert space.combinations() == math.inf
    assert build(learning_rate=[0.1, 0.01]).combinations() == 3 * 2 * 3 * 3 * 2


def test_overrides_narrow_fix_and_add():
    space = build(units=[32], dropout=(0.1, 0.4), epochs=7, bidirectional=[True, False])
    assert space.fixed == {"units": 32, "epochs": 7}
    assert parameter(space, "dropout").entry() == {
        "low": 0.1,
        "high": 0.4,
        "step": 0.25,
    }
    assert parameter(space, "bidirectional").values() == [True, False]


def test_an_override_keeps_the_scale_and_the_condition():
    space = build(
        learning_rate=(1e-3, 2e-3), **{"layer_options.window": [2, 4]}, units=64
    )
    assert parameter(space, "learning_rate").log
    assert parameter(space, "layer_options.window").when == ("layer", ("qrnn",))


def test_a_list_can_be_fixed():
    assert build(layer={"fixed": [1, 2]}).fixed["layer"] == [1, 2]


def test_a_condition_that_never_holds_takes_its_parameter_along():
    assert "layer_options.window" not in [p.name for p in build(layer="gru").parameters]
    always = parameter(build(layer="qrnn"), "layer_options.window")
    assert always.when is None
    # What the default is decides where the parent is not searched.
    entries = {k: v for k, v in ENTRIES.items() if k != "layer"}
    names = [p.name for p in Space.build(entries, {}, KNOWN).parameters]
    assert "layer_options.window" not in names


def test_parents_come_first():
    entries = dict(reversed(ENTRIES.items()))
    names = [p.name for p in Space.build(entries, {}, KNOWN).parameters]
    assert names.index("layer") < names.index("layer_options.window")


def test_plain_data_make_the_same_space():
    space = build(epochs=7)
    assert Space.build(space.plain(), known={}).plain() == space.plain()


def test_units_fill_a_tpu():
    space = build(units=[32, 100, 200]).for_tpu()
    assert parameter(space, "units").values() == [128, 256]
    assert parameter(space, "dropout").values() == [0.0, 0.25, 0.5]


def test_names_with_dots_are_entries_of_options():
    found = nested({"a.b": 0.1, "a.c": 2, "d": 3})
    assert found == {"a": {"b": 0.1, "c": 2}, "d": 3}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"unitz": 3}, "nothing named 'unitz'.*'units'"),
        ({"units": []}, "choices of `units`"),
        ({"units": [64, 64]}, "twice"),
        ({"units": [-3, 64]}, "32 by default; -3"),
        ({"units": ["many", "few"]}, "'many' cannot stand"),
        ({"units": 6.5}, "6.5 cannot stand"),
        ({"bidirectional": [1, 0]}, "cannot stand"),
        ({"dropout": (0.5, 0.1)}, "low < high"),
        ({"dropout": (0.1, 1.0)}, "rate from 0 to below 1"),
        ({"dropout": (0.1, 0.2, 0.3)}, "two ends"),
        ({"learning_rate": (0.0, 0.1)}, "low above 0"),
        ({"learning_rate": -1.0}, "above 0"),
        ({"dropout": {"low": 0.1, "high": float("nan")}}, "low < high"),
        ({"dropout": {"low": 0.1, "high": 0.2, "stp": 0.1}}, "must be a dict with"),
        ({"layer": {"choices": ["gru", object()]}}, "must be made of"),
        ({"layer": {"choices": ["gru", "qrnn"], "when": {"depht": 2}}}, "nowhere"),
        ({"units": {"choices": [1, 2], "when": "always"}}, "`when` of `units`"),
    ],
)
def test_a_bad_space_is_refused_in_one_line(overrides, message):
    with pytest.raises(SearchError, match=message) as caught:
        build(**overrides)
    assert "\n" not in str(caught.value)


def test_circles_are_refused():
    entries = {
        "a": {"choices": [1, 2], "when": {"b": [1]}},
        "b": {"choices": [1, 2], "when": {"a": [1]}},
    }
    with pytest.raises(SearchError, match="depend on each other"):
        Space.build(entries, {}, {})


def test_an_empty_space_is_refused():
    with pytest.raises(SearchError, match="space is empty"):
        Space.build({"units": [64]}, {"units": 64}, {"units": 32})


def test_values_come_back_from_the_tuner():
    space = build(epochs=7)
    found = hyperparameters_of(space)
    drawn = {
        "layer": '"qrnn"',
        "units": 64,
        "dropout": 0.25000000000000006,
        "learning_rate": 0.00123456789,
        "layer_options.window": 2,
        "tuner/epochs": 3,
    }
    values = values_of(space, drawn)
    assert values == {
        "layer": "qrnn",
        "units": 64,
        "dropout": 0.25,
        "learning_rate": 0.00123457,
        "layer_options.window": 2,
        "epochs": 7,
    }
    assert list(values)[-1] == "epochs"
    assert {p.name for p in found.space} == {p.name for p in space.parameters}


def test_what_does_not_matter_has_no_value():
    drawn = {"layer": "null", "units": 64, "layer_options.window": 2}
    assert values_of(build(), drawn) == {"layer": None, "units": 64}


def test_the_tuner_knows_conditions():
    found = hyperparameters_of(build())
    found.values = {"layer": '"gru"'}
    assert not found.is_active("layer_options.window")
    found.values = {"layer": '"qrnn"'}
    assert found.is_active("layer_options.window")


def test_conditions_of_conditions():
    entries = {
        "a": {"choices": ["x", "y"]},
        "b": {"choices": [1, 2], "when": {"a": ["y"]}},
        "c": {"low": 0.0, "high": 1.0, "when": {"b": [2]}},
    }
    found = hyperparameters_of(Space.build(entries, {}, {}))
    found.values = {"a": '"x"', "b": 2}
    assert not found.is_active("c")
    found.values = {"a": '"y"', "b": 2}
    assert found.is_active("c")


@pytest.mark.parametrize("task", TASKS)
def test_every_space_is_sound(task):
    cls = class_named(task)
    options, fit = known_names(cls)
    space = Space.build(space_of(cls), {}, {**options, **fit})
    assert len(space.parameters) >= 6


@pytest.mark.parametrize("task", TASKS)
def test_no_space_names_what_its_class_has_not(task):
    options, fit = known_names(class_named(task))
    names = {name.partition(".")[0] for name in SPACES[task]}
    # Schedules are searched where `fit` has a choice of them.
    assert names - {"schedule"} <= {*options, *fit}


@pytest.mark.parametrize("task", TASKS)
def test_fine_tuning_leaves_shapes_alone(task):
    names = {n.rpartition(".")[2] for n in space_of(task, fine_tuning=True)}
    assert "learning_rate" in names
    assert not names & {"units", "layer", "num_layers", "embedding_dim", "pooling"}


def test_every_task_has_objectives():
    assert set(SPACES) == set(OBJECTIVES)
    assert set(task_classes()) <= set(SPACES)


def test_a_class_may_say_what_is_worth_searching():
    class Mine(Task):
        task = "ner"
        tunable = {"units": {"choices": [1, 2]}}
        objectives = {"luck": "max"}

        def fit(self, data, validation_data=None):
            """Nothing."""

    assert space_of(Mine) == {"units": {"choices": [1, 2]}}
    assert objective_of(Mine).name == "luck"


def test_a_class_without_a_space_is_told():
    class Other(Task):
        task = "other"

        def fit(self, data, validation_data=None):
            """Nothing."""

    with pytest.raises(SearchError, match="`tunable`"):
        space_of(Other)
    with pytest.raises(SearchError, match="`objectives`"):
        objective_of(Other)


def test_objectives_know_their_direction():
    tagger = class_named("ner")
    assert objective_of(tagger).direction == "max"
    assert objective_of(tagger, "val_f1_person").name == "f1_person"
    assert objective_of(class_named("language_modeling")).direction == "min"
    assert objective_of(class_named("forecasting"), "mse").better(1.0, 2.0)
    with pytest.raises(SearchError, match="'acuracy'. Did you mean 'accuracy'"):
        objective_of(class_named("text_classification"), "acuracy")


def test_a_range_of_integers_by_magnitude():
    units = Parameter.parse("units", {"low": 16, "high": 1024, "scale": "log"})
    assert units.whole and units.log
    found = hyperparameters_of(Space([units]))
    assert 16 <= found.space[0].random_sample(3) <= 1024
