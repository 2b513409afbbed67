"""The recognizer of speech: what all tasks promise, and what it alone does."""

import base64
import io
import json
import wave
from pathlib import Path

import keras
import numpy as np
import pytest

import zoo
from tasks.data.log_mel import LogMel
from tasks.data.speech import SpeechBatches
from tasks.data.vocabulary import Vocabulary
from tasks.metrics.speech import transcript_scores
from tasks.speech_recognition import SpeechRecognizer
from tasks.transfer import take_encoder
from tests.task_contract import FileInputs, TaskContract, run_python

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)

RATE = 8000
# Whistled letters, a pitch each, with a short breath between them.
PITCHES = {"a": 500, "b": 900, "c": 1500, "d": 2400}
TINY = dict(
    sample_rate=RATE,
    window=0.032,
    step=0.016,
    num_mels=16,
    filters=4,
    layer="gru",
    units=24,
    num_layers=1,
    dropout=0.0,
    hidden_dropout=0.0,
)
TRAINING = dict(epochs=14, batch_size=8, learning_rate=0.02, mel_mask=0.0, verbose=0)


def whistled(text, random):
    """Samples of a text: a tone for each letter, silence for a space."""
    parts = [np.zeros(random.integers(200, 600))]
    for letter in text:
        length = random.integers(700, 1100)
        time = np.arange(length) / RATE
        tone = np.zeros(length)
        if letter != " ":
            pitch = PITCHES[letter] * random.uniform(0.97, 1.03)
            tone = 0.3 * np.hanning(length) * np.sin(2 * np.pi * pitch * time)
        parts += [tone, np.zeros(random.integers(150, 300))]
    samples = np.concatenate(parts)
    return samples + random.normal(size=len(samples)) * 1e-3


def write_wav(path, samples, rate=RATE, channels=1):
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, 2, rate, 0, "NONE", ""))
        whole = np.clip(np.round(np.asarray(samples) * 32767), -32768, 32767)
        file.writeframes(whole.astype("<i2").tobytes())
    return path


def examples(folder, count, seed):
    """Recordings in files, as `fit` takes them."""
    random, found = np.random.default_rng(seed), []
    folder.mkdir()
    for number in range(count):
        letters = random.choice(list(PITCHES), random.integers(2, 5)).tolist()
        if number % 3 == 0:
            letters.insert(random.integers(1, len(letters)), " ")
        text = "".join(letters)
        path = write_wav(folder / f"{number:03d}.wav", whistled(text, random))
        found.append((str(path), text))
    return found


def make(data, seed=1, **options):
    keras.utils.set_random_seed(seed)
    return SpeechRecognizer.for_data(data, **{**TINY, **options})


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    return examples(tmp_path_factory.mktemp("data") / "train", 96, 1)


@pytest.fixture(scope="module")
def held(tmp_path_factory):
    return examples(tmp_path_factory.mktemp("data") / "held", 20, 2)


@pytest.fixture(scope="module")
def trained(train):
    task = make(train)
    task.fit(train, **TRAINING)
    return task


@pytest.fixture(scope="module")
def one_epoch(train, tmp_path_factory):
    start = make(train).save(tmp_path_factory.mktemp("start") / "task")
    task = zoo.load(start)
    task.fit(train, **{**TRAINING, "epochs": 1})
    return start, task


_SERVE_SAMPLES = """
import json, sys
import numpy as np
import tensorflow as tf
folder, given = sys.argv[1:]
given = np.load(given)
served = tf.saved_model.load(folder).signatures["serving_default"]
answer = served(
    samples=tf.constant(given["samples"]), lengths=tf.constant(given["lengths"])
)
texts = [text.decode() for text in answer["text"].numpy().tolist()]
print(json.dumps([texts, answer["score"].numpy().tolist()]))
assert not {"zoo", "tasks", "tensorflow_text"} & set(sys.modules)
"""


