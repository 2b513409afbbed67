"""Fine-tuning with care: which layers move, how far, and from when on."""

import keras
import numpy as np
import pytest

from tasks import fine_tuning
from tasks.text_classification import TextClassifier

DATA = [("good film", "yes"), ("bad film", "no")] * 8
RATE = 1e-3


def classifier():
    return TextClassifier.for_data(
        DATA, units=3, num_layers=2, embedding_dim=4, dropout=0.0
    )


def moved(model, groups, before):
    """Largest change of a weight in each group."""
    old = {id(v): b for v, b in zip(model.trainable_variables, before, strict=True)}
    return [
        max(np.abs(keras.ops.convert_to_numpy(v) - old[id(v)]).max() for v in group)
        for group in groups
    ]


def values(model):
    return [keras.ops.convert_to_numpy(v).copy() for v in model.trainable_variables]


def test_groups_go_from_the_head_to_the_words():
    model = classifier().training_model
    groups = fine_tuning.groups_by_depth(model)
    assert len(groups) == 4
    heads = {v.path for v in groups[0]}
    assert any("logits" in path for path in heads)
    assert any("pooling" in path for path in heads)
    assert all("word_embedding" in v.path for v in groups[-1])
    every = [id(v) for group in groups for v in group]
    assert sorted(every) == sorted(id(v) for v in model.trainable_variables)
    last, first = ({v.path for v in group} for group in groups[1:3])
    assert all("1" in path for path in last) and not last & first


def test_deeper_groups_move_less():
    task = classifier()
    model = task.training_model
    before = values(model)
    # The first step of Adam moves each weight by its rate, whatever its gradient.
    task.fit(DATA, epochs=1, batch_size=16, learning_rate=RATE, rate_decay=4, verbose=0)
    found = moved(model, fine_tuning.groups_by_depth(model), before)
    rates = [found[0] / 4**depth for depth in range(4)]
    np.testing.assert_allclose(found, rates, rtol=0.02)


@pytest.mark.slow
def test_groups_wake_one_after_the_other():
    task, seen = classifier(), []
    model = task.training_model
    groups, before = fine_tuning.groups_by_depth(model), values(model)

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append([m > 0 for m in moved(model, groups, before)])

    task.fit(
        DATA, epochs=5, batch_size=16, unfreeze_every=1, verbose=0, callbacks=[Watch()]
    )
    assert seen == [[g <= epoch for g in range(4)] for epoch in range(5)]


def test_plain_adam_without_wishes():
    model = classifier().training_model
    optimizer, callbacks = fine_tuning.adam_for(model, RATE, 1.0, 1.0, 0)
    assert type(optimizer) is keras.optimizers.Adam and callbacks == []


@pytest.mark.parametrize("wrong", [(0.5, 0), (float("nan"), 0), (2.0, -1)])
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="rate_decay"):
        fine_tuning.adam_for(None, RATE, 1.0, *wrong)
