"""Self-critical training: what is drawn, how it is judged, and what is learned."""

import keras
import numpy as np
import pytest

from tasks.captioning import Captioner
from tasks.data.captions import caption_inputs, captions_from
from tasks.metrics.captions import CiderD, bleu, cider_d
from tasks.self_critical import (
    CaptionReward,
    DrawnCaptions,
    Settings,
    advantages,
)

TINY = dict(
    picture_size=32,
    feature_options={"blocks": 2, "width": 0.5, "head": False},
    layer="gru",
    units=24,
    embedding_dim=16,
    region_dim=24,
    attention_units=16,
    dropout=0.0,
    max_words=8,
)
COLOURS = {"red": (225, 30, 30), "green": (20, 190, 40), "blue": (30, 40, 230)}


def walls():
    random, found = np.random.default_rng(0), []
    for number in range(24):
        name = list(COLOURS)[number % 3]
        pixels = np.full((32, 32, 3), COLOURS[name]) + random.normal(0, 6, (32, 32, 3))
        captions = [f"a {name} wall", f"the {name} wall here"]
        found.append((np.clip(pixels, 0, 255).astype("uint8"), captions))
    return found


@pytest.fixture(scope="module")
def data():
    return walls()


def begun(data, **options):
    """A captioner that has begun to learn."""
    keras.utils.set_random_seed(1)
    task = Captioner.for_data(data, picture_weights="random", **{**TINY, **options})
    task.fit(data, epochs=6, batch_size=16, learning_rate=0.02, mirror=False, verbose=0)
    return task


SHORT = dict(
    epochs=3, batch_size=16, pictures=24, samples=4, mirror=False, verbose=0, seed=1
)


# === What is judged ===


REFERENCES = [
    ["a dog runs on the grass".split(), "a brown dog in the grass".split()],
    ["two people on a beach".split(), "people walk on the beach".split()],
]


def test_one_caption_scores_as_the_corpus_does():
    found = ["a dog on the grass".split(), "people on a beach".split()]
    consensus = CiderD(REFERENCES)
    each = [consensus.score(number, words) for number, words in enumerate(found)]
    assert 100 * np.mean(each) == pytest.approx(cider_d(found, REFERENCES))
    assert each[0] > consensus.score(0, found[1]) == 0


def test_the_end_of_a_caption_counts():
    """One that stops in the middle is worth less than with another whole end."""
    reward = CaptionReward(REFERENCES, {"cider_d": 1.0})
    whole = reward(0, "a dog runs on the grass".split())
    assert whole > reward(0, "a dog runs on the".split()) + 1


def test_rewards_are_weighed_together():
    words = "a dog on the grass".split()
    parts = [CaptionReward(REFERENCES, {name: 1.0}) for name in ("cider_d", "bleu_4")]
    both = CaptionReward(REFERENCES, {"cider_d": 2.0, "bleu_4": 0.5})
    expected = 2 * parts[0](0, words) + 0.5 * parts[1](0, words)
    assert both(0, words) == pytest.approx(expected)
    assert 0 < parts[1](0, words) <= 10


def test_smoothed_bleu_by_hand():
    """Lin and Och: one more right and in all, for two words and more."""
    score = bleu([["a", "dog"]], [[["a", "dog"]]], smooth=1)[3]
    assert score == pytest.approx(100)
    score = bleu([["a", "cat"]], [[["a", "dog"]]], smooth=1)[3]
    assert score == pytest.approx(100 * (1 / 2 * 1 / 2 * 1 * 1) ** 0.25)
    assert bleu([["a", "cat"]], [[["a", "dog"]]])[3] == 0


@pytest.mark.parametrize(
    "reward", ["rouge", {}, {"meteor": 1}, {"cider_d": -1}, {"cider_d": "1"}, None]
)
def test_other_rewards_are_refused(reward):
    with pytest.raises(ValueError, match="`reward` must be one of"):
        Settings.checked(reward, 5, 10)