class TestSpeechRecognizer(FileInputs, TaskContract):
    media_type = "audio/wav"
    variant = True
    costly = (
        *TaskContract.costly,
        "test_saves_and_loads",
        "test_every_form_of_data",
        "test_an_untrained_task",
        "test_small_batches",
        "test_examples_are_saved",
    )
    score, enough = "wer", 0.2
    training = TRAINING
    trained_form = "a dataset"
    tolerance = 1e-3

    def make(self, **options):
        return make(self.train, **options)

    def data_forms(self, folder):
        import tensorflow as tf

        rows = "".join(f"{path},{text}\n" for path, text in self.train)
        (folder / "transcripts.csv").write_text("audio,text\n" + rows)
        tabbed = "".join(f"{path}\t{text}\n" for path, text in self.train)
        (folder / "one.tsv").write_text(tabbed)
        paths, texts = map(list, zip(*self.train, strict=True))
        return {
            "a folder with a table": folder,
            "a table with tabs": folder / "one.tsv",
            "a folder and a table": (folder, folder / "one.tsv"),
            "a tuple": tuple(self.train),
            "bytes": [(Path(path).read_bytes(), text) for path, text in self.train],
            "a dataset": tf.data.Dataset.from_tensor_slices((paths, texts)),
            "a dataset of bytes": tf.data.Dataset.from_tensor_slices(
                (paths, texts)
            ).map(lambda path, text: (tf.io.read_file(path), text)),
        }

    def test_learns_its_toy(self, trained):
        """Error rates are the better the lower they are."""
        scores = trained.evaluate(self.held)
        assert scores["wer"] < self.enough and scores["cer"] < self.enough / 2

    def test_an_untrained_task_has_not_learnt_it(self):
        assert self.make().evaluate(self.held)["wer"] > 0.9

    def test_exported_model_serves_without_the_zoo(self, trained, tmp_path):
        """Samples in, strings out, in a process that knows nothing of the package."""
        recordings = trained.listener.samples(self.inputs())
        lengths = np.array(list(map(len, recordings)), "int32")
        samples = np.full((len(lengths), lengths.max()), 0.7, "float32")
        for row, x in enumerate(recordings):
            samples[row, : len(x)] = x
        np.savez(tmp_path / "given.npz", samples=samples, lengths=lengths)
        trained.export(tmp_path / "exported")
        process = run_python(
            _SERVE_SAMPLES, tmp_path / "exported", tmp_path / "given.npz"
        )
        assert process.returncode == 0, process.stderr[-2000:]
        texts, scores = json.loads(process.stdout)
        wanted = trained.predict(self.inputs())
        assert texts == [result.text for result in wanted]
        np.testing.assert_allclose(scores, [r.score for r in wanted], atol=1e-2)

    def test_lengths_do_not_pile_up_traces(self, trained):
        """Any number of recordings, of any length, is answered in few shapes."""
        random = np.random.default_rng(0)
        for length in range(1, 40):
            noise = random.normal(size=length * 300) * 0.1
            trained.predict([noise] * (1 + length % 2), rate=RATE, batch_size=4)
        if hasattr(trained.model.predict_function, "experimental_get_tracing_count"):
            count = trained.model.predict_function.experimental_get_tracing_count()
            assert count <= 8
            for search in trained.listener._compiled.values():
                assert search.experimental_get_tracing_count() <= 40


# === Recordings ===


def test_every_form_of_a_recording_is_answered_alike(trained, held):
    path, text = held[0]
    raw = Path(path).read_bytes()
    with wave.open(path) as file:
        whole = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    floats = whole / 32768
    forms = [
        path,
        Path(path),
        raw,
        f"data:audio/wav;base64,{base64.b64encode(raw).decode()}",
        whole,
        floats,
        (floats, RATE),
        np.stack([floats, floats], 1),
        np.stack([floats, floats]),
    ]
    results = trained.predict(forms, rate=RATE)
    assert {result.text for result in results} == {text}
    assert np.ptp([result.score for result in results]) < 1e-3


@pytest.mark.parametrize("rate", [11_025, 16_000, 44_100])
def test_any_rate_is_heard_alike(trained, rate):
    from tasks.data.resampling import resampled

    sound = whistled("abc d", np.random.default_rng(5))
    found = trained.predict((resampled(sound, RATE, rate), rate))
    assert found.text == "abc d"
    assert found.seconds == pytest.approx(len(sound) / RATE, abs=1e-3)


