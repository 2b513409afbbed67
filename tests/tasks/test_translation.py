"""The translator: what all tasks promise, and what it alone does."""

import json

import keras
import numpy as np
import pytest

import zoo
from tasks.data.pairs import PairBatches, pairs_from
from tasks.decoding.beam import BeamSearch, Found
from tasks.scheduled_sampling import KINDS, sampling_rate
from tasks.translation import Translator
from tasks.translation_lines import Lines
from tests.task_contract import (
    NoHead,
    TaskContract,
    TextInputs,
    run_python,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)

# A language whose adjectives follow their nouns. Its words are so short that all
# sentences are batched at one length, which is compiled once.
WORDS = {
    "my": "le",
    "dog": "kou",
    "cat": "mau",
    "bird": "tsip",
    "big": "gran",
    "red": "rus",
    "old": "vek",
    "saw": "vi",
    "met": "om",
}
NOUNS, ADJECTIVES, VERBS = (
    ["dog", "cat", "bird"],
    ["big", "red", "old"],
    ["saw", "met"],
)
TINY = dict(
    units=32,
    embedding_dim=16,
    dropout=0.05,
    encoder_layer="gru",
    decoder_layer="gru",
)
TRAINING = dict(epochs=24, batch_size=16, learning_rate=0.02, verbose=0)


def sentences(count, seed=0):
    random, found = np.random.default_rng(seed), []

    def phrase():
        noun, adjective = random.choice(NOUNS), random.choice(ADJECTIVES)
        if random.random() < 0.4:
            return f"my {noun}", f"{WORDS['my']} {WORDS[noun]}"
        return f"{adjective} {noun}", f"{WORDS[noun]} {WORDS[adjective]}"

    for _ in range(count):
        (a, b), verb, (c, d) = phrase(), random.choice(VERBS), phrase()
        found.append((f"{a} {verb} {c}", f"{b} {WORDS[verb]} {d}"))
    return found


TRAIN, HELD_OUT = sentences(160), sentences(24, seed=1)


def make(**options):
    keras.utils.set_random_seed(1)
    return Translator.for_data(TRAIN, vocabulary_size=50, **{**TINY, **options})


@pytest.fixture(scope="module")
def trained():
    model = make()
    model.fit(TRAIN, **TRAINING)
    return model


@pytest.fixture(scope="module")
def one_epoch(tmp_path_factory):
    start = make().save(tmp_path_factory.mktemp("translator") / "start")
    model = zoo.load(start)
    model.fit(TRAIN, **{**TRAINING, "epochs": 1})
    return start, model


_SERVE_STRINGS = """
import json, sys
import tensorflow as tf
import tensorflow_text  # its operations
folder, texts = sys.argv[1], json.loads(sys.argv[2])
found = tf.saved_model.load(folder).signatures["serving_default"](
    texts=tf.constant(texts)
)
assert "zoo" not in sys.modules and "tasks" not in sys.modules
scores = found["score"].numpy().tolist()
print(json.dumps([[t.decode() for t in found["text"].numpy().tolist()], scores]))
"""


