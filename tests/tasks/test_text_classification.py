"""Classifiers of texts: what all tasks promise, and what they alone do."""

import io

import keras
import numpy as np
import pytest

import zoo
from tasks.classifications import Classification
from tasks.data.labelled import in_fields, labelled_from, shortened
from tasks.text_classification import TextClassifier
from tasks.text_classifier import AttentionPooling
from tests.task_contract import TaskContract, TextInputs, weights

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)

GOOD, BAD = ["lovely", "great", "funny"], ["awful", "dull", "sad"]
FRAMES = [
    "a WORD film",
    "this was WORD , and long",
    "WORD !",
    "what a WORD story it is , told at length and in colour",
]
TINY = dict(units=8, embedding_dim=8, dropout=0.1, char_encoder="cnn", char_units=4)
TRAINING = dict(epochs=6, batch_size=8, learning_rate=0.03, verbose=0)


def examples():
    random, found = np.random.default_rng(0), []
    for number in range(96):
        label = ["good", "bad"][number % 2]
        word = (GOOD if label == "good" else BAD)[random.integers(3)]
        found.append((FRAMES[random.integers(4)].replace("WORD", word), label))
    return found


EXAMPLES = examples()
TRAIN, HELD_OUT = EXAMPLES[:64], EXAMPLES[64:]


def make(**options):
    keras.utils.set_random_seed(1)
    return TextClassifier.for_data(TRAIN, **{**TINY, **options})


@pytest.fixture(scope="module")
def trained():
    model = make()
    model.fit(TRAIN, **TRAINING)
    return model


@pytest.fixture(scope="module")
def one_epoch(tmp_path_factory):
    start = make().save(tmp_path_factory.mktemp("classifier") / "start")
    model = zoo.load(start)
    model.fit(TRAIN, **{**TRAINING, "epochs": 1})
    return start, model


class TestTextClassifier(TextInputs, TaskContract):
    variant = True
    score = "accuracy"
    training = TRAINING
    new_head, head = {"labels": ["a", "b", "c"]}, TextClassifier.head
    trained_form = "a dataset"

    def make(self, **options):
        return make(**options)

    def data(self):
        return TRAIN

    def held_out(self):
        return HELD_OUT

    def data_forms(self, folder):
        import tensorflow as tf

        lines = "".join(f"{text}\t{label}\n" for text, label in TRAIN)
        (folder / "train.tsv").write_text(lines)
        rows = "".join(f'"{text}",{label}\r\n' for text, label in TRAIN)
        (folder / "train.csv").write_text(rows)
        texts, labels = zip(*TRAIN, strict=True)
        return {
            "a file": folder / "train.tsv",
            "a table": str(folder / "train.csv"),
            "tuples": tuple(TRAIN),
            "a dataset": tf.data.Dataset.from_tensor_slices(
                (list(texts), list(labels))
            ),
        }

    def inputs(self):
        return [text for text, _ in HELD_OUT[:7]] + ["great"]

    def prepared(self, task):
        return task.features.encode([t.split() for t, _ in HELD_OUT[:5]], 16, rows=6)

    def check_answer(self, text, result):
        assert result.text == text
        assert result.label in ("good", "bad")
        assert sum(result.probabilities.values()) == pytest.approx(1, abs=1e-5)
        total = sum(result.attention)
        assert total == pytest.approx(1 if result.tokens else 0, abs=1e-4)


def test_the_words_that_decide_get_the_attention(trained):
    found = trained.predict("what a dull story it is , told at length and in colour")
    assert found.label == "bad"
    assert "dull" in found.highlights(2)
    assert "bad (" in str(found) and "dull" in str(found)


def test_answers_show_their_words(trained, tmp_path):
    found = trained.predict("a <b>great</b> film")
    assert "&lt;" in found.to_html() and "<b>great" not in found.to_html()
    found.plot().savefig(tmp_path / "words.png")