def test_an_advantage_is_over_the_others_of_the_picture():
    rewards = np.array([[1.0, 2.0, 6.0], [5.0, 5.0, 5.0]])
    found = advantages(rewards)
    others = np.array([[-3.0, -1.5, 4.5], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(found, others / others.std())
    assert (advantages(np.ones((2, 2))) == 0).all()


# === What is drawn ===


def test_what_is_drawn_is_there_once_in_each_epoch():
    regions = np.arange(10.0)[:, None, None] * np.ones((1, 2, 3))
    asked = []

    def draw(seen, keys, seed):
        assert (seen[:, 0, 0] == keys).all()
        asked.append((tuple(keys), seed))
        return [[[5] * (1 + key % 3), [6]] for key in keys]

    batches = DrawnCaptions(
        [regions], draw, lambda number, ids: ids[0], 9, 7, batch_size=4, seed=3
    )
    batches.epoch = 0
    first = [batches[n] for n in range(len(batches))]
    assert len(asked) == 1 and len(set(asked[0][0])) == 7
    assert len(batches) == 4 and all(len(zeros) == 4 for _, zeros in first)
    rows = [
        (int(one["regions"][row, 0, 0]), *one["targets"][row][one["target_mask"][row]])
        for one, _ in first
        for row in range(4)
        if one["target_mask"][row].any()
    ]
    assert all(row[-1] == 9 for row in rows)
    expected = [(key, *ids, 9) for key in asked[0][0] for ids in draw_of(key)]
    assert sorted(rows) == sorted(expected)
    # The two of a picture differ by one: the second is better, in every picture.
    signs = {
        int(one["targets"][row, 0]): one["advantages"][row]
        for one, _ in first
        for row in range(4)
    }
    assert signs[5] == -1 and signs[6] == 1 and signs[0] == 0
    batches.epoch = 1
    assert len(batches) == 4
    assert len(asked) == 2 and asked[1] != asked[0]


def draw_of(key):
    return [[5] * (1 + key % 3), [6]]


def test_mirrored_pictures_are_drawn_from_and_learned_from_alike():
    plain = np.zeros((6, 1, 1))
    seen = []

    def draw(regions, keys, seed):
        seen.extend(regions[:, 0, 0])
        return [[[5 + int(r)], [5 + int(r)]] for r in regions[:, 0, 0]]

    batches = DrawnCaptions([plain, plain + 1], draw, lambda *_: 0.0, 9, 6, 12)
    inputs, _ = batches[0]
    assert {0, 1} == set(seen)
    assert (inputs["targets"][:, 0] == 5 + inputs["regions"][:, 0, 0]).all()


# === What is learned ===


def test_the_loss_is_likelihood_weighed_by_advantages(data):
    task = begun(data)
    model, parts = task.parts.rewarded_model, task.parts
    random = np.random.default_rng(0)
    regions = task.scorer.regions(captions_from(data[:3]))
    ids = [np.array(x, "int32") for x in ([3, 4, 2], [5, 2], [3, 3, 3, 2])]
    inputs = caption_inputs([regions], [(0, n) for n in range(3)], ids, 4, 3)
    better = random.normal(size=3).astype("float32")
    found = model.predict({**inputs, "advantages": better}, verbose=0)
    told = {k: v for k, v in inputs.items() if k != "targets"}
    logits = parts.reading_model.predict(told, verbose=0)["logits"]
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    picked = np.take_along_axis(logs, inputs["targets"][..., None], -1)[..., 0]
    mask = inputs["target_mask"]
    expected = -(picked * mask).sum(1) * better * 3 / mask.sum()
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_captions_score_better_than_before(data):
    task = begun(data)
    before = task.evaluate(data, temperature=1.0, beam_width=1)["cider_d"]
    history = task.fit_self_critical(
        data, **{**SHORT, "epochs": 8}, learning_rate=0.003
    ).history
    assert history["reward"][-1] > history["reward"][0]
    after = task.evaluate(data, temperature=1.0, beam_width=1)["cider_d"]
    assert after > before * 1.1


def test_drawn_captions_are_read_as_they_are(data):
    """Not with words of scheduled sampling between, whose rate `fit` leaves behind."""
    task = begun(data, scheduled_sampling="linear")
    assert float(task.parts.decoder.sampling_rate) > 0
    task.fit_self_critical(data, **{**SHORT, "epochs": 1})
    assert float(task.parts.decoder.sampling_rate) == 0


def test_the_best_epoch_is_kept(data):
    task = begun(data)
    history = task.fit_self_critical(
        data, data[:6], monitor="cider_d", learning_rate=0.003, **SHORT
    ).history
    best = max(history["val_cider_d"])
    assert task.evaluate(data[:6])["cider_d"] == pytest.approx(best)


def test_a_killed_run_goes_on_with_what_it_had_drawn(data, tmp_path):
    class Killed(Exception):
        pass

    class Kill(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations == 9:  # amidst the second epoch
                raise Killed

    whole = begun(data)
    whole.fit_self_critical(data, learning_rate=0.003, **SHORT)
    run = dict(resume_dir=tmp_path / "run", save_every=2, learning_rate=0.003, **SHORT)
    with pytest.raises(Killed):
        begun(data).fit_self_critical(data, callbacks=[Kill()], **run)
    again = begun(data)
    again.fit_self_critical(data, **run)
    for a, b in zip(whole.model.weights, again.model.weights, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6, err_msg=a.path)


@pytest.mark.parametrize(
    "wrong", [{"samples": 1}, {"samples": 2.5}, {"pictures": 0}, {"batch_size": 0}]
)
def test_numbers_out_of_range_are_refused(data, wrong):
    task = Captioner.for_data(data, picture_weights="random", **TINY)
    with pytest.raises(ValueError, match=f"`{next(iter(wrong))}` must be"):
        task.fit_self_critical(data, **{**SHORT, **wrong})