class TestTranslator(NoHead, TextInputs, TaskContract):
    variant = True
    costly = (
        *TaskContract.costly,
        "test_survives",
        "test_strange_texts",
        "test_saves_and_loads",
        "test_an_untrained_task",
    )
    score, enough, watched = "bleu", 90.0, "loss"
    training = TRAINING
    trained_form = "a dataset"
    tolerance = 1e-3

    def make(self, **options):
        return make(**options)

    def data(self):
        return TRAIN

    def held_out(self):
        return HELD_OUT

    def test_exported_model_serves_without_the_zoo(self, trained, tmp_path):
        """Strings in, strings out, in a process that knows nothing of the package."""
        texts = [source for source, _ in HELD_OUT[:5]] + [
            "",
            "  my   dog\t",
            "ünknöwn",
        ]
        trained.export(tmp_path / "exported", beam_width=3)
        process = run_python(_SERVE_STRINGS, tmp_path / "exported", json.dumps(texts))
        assert process.returncode == 0, process.stderr[-2000:]
        found, scores = json.loads(process.stdout)
        wanted = trained.predict([" ".join(t.split()) for t in texts], beam_width=3)
        assert found == [r.text for r in wanted]
        np.testing.assert_allclose(scores, [r.score for r in wanted], atol=1e-4)

    def data_forms(self, folder):
        import tensorflow as tf

        sides = list(zip(*TRAIN, strict=True))
        for name, side in zip(("source.txt", "target.txt"), sides, strict=True):
            (folder / name).write_text("".join(f"{line}\n" for line in side))
        (folder / "pairs.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in TRAIN))
        return {
            "columns": folder / "pairs.tsv",
            "two files": (folder / "source.txt", folder / "target.txt"),
            "tuples": tuple(TRAIN),
            "a dataset": tf.data.Dataset.from_tensor_slices(tuple(map(list, sides))),
        }

    def inputs(self):
        return [source for source, _ in HELD_OUT[:6]] + ["my dog"]

    def prepared(self, task):
        sources, targets = task._encoded(HELD_OUT[:5])
        inputs, _ = PairBatches(sources, targets, 6)[0]
        return {k: v for k, v in inputs.items() if k != "targets"}

    def check_answer(self, text, result):
        assert result.source == text
        assert (
            bool(text.split()) == bool(result.candidates)
            or "\n" in result.text
            or (len(text) > 100)
        )


def test_the_order_of_words_is_learnt(trained):
    assert trained.predict("old bird met my cat").text == "tsip vek om le mau"


def test_attention_is_where_the_word_comes_from(trained):
    found = trained.predict("old bird met my cat")
    assert found.attention.shape == (len(found.tokens), len(found.source_tokens))
    np.testing.assert_allclose(found.attention.sum(1), 1, atol=1e-4)


def test_attention_is_drawn(trained, tmp_path):
    trained.predict("old bird met my cat").plot().savefig(tmp_path / "a.png")
    with pytest.raises(ValueError, match="no attention"):
        trained.predict("").plot()


def test_what_never_ends_ends_alike_among_longer_lines():
    model = make()  # untrained: it writes up to the limit
    texts = ["my dog", " ".join(["old bird met my cat"] * 3)]
    for chance in ({}, {"temperature": 1.5, "seed": 3}):
        together = model.predict(texts, beam_width=2, **chance)
        for text, among in zip(texts, together, strict=True):
            alone = model.predict(text, beam_width=2, **chance)
            assert alone.text == among.text
            assert alone.score == pytest.approx(among.score, rel=1e-4)
    assert len(together[0].candidates) == 2


def test_lengths_can_be_asked_for(trained):
    text = "big cat saw red dog"
    assert len(trained.predict(text, max_length=3).tokens) == 3
    assert len(trained.predict(text, min_length=30).tokens) >= 30
    with pytest.raises(ValueError, match="`min_length` must be less"):
        trained.predict(text, min_length=5, max_length=5)


def test_a_file_is_translated_into_a_file(trained, tmp_path):
    sources = ["my dog", "", "big cat saw red dog", "a\u2028b"] * 25
    path, output = tmp_path / "in.txt", tmp_path / "out.txt"
    path.write_text("".join(f"{line}\r\n" for line in sources), "utf-8", newline="")
    found = trained.predict(path, 2, beam_width=1, output=output)
    assert [result.source for result in found] == sources
    wanted = [result.text for result in trained.predict(sources, 2, beam_width=1)]
    assert [result.text for result in found] == wanted
    assert output.read_text("utf-8").split("\n") == [*wanted, ""]


def test_what_was_translated_before_a_failure_is_kept(trained, tmp_path, monkeypatch):
    output, search, calls = tmp_path / "out.txt", trained.lines._search, []

    def fails(*args):
        calls.append(args)
        if len(calls) > 25:
            raise KeyboardInterrupt
        return search(*args)

    monkeypatch.setattr(trained.lines, "_search", fails)
    with pytest.raises(KeyboardInterrupt) as error:
        trained.predict(["my dog"] * 60, 2, beam_width=1, output=output)
    del calls[:]
    with pytest.raises(KeyboardInterrupt) as without_a_file:
        trained.predict(["my dog"] * 60, 2, beam_width=1)
    monkeypatch.undo()
    wanted = trained.predict("my dog", beam_width=1).text
    assert output.read_text("utf-8") == f"{wanted}\n" * 40
    for kept in (error.value.results, without_a_file.value.results):
        assert [found and found.text for found in kept] == [wanted] * 50 + [None] * 10


def test_where_nothing_may_be_written_nothing_is(trained, monkeypatch):
    monkeypatch.setattr(Found, "traced", lambda *place: None)
    found = trained.predict("my dog")
    assert (found.text, found.score) == ("", -np.inf)
    assert len(found.candidates) == 1


def test_any_pair_has_an_alignment(trained):
    found = trained.predict("big cat saw red dog", length_penalty=0.0)
    given = trained.align(found.source, found.text)
    assert given.tokens == found.tokens and given.text == found.text
    assert given.source_tokens == found.source_tokens
    np.testing.assert_allclose(given.attention, found.attention, atol=1e-4)
    assert given.log_probability == pytest.approx(found.log_probability, abs=1e-3)
    assert trained.align("big cat", "kou kou").score < -5
    assert trained.align("", "").attention.shape == (1, 1)
    with pytest.raises(TypeError, match="Expected two strings"):
        trained.align("big cat", None)


def test_candidates_are_ranked_and_scored_by_the_model(trained):
    found = trained.predict("big cat saw red dog")
    scores = [c.score for c in found.candidates]
    assert len(scores) == 5 and scores == sorted(scores, reverse=True)
    assert found.candidates[0].text == found.text
    for candidate in found.candidates[:2]:
        loss = trained.loss([(found.source, candidate.text)])
        pieces = len(candidate.tokens)
        assert candidate.log_probability == pytest.approx(-loss * pieces, abs=1e-3)
        how = BeamSearch(5, length_penalty=0.6)
        wanted = how.score(candidate.log_probability, pieces)
        assert candidate.score == pytest.approx(float(wanted), rel=1e-4)


def test_the_loss_is_that_of_the_targets(trained):
    batches = PairBatches(*trained._encoded(HELD_OUT), len(HELD_OUT))
    inputs, _ = batches[0]
    members = [HELD_OUT[m] for m in batches.order()[0]]
    rows = np.asarray(trained.training_model.predict_on_batch(inputs))
    # Each row has its share of the mean over all pieces.
    assert trained.loss(members) == pytest.approx(float(np.mean(rows)), rel=1e-4)


def test_lines_are_translated_on_their_own(trained):
    lines = ["my dog saw my cat", "", "old cat met my dog"]
    alone = [trained.predict(line).text for line in lines]
    assert trained.predict("\n".join(lines)).text == "\n".join(alone)


LONG_LINE = "my dog saw old cat " * 60


def test_a_long_line_is_read_in_windows(trained):
    windows = Lines(trained.tokenizer, LONG_LINE, 100).windows
    assert len(windows) > 3 and max(map(len, windows)) <= 100
    assert sum(windows, []) == trained.tokenizer.encode(LONG_LINE.strip()).tolist()


@pytest.mark.slow
def test_windows_are_translated_one_after_the_other(trained):
    windows = Lines(trained.tokenizer, LONG_LINE, 100).windows
    said = trained.predict(trained.tokenizer.decode(windows[0])).text
    assert trained.predict(LONG_LINE).text.startswith(said)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"encoder_layer": "qrnn", "decoder_layer": "gru"},
        {"attention": "luong", "tied": False, "label_smoothing": 0.1},
        {"attention": None},
        {"num_layers": 2, "connection": "residual", "coverage_loss": 0.1},
        {"scheduled_sampling": "linear"},
    ],
    ids=str,
)
def test_any_parts_learn(options):
    model = make(**options)
    before = model.loss(HELD_OUT)
    model.fit(TRAIN, **{**TRAINING, "epochs": 6})
    assert model.loss(HELD_OUT) < 0.6 * before
    assert isinstance(model.predict("my dog").text, str)