def test_loudness_does_not_matter(trained):
    sound = whistled("ad cb", np.random.default_rng(6))
    texts = {trained.predict(sound * gain, rate=RATE).text for gain in (0.2, 1, 3)}
    assert texts == {"ad cb"}


STRANGE = {
    "no samples": (np.zeros(0), ""),
    "one sample": (np.ones(1) * 0.5, None),
    "silence": (np.zeros(RATE), None),
    "a click": (np.eye(1, RATE)[0], None),
    "clipped": (
        np.clip(9 * whistled("ab", np.random.default_rng(0)), -1, 1),
        None,
    ),
    "no more than a window": (np.zeros(256), None),
    "integers of 8 bits": (np.full(RATE, 128, "uint8"), None),
}


@pytest.mark.parametrize("samples, text", STRANGE.values(), ids=STRANGE)
def test_strange_recordings_have_an_answer(trained, samples, text):
    found = trained.predict(samples, rate=RATE)
    assert np.isfinite(found.score) and str(found)
    assert found.seconds == len(samples) / RATE
    assert all(0 <= c.start <= c.end <= found.seconds for c in found.characters)
    assert "".join(c.text for c in found.characters) == found.text
    if text is not None:
        assert found.text == text and found.words == ()


NO_RECORDINGS = {
    "NaN": (np.array([0.1, np.nan, 0.2]), "1 of its 3 numbers are not finite"),
    "infinity": (np.array([0.1, np.inf]), "1 of its 2 numbers are not finite"),
    "floats of integers": (np.array([0.0, 9000.0]), "from -1 to 1.*reach 9000"),
    "numbers of 64 bits": (np.array([0, 9000]), "integers of 8, 16 or 32 bits.*int64"),
    "three axes": (np.zeros((2, 2, 2)), r"this one is \(2, 2, 2\)"),
    "many channels": (np.zeros((20, 20)), "20 channels"),
    "no channel": (np.zeros((20, 0)), "no channel"),
    "a rate of nothing": ((np.zeros(20), 0), "whole number from 1000 to 768000"),
    "half a rate": ((np.zeros(20), 8000.5), "whole number from 1000 to 768000"),
    "no sound": (b"this is a text, whatever its name says", "neither WAV, FLAC"),
    "an empty file": (b"", "the file is empty"),
}


@pytest.mark.parametrize("thing, words", NO_RECORDINGS.values(), ids=NO_RECORDINGS)
def test_what_is_no_recording_is_refused_in_one_sentence(trained, thing, words):
    with pytest.raises(ValueError, match=f"cannot be read as a recording: .*{words}"):
        trained.predict([thing], rate=RATE)


def test_an_array_needs_a_rate(trained):
    with pytest.raises(ValueError, match=r"no rate: give `rate=`"):
        trained.predict(np.zeros(100))


@pytest.mark.parametrize("thing", [None, 3, {"a": 1}, [0.1, 0.2], [None]], ids=str)
def test_things_of_another_kind_are_refused(trained, thing):
    with pytest.raises(TypeError, match="a path, the bytes of a file, an array"):
        trained.predict(thing, rate=RATE)