def test_calibration_makes_probabilities_honest_and_keeps_labels(trained, tmp_path):
    model = zoo.load(trained.save(tmp_path / "copy"))
    noisy = [
        (t, HELD_OUT[(i + 1) % 32][1] if i % 4 == 0 else label)
        for i, (t, label) in enumerate(HELD_OUT)
    ]
    before, labels = (
        model.evaluate(noisy),
        [r.label for r in model.predict([t for t, _ in noisy])],
    )
    temperature = model.calibrate(noisy)
    after = model.evaluate(noisy)
    assert temperature != 1 and after["loss"] < before["loss"]
    assert after["accuracy"] == before["accuracy"]
    assert [r.label for r in model.predict([t for t, _ in noisy])] == labels
    # Once more changes nothing: it is the temperature of the raw logits.
    assert model.calibrate(noisy) == pytest.approx(temperature, rel=1e-3)
    again = zoo.load(model.save(tmp_path / "calibrated"))
    # Calibrated twice, so its scores are not `after` to the last bit.
    assert again.evaluate(noisy) == model.evaluate(noisy)


@pytest.mark.parametrize("pooling", ["attention", "mean", "max", "last"])
def test_padding_is_invisible_to_pooling(pooling):
    layer = AttentionPooling(pooling)
    random = np.random.default_rng(0)
    x = random.normal(size=(2, 4, 3)).astype("float32")
    wide = np.full((2, 7, 3), np.nan, "float32")
    places = [1, 2, 4, 6]  # padding on the left, and a hole
    wide[:, places] = x
    mask = np.zeros((2, 7), bool)
    mask[:, places] = True
    y, weights = layer(x, mask=np.ones((2, 4), bool))
    if pooling == "attention":
        wide = np.nan_to_num(wide, nan=1e3)
    z, padded = layer(wide, mask=mask)
    numpy = keras.ops.convert_to_numpy
    np.testing.assert_allclose(numpy(z), numpy(y), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(numpy(padded)[:, places], numpy(weights), rtol=1e-5)
    assert numpy(padded)[~mask].max() == 0
    empty, none = layer(wide, mask=np.zeros((2, 7), bool))
    assert not numpy(empty).any() and not numpy(none).any()


def test_pooling_is_what_it_says():
    x = np.array([[[1.0, 5.0], [3.0, 1.0], [9.0, 9.0]]], "float32")
    mask = np.array([[True, True, False]])
    wanted = {"mean": [2, 3], "max": [3, 5], "last": [3, 1]}
    for kind, values in wanted.items():
        y, _ = AttentionPooling(kind)(x, mask=mask)
        np.testing.assert_allclose(keras.ops.convert_to_numpy(y), [values])


def test_rare_labels_weigh_more_when_balanced():
    model = make()
    truth = np.array([0, 0, 0, 1])
    np.testing.assert_allclose(model._weights("balanced", truth), [2 / 3, 2])
    # labels are sorted: "bad", "good"
    np.testing.assert_allclose(model._weights({"good": 5}, truth), [1, 5])


@pytest.mark.slow
def test_class_weights_move_the_answers():
    data = [("film", "good"), ("film", "bad")] * 16
    said = []
    for weight in (20.0, 0.05):
        model = make()
        model.fit(data, **TRAINING, class_weights={"good": weight})
        said.append(model.predict("film").label)
    assert said == ["good", "bad"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"layer": "qrnn", "layer_options": {"window": 2}, "connection": "dense"},
        {"layer": "ind_rnn", "layer_options": {"time_steps": 20}, "num_layers": 2},
        {"bidirectional": False, "pooling": "last", "label_smoothing": 0.1},
        {"sentence_length": 4},
        {"pooling": "max", "casing_dim": 2, "hidden_dropout": 0.1, "num_layers": 2},
    ],
    ids=str,
)
def test_any_layer_learns(options):
    model = make(**options)
    model.fit(TRAIN, **TRAINING)
    assert model.evaluate(HELD_OUT)["accuracy"] > 0.8


def test_long_texts_lose_their_middle():
    assert shortened(list(range(10)), 5) == [0, 1, 2, 8, 9]
    assert shortened([1, 2], 5) == [1, 2]