def test_own_tokens_are_read_as_often_as_the_rate_says():
    model = make(scheduled_sampling="linear", dropout=0.0)
    decoder = model.parts.decoder
    ids = np.full((64, 20), 3, "int32")
    logits = np.full((64, 20, len(model.tokenizer)), -50.0, "float32")
    logits[..., 7] = 50.0  # it would write 7, always
    for rate in (0.0, 0.3, 1.0):
        decoder.sampling_rate.assign(rate)
        mixed = keras.ops.convert_to_numpy(decoder._mixed(ids, logits))
        assert set(np.unique(mixed)) <= {3, 7}
        assert (mixed[:, 0] == 3).all()  # before the first token there is no other
        assert np.mean(mixed[:, 1:] == 7) == pytest.approx(rate, abs=0.05)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind])
def test_rates_rise_from_nothing_to_all(kind):
    rates = [sampling_rate(kind, x) for x in np.linspace(0, 1, 11)]
    assert rates[0] == pytest.approx(0, abs=0.01)
    assert rates[-1] == pytest.approx(1, abs=0.011)
    assert rates == sorted(rates)


def test_short_pairs_come_first_in_a_curriculum():
    sources = [np.full(n, 5) for n in range(1, 65)]
    batches = PairBatches(sources, sources, 4, shuffle=True, curriculum=3)
    longest = []
    for epoch in range(4):
        batches.epoch = epoch
        sizes = [len(sources[m]) for row in batches.order() for m in row]
        longest.append(max(sizes))
        assert len(batches.order()) == len(batches)
    assert longest == sorted(longest) and longest[0] < 32 and longest[-1] == 64
    assert sorted(np.concatenate(batches.order()).tolist()) == list(range(64))


def test_validation_data_are_looked_at_before_training():
    with pytest.raises(ValueError, match="`data` is empty"):
        make().fit(TRAIN, validation_data=[("", "")], epochs=1, verbose=0)


def test_files_of_unlike_length_are_told(tmp_path):
    a, b = tmp_path / "a.txt", tmp_path / "b.txt"
    a.write_text("one\ntwo\n")
    b.write_text("eins\n")
    with pytest.raises(ValueError, match=r"a\.txt has 2 lines, .*b\.txt has 1"):
        pairs_from((a, b))


@pytest.mark.parametrize(
    "data, error, words",
    [
        ([("a", "b", "c")], ValueError, r"Pair 0 must be \(source, target\)"),
        ([("a", 3)], TypeError, "Pair 0 must be of strings"),
        (7, TypeError, "path of a file"),
    ],
)
def test_data_of_another_form_are_refused(data, error, words):
    with pytest.raises(error, match=words):
        pairs_from(data)


def test_a_line_without_a_tab_is_named(tmp_path):
    path = tmp_path / "bad.tsv"
    path.write_text("a\tb\nno target\n")
    with pytest.raises(ValueError, match=r"bad\.tsv, line 2"):
        pairs_from(path)


def test_an_odd_size_is_refused():
    with pytest.raises(ValueError, match="`units` must be even.*7"):
        make(units=7)