def test_broken_files_are_named(trained, held, tmp_path):
    raw = Path(held[0][0]).read_bytes()
    for name, data, words in (
        ("cut.wav", raw[:-100], "ends too early: .* samples are announced"),
        ("head.wav", raw[:30], "ends before its samples begin"),
        ("text.wav", b"hello", "neither WAV, FLAC"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ValueError, match=rf"{name} cannot be read.*{words}"):
            trained.predict(str(tmp_path / name))
    with pytest.raises(FileNotFoundError, match="nothing.wav"):
        trained.predict("nothing.wav")


def test_a_long_recording_is_read_in_pieces(trained, monkeypatch):
    random = np.random.default_rng(7)
    texts = ["abc", "cab", "ba", "dc", "acd", "bd", "cb", "ab", "dca", "bad"]
    parts = [x for text in texts for x in (whistled(text, random), np.zeros(900))]
    sound = np.concatenate(parts)
    monkeypatch.setattr(trained.listener, "max_seconds", 2)
    found = trained.predict(sound, rate=RATE)
    assert found.seconds == len(sound) / RATE > 2 * 2
    assert "".join(c.text for c in found.characters) == found.text
    assert transcript_scores([found.text], [" ".join(texts)])["cer"] < 0.2
    assert found.candidates[0].text == found.text
    starts = [c.start for c in found.characters]
    assert starts == sorted(starts) and starts[-1] > found.seconds - 1
    # Each text that was heard right was heard where it is.
    ends = np.cumsum([len(x) / RATE for x in parts])
    places = {text: (ends[2 * n] - 1, ends[2 * n]) for n, text in enumerate(texts)}
    known = [word for word in found.words if word.text in places]
    assert len(known) > 4
    for word in known:
        start, end = places[word.text]
        assert start - 0.1 < word.start < word.end < end + 0.1


# === Answers ===


def test_times_are_those_of_the_sounds(trained):
    sound, spans, at = [np.zeros(400)], [], 400
    for letter in "adb":
        tone = np.sin(2 * np.pi * PITCHES[letter] * np.arange(1000) / RATE)
        sound += [0.3 * np.hanning(1000) * tone, np.zeros(225)]
        spans.append((at / RATE, (at + 1000) / RATE))
        at += 1225
    noise = np.random.default_rng(0).normal(size=at) * 1e-3
    found = trained.predict(np.concatenate(sound) + noise, rate=RATE)
    assert found.text == "adb"
    for heard, (start, end) in zip(found.characters, spans, strict=True):
        # A network that reads in both directions may speak up a little early or late.
        assert start - 0.08 <= heard.start < heard.end <= end + 0.08


def test_candidates_are_ranked_and_different(trained, held):
    found = trained.predict(held[0][0], beam_width=5)
    texts = [c.text for c in found.candidates]
    assert texts[0] == found.text and 1 < len(set(texts)) == len(texts) <= 5
    scores = [c.score for c in found.candidates]
    assert scores == sorted(scores, reverse=True) and scores[0] == found.score
    (only,) = trained.predict(held[0][0], beam_width=1).candidates
    assert only.score <= found.score + 1e-3


def test_words_and_characters_go_together(trained, held):
    for path, _ in held[:6]:
        found = trained.predict(path)
        assert "".join(c.text for c in found.characters) == found.text
        assert [word.text for word in found.words] == found.text.split()


def test_answers_can_be_drawn_and_shown(trained, held, tmp_path):
    pytest.importorskip("matplotlib")
    found = trained.predict(held[0][0])
    found.plot().savefig(tmp_path / "heard.png")
    assert (tmp_path / "heard.png").read_bytes().startswith(b"\x89PNG")
    letters = {text.get_text() for text in found.plot().axes[0].texts}
    assert letters == set(found.text)
    assert found.to_html().count("<span") == len(found.words)
    empty = trained.predict(np.zeros(0), rate=RATE)
    assert str(empty) == "(nothing heard)"
    empty.plot()


# === Lexicon ===


@pytest.fixture(scope="module")
def few_words(trained, held, tmp_path_factory):
    """The same recognizer with half of the words of the recordings held out."""
    saved = trained.save(tmp_path_factory.mktemp("lexicon") / "free")
    words = sorted({word for _, text in held for word in text.split()})[::2]
    return zoo.load(saved, lexicon=words)


def test_nothing_but_words_of_a_lexicon_is_heard(trained, few_words, held):
    words, paths = set(few_words.options["lexicon"]), [path for path, _ in held]
    results = few_words.predict(paths)
    assert {w.text for result in results for w in result.words} <= words
    texts = {c.text for result in results for c in result.candidates}
    assert len(texts) > 10 and {w for text in texts for w in text.split()} <= words
    # What is in the lexicon is heard as before.
    free = trained.predict(paths)
    known = [n for n, r in enumerate(free) if set(r.text.split()) <= words]
    assert len(known) > 2
    assert all(results[n].text == free[n].text for n in known)
    # Where only these words are said, it can but help.
    possible = [(path, text) for path, text in held if set(text.split()) <= words]
    scores = few_words.evaluate(possible)
    assert scores["wer"] <= trained.evaluate(possible)["wer"] < 0.5


def test_a_lexicon_is_saved_and_can_be_lifted(trained, few_words, held, tmp_path):
    paths = [path for path, _ in held]
    saved = few_words.save(tmp_path / "held")
    again, free = zoo.load(saved), zoo.load(saved, lexicon=None)
    texts = [result.text for result in few_words.predict(paths)]
    assert texts == [result.text for result in again.predict(paths)]
    lifted = [result.text for result in free.predict(paths)]
    assert texts != lifted == [result.text for result in trained.predict(paths)]


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="for its graphs")
def test_an_exported_recognizer_keeps_its_lexicon(few_words, held, tmp_path):
    import tensorflow as tf

    few_words.export(tmp_path / "served")
    serve = tf.saved_model.load(tmp_path / "served").signatures["serving_default"]
    for path, _ in held[:5]:
        (samples,) = few_words.listener.samples([path])
        answer = serve(
            samples=tf.constant(samples[None]), lengths=tf.constant([len(samples)])
        )
        assert answer["text"].numpy()[0].decode() == few_words.predict(path).text


