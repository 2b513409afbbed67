"""The tagger of entities: what all tasks promise, and what it alone does."""

import itertools
from collections import Counter

import keras
import numpy as np
import pytest

import zoo
from tasks.data.conll import write_conll
from tasks.data.vocabulary import Vocabulary
from tasks.ner import NamedEntityTagger
from tests.task_contract import (
    TaskContract,
    TextInputs,
    assert_alike,
    assert_same_weights,
    weights,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)

LABELS = ["person", "place"]
PERSONS = [("Ada", "Lovelace"), ("Alan", "Turing"), ("Grace",), ("Edsger", "Dijkstra")]
PLACES = [("London",), ("New", "York"), ("Paris",), ("Rio", "de", "Janeiro")]
FRAMES = [
    "PERSON lives in PLACE .",
    "in PLACE it rains",
    "yesterday we saw PERSON near the river",
    "PERSON met PERSON in PLACE and they went home together",
    "nothing is here to see",
    "is PLACE larger than PLACE ?",
]
TINY = dict(
    word_length=8,
    embedding_dim=8,
    char_embedding_dim=4,
    char_units=8,
    casing_dim=2,
    units=8,
    dropout=0.1,
    zoneout_h=0.05,
    zoneout_c=0.1,
)
TRAINING = dict(epochs=6, batch_size=8, learning_rate=0.03, verbose=0)


def sentences():
    """Synthetic tagged sentences, always the same."""
    random, found = np.random.default_rng(0), []
    fillers = {"PERSON": PERSONS, "PLACE": PLACES}
    for frame in itertools.islice(itertools.cycle(FRAMES), 144):
        tokens, tags = [], []
        for word in frame.split():
            if word in fillers:
                name = fillers[word][random.integers(4)]
                tokens += name
                tags += [f"B-{word.lower()}"] + [f"I-{word.lower()}"] * (len(name) - 1)
            else:
                tokens.append(word)
                tags.append("O")
        found.append((tokens, tags))
    return found


SENTENCES = sentences()
TRAIN, HELD_OUT = SENTENCES[:96], SENTENCES[96:]


def make(labels=LABELS, **options):
    keras.utils.set_random_seed(1)
    tokens = [token for sentence, _ in TRAIN for token in sentence]
    words = Vocabulary.build(Counter(t.lower() for t in tokens))
    characters = Vocabulary.build(Counter("".join(tokens)))
    return NamedEntityTagger(labels, words, characters, **{**TINY, **options})


@pytest.fixture(scope="module")
def trained():
    tagger = make()
    tagger.fit(TRAIN, **TRAINING)
    return tagger


@pytest.fixture(scope="module")
def one_epoch(tmp_path_factory):
    start = make().save(tmp_path_factory.mktemp("ner") / "start")
    tagger = zoo.load(start)
    tagger.fit(TRAIN, **{**TRAINING, "epochs": 1})
    return start, tagger


def with_offsets(tokens, tags):
    """The same sentence as a text with entities at characters."""
    text, entities, position = " ".join(tokens), [], 0
    for token, tag in zip(tokens, tags, strict=True):
        end = position + len(token)
        if tag[0] == "B":
            entities.append((position, end, tag[2:]))
        elif tag[0] == "I":
            entities[-1] = (entities[-1][0], end, tag[2:])
        position = end + 1
    return text, entities


def in_iobes(tags):
    following = [*tags[1:], "O"]
    ends = [f"I-{tag[2:]}" != after for tag, after in zip(tags, following, strict=True)]
    last = {"B": "S", "I": "E", "O": "O"}
    return [
        last[tag[0]] + tag[1:] if end else tag
        for tag, end in zip(tags, ends, strict=True)
    ]


class TestNamedEntityTagger(TextInputs, TaskContract):
    score, enough = "f1", 0.9
    training = TRAINING
    new_head, head = {"labels": ["DRUG", "DOSE", "ROUTE"]}, NamedEntityTagger.head
    trained_form = "a dataset"

    def make(self, **options):
        return make(**options)

    def data(self):
        return TRAIN

    def held_out(self):
        return HELD_OUT

    def data_forms(self, folder):
        import tensorflow as tf

        write_conll(folder / "train.conll", TRAIN)
        parts = tf.TensorSpec((None,), tf.string)
        return {
            "tuples": tuple((tuple(tokens), tuple(tags)) for tokens, tags in TRAIN),
            "a file": folder / "train.conll",
            "the name of a file": str(folder / "train.conll"),
            "texts with offsets": [with_offsets(*pair) for pair in TRAIN],
            "IOBES": [(tokens, in_iobes(tags)) for tokens, tags in TRAIN],
            "a dataset": tf.data.Dataset.from_generator(
                lambda: iter(TRAIN), output_signature=(parts, parts)
            ),
            "a ragged dataset": tf.data.Dataset.from_tensor_slices(
                tuple(tf.ragged.constant([p[i] for p in TRAIN]) for i in (0, 1))
            ),
        }

    def inputs(self):
        return [" ".join(tokens) for tokens, _ in HELD_OUT[:7]] + ["Ada"]

    def prepared(self, task):
        tokens = [tokens for tokens, _ in HELD_OUT[:5]]
        return task.features.encode(tokens, 16, rows=6)

    def check_answer(self, text, result):
        assert result.text == text
        assert len(result.tokens) == len(result.tags) == len(result.scores)
        assert bool(result.tokens) == bool(result.scores)
        for entity in result.entities:
            assert text[entity.start : entity.end] == entity.text
            assert entity.label in LABELS
        assert all(0 <= score <= 1 for score in result.scores)