def test_one_label_is_nothing_to_learn():
    with pytest.raises(ValueError, match="at least two labels"):
        TextClassifier.for_data([("a", "x"), ("b", "x")])
    with pytest.raises(ValueError, match="All examples have the label 'good'"):
        make().fit([("a", "good"), ("b", "good")], **TRAINING)


def test_validation_data_are_looked_at_before_training():
    for held, words in (([], "`data` is empty"), ([("a", "ugly")], "'ugly'")):
        with pytest.raises(ValueError, match=words):
            make().fit(TRAIN, validation_data=held, **TRAINING)


@pytest.mark.parametrize("form", [tuple, iter, np.array])
def test_inputs_come_in_many_forms(trained, form):
    texts = ["lovely film", "", "dull story"]
    wanted = [result.label for result in trained.predict(texts)]
    assert [result.label for result in trained.predict(form(texts))] == wanted


def test_of_a_long_text_the_words_that_mattered_are_drawn():
    tokens = [f"w{i}" for i in range(100)]
    attention = np.zeros(100)
    attention[[3, 70, 75]] = 0.2, 0.3, 0.5
    result = Classification("", "good", {"good": 1.0}, tokens, attention)
    axes = result.plot(most=10).axes[0]
    shown = [label.get_text() for label in axes.get_xticklabels()]
    assert len(shown) == 10 and {"w70", "w75"} <= set(shown)
    assert axes.get_xlabel().startswith(f"words {int(shown[0][1:]) + 1} to ")
    short = Classification("", "good", {"good": 1.0}, tokens[:4], attention[:4])
    assert [t.get_text() for t in short.plot().axes[0].get_xticklabels()] == tokens[:4]
    Classification("", "good", {"good": 1.0}).plot()


def test_dollars_are_no_formula():
    result = Classification(
        "$5", "$cheap$ \\frac", {"$cheap$ \\frac": 1.0}, ["$5"], [1.0]
    )
    assert "$cheap$" in result.plot().axes[0].get_title()
    result.plot().savefig(io.BytesIO())
    assert result._repr_html_() == result.to_html()


def test_unknown_labels_are_told_what_to_do(trained):
    with pytest.raises(ValueError, match=r"'ugly'.*zoo\.load\(name, labels="):
        trained.evaluate([("a", "ugly")])


@pytest.mark.parametrize(
    "data, error, words",
    [
        ([("a", "x", "y")], ValueError, "Example 0 must be a pair"),
        ([("a", 3)], TypeError, "Example 0: the label must be a string"),
        ([(3, "x")], TypeError, "Item 0 must be a string"),
        (7, TypeError, "path of a file"),
    ],
)
def test_data_of_another_form_are_refused(data, error, words):
    with pytest.raises(error, match=words):
        labelled_from(data)


def test_a_line_without_a_label_is_named(tmp_path):
    path = tmp_path / "bad.tsv"
    path.write_text("fine\tgood\nno label here\n")
    with pytest.raises(ValueError, match=r"bad\.tsv, entry 2"):
        labelled_from(path)


def test_weights_of_padding_rows_are_zero():
    model = make()
    model.fit(TRAIN[:3], **{**TRAINING, "epochs": 1, "batch_size": 32})
    assert all(np.isfinite(w).all() for w in weights(model))


def test_passages_end_where_sentences_do():
    tokens = "a b . c d e . f".split()
    filled, places = in_fields(tokens, 4)
    assert filled == [*"ab.", "", *"cde.", "f", "", "", ""]
    assert [filled[i] for i in places] == tokens
    assert in_fields([], 4) == ([], [])


def test_a_document_is_read_by_passages():
    model = make(sentence_length=4, units=4)
    text = "lovely film . dull story , I think . " * 30
    found = model.predict(text)
    assert len(found.attention) == len(found.tokens) == 270
    assert sum(found.attention) == pytest.approx(1, abs=1e-4)
    # Passages do not know each other's words but through the second step.
    alone, among = model.predict(["lovely film .", "lovely film . dull story"])
    share = np.array(among.attention[:3]) / sum(among.attention[:3])
    np.testing.assert_allclose(share, alone.attention, atol=1e-5)