def test_strange_recordings_have_an_answer_with_a_lexicon(few_words):
    assert few_words.predict(np.zeros(0), rate=RATE).text == ""
    noise = np.random.default_rng(0).normal(size=RATE) * 0.1
    words = set(few_words.options["lexicon"])
    for samples in (np.zeros(RATE), noise):
        found = few_words.predict(samples, rate=RATE)
        assert np.isfinite(found.score) and set(found.text.split()) <= words


def test_a_lexicon_needs_a_search_and_known_letters(few_words, train):
    with pytest.raises(ValueError, match="With a lexicon `beam_width` must be 2"):
        few_words.predict(np.zeros(RATE), rate=RATE, beam_width=1)
    with pytest.raises(ValueError, match="the word 'axe' with 'ex'; this recognizer"):
        make(train, lexicon=["ab", "axe"])
    with pytest.raises(TypeError, match="must be a list of words. Received: 'ab'"):
        make(train, lexicon="ab")


def test_words_to_learn_must_be_in_the_lexicon(train):
    words = {word for _, text in train[:2] for word in text.split()}
    task = make(train, lexicon=sorted(words))
    task.fit(train[:2], **{**TRAINING, "epochs": 1})
    strange = next(pair for pair in train if set(pair[1].split()) - words)
    with pytest.raises(ValueError, match="Example 1 has the word .*`lexicon=None`"):
        task.fit([train[0], strange], **TRAINING)


# === Training ===


def test_too_little_sound_for_a_text_is_told(train):
    short = (np.zeros(800), RATE)
    with pytest.raises(ValueError, match="Example 1 is too short .*'abcdabcd'"):
        make(train).fit([train[0], (short, "abcdabcd")], **TRAINING)


def test_unknown_characters_are_told(train):
    with pytest.raises(ValueError, match="Example 0 has the character 'x'; this rec"):
        make(train).fit([(train[0][0], "ax")], **TRAINING)


def test_recordings_to_learn_from_must_not_be_too_long(train):
    task = make(train, max_seconds=1)
    long = (np.zeros(2 * RATE), RATE)
    with pytest.raises(ValueError, match="Example 0 lasts 2.0 s.*max_seconds=1"):
        task.fit([(long, "a")], **TRAINING)


@pytest.mark.slow
def test_silence_can_be_learnt(train):
    """A text may be empty: its row has a loss, padding rows have none."""
    task = make(train)
    silence = ((np.random.default_rng(0).normal(size=4000) * 1e-3, RATE), "")
    task.fit([silence, train[0]], **{**TRAINING, "epochs": 1})
    assert all(np.isfinite(w).all() for w in task.model.get_weights())