def test_tokens_are_tagged_as_their_text_is(trained):
    tokens = [tokens for tokens, _ in HELD_OUT[:6]]
    texts = trained.predict([" ".join(t) for t in tokens])
    found = trained.predict(tokens)
    assert_alike([r.to_dict() for r in found], [r.to_dict() for r in texts])


def test_every_token_has_a_tag(trained):
    tokens = ["Ada", "", " ", "\n", "Lovelace", "in", "\ud800", "Rio"] * 40
    result = trained.predict([tokens])[0]
    assert list(result.tokens) == tokens
    assert len(result.tags) == len(tokens)


def test_no_tokens_have_no_tags(trained):
    assert list(trained.predict([[]])[0].tags) == []


def test_entities_point_at_the_text(trained):
    text = "we  saw\tAda Lovelace\nnear   New York"
    result = trained.predict(text)
    assert [(e.text, e.label) for e in result] == [
        ("Ada Lovelace", "person"),
        ("New York", "place"),
    ]
    for entity in result:
        assert text[entity.start : entity.end] == entity.text


def test_lines_are_read_on_their_own(trained):
    lines = ["Ada lives in Rio", "", "we saw Grace in Paris"]
    single = [e.text for line in lines for e in trained.predict(line)]
    assert [e.text for e in trained.predict("\n".join(lines))] == single


def test_unknown_words_get_scores(trained):
    result = trained.predict("zxqv wvkj pqqz")
    assert len(result.scores) == 3
    assert all(0 < score <= 1 for score in result.scores)


def test_evaluate_names_the_scores_of_the_field(trained):
    scores = trained.evaluate(HELD_OUT)
    fields = {"f1", "precision", "recall", "surface_f1", "f1_person", "f1_place"}
    assert fields <= set(scores)


@pytest.mark.parametrize("data", [[], [([], [])]], ids=str)
def test_nothing_to_evaluate_is_told(trained, data):
    with pytest.raises(ValueError, match="`data` is empty"):
        trained.evaluate(data)


def test_labels_that_a_tagger_does_not_know_are_missed(trained):
    scores = trained.evaluate([(["Aspirin"], ["B-DRUG"])])
    assert scores["f1_DRUG"] == scores["recall"] == 0.0


def test_unknown_labels_are_told_what_to_do():
    with pytest.raises(ValueError, match=r"'DRUG'.*zoo\.load\(name, labels="):
        make().fit([(["Aspirin"], ["B-DRUG"])], **TRAINING)


def test_unknown_labels_in_validation_data_are_refused():
    with pytest.raises(ValueError, match="'DRUG'"):
        make().fit(TRAIN, [(["Aspirin"], ["B-DRUG"])], **TRAINING)


def test_tokens_without_tags_are_refused():
    with pytest.raises(ValueError, match="Example 1 has 2 tokens and 1 tags"):
        make().fit([(["a"], ["O"]), (["a", "b"], ["O"])], **TRAINING)


@pytest.mark.parametrize(
    "options",
    [
        {"units": 0},
        {"char_encoder": "gru"},
        {"crff": 1},
        {"layer": "lstmm"},
        {"zoneout_h": 0.1, "layer": "qrnn"},
        {"own_word_dropout": 1.5},
    ],
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        make(**options)


def test_words_lose_their_own_vectors_in_training_alone():
    tagger = make(own_word_dropout=0.4)
    forgetting = tagger.training_model.get_layer("own_word_dropout")
    assert forgetting.rate == 0.4
    assert tagger.model.get_layer("own_word_dropout") is forgetting
    answers = [tagger.predict("Ada lives in Rio").to_dict() for _ in range(2)]
    assert answers[0] == answers[1]


def test_one_label_alone_must_be_a_list():
    with pytest.raises(ValueError, match="list of names.*'DRUG'"):
        make(labels="DRUG")


def test_there_must_be_a_label():
    with pytest.raises(ValueError, match="`labels` is empty"):
        make(labels=[])


def test_the_best_epoch_is_kept(monkeypatch):
    tagger, seen = make(), []
    scores = iter([0.1, 0.7, 0.3])

    def evaluate(data):
        seen.append(weights(tagger))
        return {"f1": next(scores)}

    monkeypatch.setattr(tagger, "evaluate", evaluate)
    history = tagger.fit(TRAIN, HELD_OUT, **{**TRAINING, "epochs": 3})
    assert history.history["val_f1"] == [0.1, 0.7, 0.3]
    for got, best in zip(weights(tagger), seen[1], strict=True):
        np.testing.assert_array_equal(got, best)


def test_a_finished_run_is_not_done_again(one_epoch, tmp_path):
    arguments = {**TRAINING, "epochs": 2, "resume_dir": tmp_path / "state"}
    first, second = zoo.load(one_epoch[0]), zoo.load(one_epoch[0])
    wanted = first.fit(TRAIN, HELD_OUT, **arguments).history
    steps = Steps()
    got = second.fit(TRAIN, HELD_OUT, **arguments, callbacks=[steps]).history
    assert steps.count == 0
    assert got == wanted
    assert_same_weights(second, first)
    with pytest.raises(ValueError, match="another run: `data`"):
        second.fit([*TRAIN[:-1], HELD_OUT[0]], HELD_OUT, **arguments)


class Steps(keras.callbacks.Callback):
    count = 0

    def on_train_batch_end(self, batch, logs=None):
        self.count += 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"crf": False, "char_encoder": None, "casing_dim": 0, "num_layers": 2},
        {"layer": "qrnn", "zoneout_h": 0.0, "zoneout_c": 0.0},
        {"char_encoder": "lstm", "recurrent_dropout": 0.1, "zoneout_c": 0.0},
    ],
    ids=["softmax, no characters, two layers", "QRNN", "characters by LSTM"],
)
def test_every_make_trains_and_saves(options, tmp_path):
    tagger = make(**options)
    before = weights(tagger)
    history = tagger.fit(TRAIN, **{**TRAINING, "epochs": 1}).history
    assert np.isfinite(history["loss"]).all()
    for old, new in zip(before, weights(tagger), strict=True):
        assert not np.array_equal(old, new)
    loaded = zoo.load(tagger.save(tmp_path / "saved"))
    assert loaded.options == tagger.options
    texts = [" ".join(tokens) for tokens, _ in HELD_OUT[:4]]
    wanted = [r.to_dict() for r in tagger.predict(texts)]
    assert_alike([r.to_dict() for r in loaded.predict(texts)], wanted)


def test_without_a_crf_tags_are_legal_still():
    tagger = make(crf=False, dropout=0.0)
    for tokens, _ in HELD_OUT[:12]:
        before = "O"
        for tag in tagger.predict([tokens])[0].tags:
            assert tag[0] != "I" or before[2:] == tag[2:]
            before = tag


def test_a_tagger_with_a_new_head_learns_its_labels(trained, tmp_path):
    tagger = zoo.load(trained.save(tmp_path / "saved"), labels=["WHO", "WHERE"])
    names = {"person": "WHO", "place": "WHERE"}
    data = [
        (tokens, [t if t == "O" else t[:2] + names[t[2:]] for t in tags])
        for tokens, tags in TRAIN
    ]
    tagger.fit(data, **{**TRAINING, "epochs": 4})
    assert tagger.evaluate(data)["f1"] > 0.9


def test_the_same_labels_in_another_order_get_a_new_head(trained, tmp_path):
    tagger = zoo.load(trained.save(tmp_path / "saved"), labels=LABELS[::-1])
    old, new = (t.model.get_layer("logits").get_weights()[0] for t in (trained, tagger))
    assert not np.array_equal(old, new)


def test_examples_are_saved_with_their_answers(tmp_path):
    tagger = make()
    tagger.show_examples(["Ada lives in Rio"])
    preset = zoo.preset.read_preset(tagger.save(tmp_path / "saved"))
    wanted = tagger.predict("Ada lives in Rio").to_dict()
    assert_alike(preset.examples, [wanted])


def bias_of(tagger):
    return tagger.model.get_layer("logits").get_weights()[1]


def test_balance_moves_the_score_of_outside_alone():
    tagger = make()
    before = bias_of(tagger)
    assert tagger.balance(HELD_OUT, [-1.5]) == -1.5
    np.testing.assert_allclose(bias_of(tagger) - before, [-1.5, 0, 0, 0, 0], atol=1e-6)


def test_balance_takes_the_best_shift(monkeypatch):
    tagger = make()
    before = bias_of(tagger)[0]
    monkeypatch.setattr(
        tagger, "evaluate", lambda _: {"f1": -abs(bias_of(tagger)[0] - before + 1)}
    )
    assert tagger.balance(HELD_OUT, [0.0, -0.5, -1.0, -2.0]) == -1.0
    assert bias_of(tagger)[0] == pytest.approx(before - 1.0)


def test_export_says_what_numbers_mean(trained, tmp_path):
    trained.export(tmp_path / "exported")
    extra = tmp_path / "exported" / "assets.zoo"
    assert (extra / "tags.txt").read_text().split() == trained.tags
    words = Vocabulary.from_text((extra / "words.txt").read_text("utf-8"))
    assert words == trained.features.words