def test_padding_changes_neither_answers_nor_loss(train):
    task = make(train, reduction="convolution", time_reduction=3)
    features = task.log_mel.of(task.listener.samples([p for p, _ in train[:3]]))
    ids = [task.speller.encode(text) for _, text in train[:3]]
    inputs, _ = SpeechBatches(features, ids, 4, reduction=3)[0]
    wide = dict(inputs)
    more = ((0, 0), (5, 31))
    wide["features"] = np.pad(inputs["features"], (*more, (0, 0)), constant_values=9.0)
    # The padding on the left is a whole step and a part of one.
    wide["features"] = np.roll(wide["features"], 1, 1)
    wide["mask"] = np.roll(np.pad(inputs["mask"], more), 1, 1)
    given = {k: v for k, v in wide.items() if not k.startswith("target")}
    plain = {k: v for k, v in inputs.items() if not k.startswith("target")}
    found, wanted = map(task.model.predict_on_batch, (given, plain))
    x, y = (a["log_probabilities"][a["mask"]] for a in (found, wanted))
    np.testing.assert_allclose(x, y, atol=1e-5)
    losses = [task.training_model.predict_on_batch(i) for i in (wide, inputs)]
    np.testing.assert_allclose(*losses, rtol=1e-5)


def test_an_encoder_serves_another_alphabet(trained):
    data = [((np.zeros(4000), RATE), "xyz")]
    task = make(data)
    assert set(take_encoder(task, trained)) == {"reduction", "encoder"}
    for name in ("reduction", "encoder"):
        pairs = (m.get_layer(name).get_weights() for m in (task.model, trained.model))
        for a, b in zip(*pairs, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"layer": "qrnn", "layer_options": {"window": 2}, "num_layers": 2},
        {"layer": "zoneout_lstm", "bidirectional": False, "reduction": "stack"},
        {"layer": "ind_rnn", "num_layers": 2, "connection": "residual"},
        {"normalization": "corpus", "time_reduction": 3},
    ],
    ids=str,
)
def test_any_layer_learns(options, train, held):
    task = make(train, **options)
    task.fit(train, **{**TRAINING, "epochs": 25, "learning_rate": 0.01})
    assert task.evaluate(held)["cer"] < 0.2


def test_a_scaler_of_the_data_is_saved(train, tmp_path):
    task = make(train, normalization="corpus")
    features = task.log_mel.of(task.listener.samples([p for p, _ in train]))
    whole = np.concatenate(features)
    np.testing.assert_allclose(whole.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(whole.std(0), 1, atol=1e-3)
    again = zoo.load(task.save(tmp_path / "saved"))
    np.testing.assert_array_equal(again.scaler, task.scaler)


@pytest.mark.parametrize(
    "options, words",
    [
        ({"unist": 3}, "unist.*units"),
        ({"normalization": "none"}, "normalization.*utterance"),
        ({"reduction": "skip"}, "reduction.*stack"),
        ({"time_reduction": 0}, "time_reduction"),
        ({"num_mels": 500}, "500 bands are more than"),
        ({"sample_rate": 0}, "sample_rate"),
        ({"step": 0.5}, "step <= window"),
        ({"max_seconds": 0}, "max_seconds"),
    ],
)
def test_wrong_options_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        SpeechRecognizer(Vocabulary("ab "), **{**TINY, **options})


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"monitor": "were"}, "monitor.*wer"),
        ({"time_mask": 2}, "time_mask"),
        ({"warp": -1}, "warp"),
    ],
)
def test_wrong_arguments_of_training_are_refused(arguments, words, train, trained):
    with pytest.raises(ValueError, match=words):
        trained.fit(train, **arguments)


@pytest.mark.parametrize("width", [0, 2.5, True])
def test_a_beam_width_must_be_a_positive_integer(trained, width):
    with pytest.raises(ValueError, match="beam_width"):
        trained.predict(np.zeros(100), rate=RATE, beam_width=width)


def test_models_read_what_their_features_are(trained):
    assert trained.model.input["features"].shape[-1] == TINY["num_mels"]
    assert isinstance(trained.log_mel, LogMel)
    buffer = io.BytesIO()
    write_wav_to(buffer)
    assert trained.predict(buffer.getvalue()).seconds == 1.0


def write_wav_to(stream):
    with wave.open(stream, "wb") as file:
        file.setparams((2, 2, 16_000, 0, "NONE", ""))
        file.writeframes(bytes(16_000 * 2 * 2))
