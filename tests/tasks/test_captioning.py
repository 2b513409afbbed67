"""The captioner: what all tasks promise, and what it alone does."""

import base64
import io
import json
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import zoo
from tasks.captioning import Captioner
from tasks.data.caption_words import END, CaptionCoder, caption_text
from tasks.data.captions import CaptionBatches, captions_from
from tasks.data.pictures import picture_array
from tasks.data.vocabulary import Vocabulary
from tasks.decoding.beam import BeamSearch
from tasks.picture_export import squeezed, texts_of
from tasks.pictures import convert
from tasks.pictures.published import load_net
from tests.task_contract import (
    FileInputs,
    TaskContract,
    assert_same_weights,
    run_python,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)

# Walls of one colour, or of two that meet anywhere.
COLOURS = {
    "red": (225, 30, 30),
    "green": (20, 190, 40),
    "blue": (30, 40, 230),
    "yellow": (235, 225, 30),
}
TINY = dict(
    picture_size=32,
    feature_options={"blocks": 2, "width": 0.5, "head": False},
    layer="gru",
    units=32,
    embedding_dim=16,
    region_dim=32,
    attention_units=16,
    dropout=0.05,
    max_words=8,
)
TRAINING = dict(epochs=16, batch_size=16, learning_rate=0.02, mirror=False, verbose=0)


def wall(one, other, random):
    """A picture of a wall, with some noise; and its captions."""
    size = random.integers(24, 48, 2)
    pixels = np.empty((*size, 3))
    pixels[:] = COLOURS[one]
    pixels[:, size[1] * 4 // 9 :] = COLOURS[other]
    pixels += random.normal(0, 6, pixels.shape)
    pixels = np.clip(pixels, 0, 255).astype("uint8")
    names = sorted({one, other})
    return pixels, [f"a {' and '.join(names)} wall", f"{' and '.join(names)}"]


def examples(folder, count, seed):
    """Pictures in files, as `fit` takes them."""
    random, found = np.random.default_rng(seed), []
    folder.mkdir()
    pairs = [(a, b) for a in COLOURS for b in COLOURS if a <= b]
    for number in range(count):
        pixels, captions = wall(*pairs[number % len(pairs)], random)
        path = folder / f"{number:03d}.png"
        Image.fromarray(pixels).save(path)
        found.append((str(path), captions))
    return found


def make(data, seed=1, **options):
    keras.utils.set_random_seed(seed)
    return Captioner.for_data(data, picture_weights="random", **{**TINY, **options})


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    return examples(tmp_path_factory.mktemp("data") / "train", 80, 1)


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


@pytest.fixture(scope="module")
def both(trained, tmp_path_factory):
    """The trained captioner, looking at a picture's mirror image, too."""
    folder = trained.save(tmp_path_factory.mktemp("once") / "task")
    return zoo.load(folder, mirrored=True)


_SERVE_PICTURES = """
import json, sys
import numpy as np
import tensorflow as tf
folder, pictures = sys.argv[1:]
served, found = tf.saved_model.load(folder).signatures, {}
for name, array in np.load(pictures).items():
    kind = "floats" if array.dtype == "float32" else "serving_default"
    answer = served[kind](pictures=tf.constant(array))
    texts = [text.decode() for text in answer["text"].numpy().tolist()]
    found[name] = [texts, answer["score"].numpy().tolist()]
assert not {"zoo", "tasks", "tensorflow_text"} & set(sys.modules)
print(json.dumps(found))
"""


class TestCaptioner(FileInputs, TaskContract):
    media_type = "image/png"
    variant = True
    costly = (
        *TaskContract.costly,
        "test_saves_and_loads",
        "test_an_untrained_task",
        "test_small_batches",
    )
    score, enough, watched = "bleu_4", 80.0, "bleu_4"
    training = TRAINING
    trained_form = "a dataset"
    tolerance = 1e-3

    def make(self, **options):
        return make(self.train, **options)

    def data_forms(self, folder):
        import tensorflow as tf

        rows = [(path, text) for path, texts in self.train for text in texts]
        lines = [f"{path},{text}\n" for path, text in rows]
        (folder / "captions.csv").write_text("image,caption\n" + "".join(lines))
        (folder / "one.tsv").write_text("".join(f"{p}\t{t}\n" for p, t in rows))
        paths, texts = zip(*self.train, strict=True)
        return {
            "a folder with a table": folder,
            "a table with tabs": folder / "one.tsv",
            "single captions": rows,
            "a tuple": tuple(self.train),
            "a dataset": tf.data.Dataset.from_tensor_slices((list(paths), list(texts))),
        }

    def prepared(self, task):
        arrays = task.reader.arrays(self.inputs()[:3]).astype("float32")
        ids = np.array([[0, 3, 4], [0, 5, 6], [0, 3, 0]], "int32")
        return {"pictures": arrays, "target_ids": ids, "target_mask": ids >= 0}

    @pytest.mark.parametrize("beam_width", [1, 3])
    def test_exported_model_serves_without_the_zoo(self, trained, tmp_path, beam_width):
        """Pictures in, strings out, in a process that knows nothing of the package."""
        random = np.random.default_rng(3)
        made = trained.reader.arrays(self.inputs())
        given = {"made": made, "floats": (made / 255).astype("float32")}
        for name, shape in {
            "large": (81, 60),
            "wide": (20, 90),
            "tiny": (1, 1),
        }.items():
            given[name] = random.integers(0, 256, (2, *shape, 3)).astype("uint8")
        np.savez(tmp_path / "given.npz", **given)
        trained.export(tmp_path / "exported", beam_width=beam_width)
        process = run_python(
            _SERVE_PICTURES, tmp_path / "exported", tmp_path / "given.npz"
        )
        assert process.returncode == 0, process.stderr[-2000:]
        for name, (texts, scores) in json.loads(process.stdout).items():
            wanted = trained.predict(list(given[name]), beam_width=beam_width)
            assert texts == [result.text for result in wanted], name
            # Where pictures must be resized, a bit of them may differ.
            close = 1e-4 if name in ("made", "floats") else 0.05
            np.testing.assert_allclose(scores, [r.score for r in wanted], atol=close)

    def test_lengths_do_not_pile_up_traces(self, trained):
        """Any number of pictures, of any size, is answered in one of two shapes."""

        def traces():
            functions = trained.parts.net.predict_function, *searches.values()
            return [
                f.experimental_get_tracing_count()
                for f in functions
                if hasattr(f, "experimental_get_tracing_count")
            ]

        searches = trained._run._compiled
        trained.predict(self.inputs()[:1], batch_size=4)
        before = traces()
        for count in range(1, 6):
            trained.predict(self.inputs()[:count], batch_size=4)
            trained.predict([np.zeros((count, 9, 3))] * count, batch_size=4)
        assert sum(traces()) - sum(before) <= 4


def test_it_tells_what_is_in_the_picture(trained):
    random = np.random.default_rng(5)
    for one, other in (("red", "red"), ("blue", "yellow"), ("green", "red")):
        pixels, captions = wall(one, other, random)
        assert trained.predict(pixels).text in captions


def test_attention_is_over_regions_of_the_picture(trained, held):
    found = trained.predict(held[0][0])
    assert found.attention.shape == (len(found.words), *trained.parts.grid)
    np.testing.assert_allclose(found.attention.sum((1, 2)), 1, atol=1e-4)


class TestMirrored:
    """Both sides of a picture, with weights that were trained to look at one."""

    def test_a_picture_and_its_mirror_image_are_answered_alike(self, both, trained):
        pixels, captions = wall("blue", "yellow", np.random.default_rng(5))
        ways = [pixels, pixels[:, ::-1]]
        one, other = both.predict(ways)
        assert one.text == other.text and one.text in captions
        np.testing.assert_allclose(one.score, other.score, atol=1e-4)
        # Which says something: looking once, they are not.
        once = [result.score for result in trained.predict(ways)]
        assert abs(once[0] - once[1]) > 1e-3

    def test_attention_is_over_the_picture(self, both):
        pixels, _ = wall("red", "green", np.random.default_rng(6))
        one, other = both.predict([pixels, pixels[:, ::-1]])
        assert one.attention.shape == (len(one.words), *both.parts.grid)
        np.testing.assert_allclose(one.attention.sum((1, 2)), 1, atol=1e-4)
        mirrored = other.attention[:, :, ::-1]
        np.testing.assert_allclose(one.attention, mirrored, atol=1e-4)
        assert np.abs(one.attention - other.attention).max() > 1e-3

    def test_it_scores_and_is_saved(self, both, held, tmp_path):
        again = zoo.load(both.save(tmp_path / "both"))
        assert again.evaluate(held) == both.evaluate(held)
        assert again.evaluate(held)["bleu_4"] > 80

    def test_it_reads_and_exports_what_it_searches(self, both, held, tmp_path):
        import tensorflow as tf

        paths = [path for path, _ in held[:3]]
        found = both.predict(paths)
        for result in found:
            assert -both.scorer.loss(
                captions_from([(result.picture, result.text)]),
                both.reader.read([result.picture]),
            ) * (len(result.words) + 1) == pytest.approx(
                result.log_probability, abs=2e-2
            )
        both.export(tmp_path / "exported")
        serve = tf.saved_model.load(tmp_path / "exported").signatures["serving_default"]
        texts = serve(pictures=tf.constant(both.reader.arrays(paths)))["text"]
        assert [t.decode() for t in texts.numpy()] == [r.text for r in found]


def test_every_form_of_a_picture_is_answered_alike(trained, held):
    path = held[0][0]
    raw = Path(path).read_bytes()
    image = Image.open(io.BytesIO(raw))
    text = f"data:image/png;base64,{base64.b64encode(raw).decode()}"
    forms = [path, raw, text, image, np.asarray(image), np.asarray(image) / 255]
    results = trained.predict(forms)
    assert {result.text for result in results} == {trained.predict(path).text}
    assert len({round(result.log_probability, 3) for result in results}) == 1


def test_what_was_done_before_a_broken_picture_is_kept(trained, held, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(Path(held[0][0]).read_bytes()[:200])
    pictures = [path for path, _ in held] * 2
    given = [*pictures, broken, pictures[0]]
    with pytest.raises(ValueError, match=r"broken\.png cannot be read") as caught:
        trained.predict(given, output=tmp_path / "out.tsv")
    wanted = [r.text for r in trained.predict(pictures)]
    assert [r.text for r in caught.value.results] == wanted
    lines = (tmp_path / "out.tsv").read_text().splitlines()
    assert lines == [f"{p}\t{t}" for p, t in zip(pictures, wanted, strict=True)]


def test_a_missing_picture_is_named(trained, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.png"):
        trained.predict(tmp_path / "nowhere.png")


def test_pictures_of_any_size_are_answered(trained):
    for shape in ((1, 1, 3), (1, 400, 3), (300, 2), (5, 5, 4)):
        assert trained.predict(np.zeros(shape, "uint8")).text


def test_captions_are_drawn_by_picture_and_seed_alone(trained, held):
    pictures, chance = [path for path, _ in held[:6]], {"temperature": 3.0}
    together = trained.predict(pictures, beam_width=2, **chance, seed=1)
    for picture, among in zip(pictures, together, strict=True):
        alone = trained.predict(picture, beam_width=2, **chance, seed=1)
        assert [c.text for c in alone.candidates] == [c.text for c in among.candidates]
        assert among.text  # there is a word before the end
    other = trained.predict(pictures, beam_width=2, **chance, seed=2)
    assert [r.text for r in other] != [r.text for r in together]
    with pytest.raises(ValueError, match="give a `temperature`"):
        trained.predict(pictures[0], top_p=0.5)


def test_candidates_are_ranked_and_scored_by_the_model(trained, held):
    found = trained.predict(held[3][0])
    scores = [c.score for c in found.candidates]
    assert len(scores) == 5 and scores == sorted(scores, reverse=True)
    assert found.candidates[0].text == found.text
    for candidate in found.candidates[:2]:
        (example,) = captions_from([(held[3][0], candidate.text)])
        regions = trained.reader.read([example.picture])
        tokens = len(candidate.words) + 1
        loss = trained.scorer.loss([example], regions) * tokens
        assert candidate.log_probability == pytest.approx(-loss, abs=0.02)
        wanted = BeamSearch().score(candidate.log_probability, tokens)
        assert candidate.score == pytest.approx(float(wanted), rel=1e-4)


def test_the_loss_is_that_of_training_without_its_penalties(trained, held):
    found = captions_from(held)
    regions = trained.reader.read([example.picture for example in found])
    batches = CaptionBatches([regions], trained.scorer.encoded(found), 64)
    assert len(batches) == 1
    rows = np.asarray(trained.training_model.predict_on_batch(batches[0][0]))
    mean = float(np.sum(rows)) / len(rows)
    assert trained.scorer.loss(found, regions) == pytest.approx(mean, rel=1e-4)


def test_the_net_is_not_trained(trained, train):
    untrained = make(train)  # with the seed that the trained one began with
    for a, b in zip(
        untrained.parts.net.get_weights(), trained.parts.net.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(a, b)
    assert not trained.parts.net.trainable_weights


@pytest.mark.slow
def test_cached_regions_train_as_fresh_ones(one_epoch, train, tmp_path):
    start, wanted = one_epoch
    for _ in range(2):  # the second time from the cache
        task = zoo.load(start)
        task.fit(train, cache_dir=tmp_path, **{**TRAINING, "epochs": 1})
        assert_same_weights(task, wanted)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"attention": None},
        {"attention": "luong", "tied": False, "label_smoothing": 0.1},
        {"layer": "zoneout_lstm", "layer_options": {"zoneout_c": 0.2}},
        {"coverage_loss": 1.0},
        {"mirrored": True},
        {"scheduled_sampling": "linear"},
    ],
    ids=str,
)
def test_any_parts_learn(options, train, held):
    task = make(train, **options)
    before = task.evaluate(held)["loss"]
    task.fit(train, **{**TRAINING, "epochs": 6, "mirror": True})
    assert task.evaluate(held)["loss"] < 0.6 * before


@pytest.mark.slow
def test_exported_logits_are_those_of_the_model(trained, held, tmp_path):
    import tensorflow as tf

    arrays = trained.reader.arrays([path for path, _ in held[:3]]).astype("float32")
    ids = np.array([[0, 3, 4], [0, 5, 6], [0, 3, 0]], "int32")
    batch = {"pictures": arrays, "target_ids": ids, "target_mask": ids >= 0}
    trained.export(tmp_path / "exported", strings=False)
    exported = tf.saved_model.load(tmp_path / "exported")
    served = exported.serve({name: tf.constant(x) for name, x in batch.items()})
    for name, wanted in trained.model.predict_on_batch(batch).items():
        np.testing.assert_allclose(served[name], wanted, atol=1e-5)
    assert (tmp_path / "exported" / "assets.zoo" / "words.txt").is_file()


@pytest.mark.slow
def test_exported_floats_beyond_one_are_refused(trained, tmp_path):
    import tensorflow as tf

    trained.export(tmp_path / "exported", beam_width=1)
    exported = tf.saved_model.load(tmp_path / "exported")
    for wrong in (255.0, -0.1, np.nan):
        with pytest.raises(tf.errors.InvalidArgumentError, match="from 0 to 1"):
            exported.signatures["floats"](
                pictures=tf.fill((1, 8, 8, 3), tf.constant(wrong, "float32"))
            )


def test_words_are_put_together_in_a_graph_as_in_python():
    words = ["a", "dog", "'s", "n't", "it's", "'such", "do", "\u00e9t\u00e9", "'ll"]
    coder = CaptionCoder(Vocabulary((END, *words)))
    random = np.random.default_rng(0)
    ids = random.integers(2, len(coder.vocabulary), (50, 7)).astype("int32")
    kept = np.arange(7) < random.integers(0, 8, 50)[:, None]
    kept &= ids != coder.end
    wanted = [
        caption_text(coder.words(row[mask]))
        for row, mask in zip(ids, kept, strict=True)
    ]
    texts = texts_of(coder.vocabulary, ids, kept).numpy()
    assert [text.decode() for text in texts.tolist()] == wanted


@pytest.mark.parametrize("shape", [(32, 32), (81, 60), (20, 90), (1, 1), (47, 31)])
def test_pictures_are_resized_in_a_graph_as_by_pillow(shape):
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype("uint8")
    wanted = picture_array(pixels, 32).astype("float32")
    got = squeezed(pixels[None].astype("float32"), 32)[0].numpy()
    # Some halves are rounded otherwise.
    assert np.abs(got - wanted).max() <= (0 if shape == (32, 32) else 1)
    assert np.mean(got != wanted) < 0.005


def test_the_penalty_asks_to_look_everywhere(train):
    """It is the mean over regions of (1 - summed attention)^2."""
    plain, task = make(train), make(train, coverage_loss=3.0)
    regions = task.reader.read([train[0][0]])
    inputs, _ = CaptionBatches([regions], [[np.array([3, 4, 2])]], 1)[0]
    read = {k: v for k, v in inputs.items() if k != "targets"}
    answers = task.parts.reading_model.predict_on_batch(read)
    missing = (1 - np.asarray(answers["attention"])[0, :3].sum(0)) ** 2
    losses = [t.training_model.predict_on_batch(inputs)[0] for t in (plain, task)]
    assert losses[1] - losses[0] == pytest.approx(3 * missing.mean(), rel=1e-3)


def test_a_net_can_be_taken_from_another_captioner(trained, train, tmp_path):
    folder = trained.save(tmp_path / "saved")
    task = Captioner.for_data(train, picture_weights=folder, **TINY)
    wanted = trained.parts.net.get_weights()
    for a, b in zip(task.parts.net.get_weights(), wanted, strict=True):
        np.testing.assert_array_equal(a, b)
    other = {**TINY, "feature_options": {"blocks": 1}}
    with pytest.raises(ValueError, match="feature_options"):
        Captioner.for_data(train, picture_weights=folder, **other)


def test_a_net_can_be_read_from_a_converted_file(trained, train, tmp_path):
    trained.parts.net.save_weights(tmp_path / "net.weights.h5")
    task = make(train, seed=9)
    load_net(task.parts.net, task.options, tmp_path / "net.weights.h5")
    for a, b in zip(
        convert.convolutions(task.parts.net),
        convert.convolutions(trained.parts.net),
        strict=True,
    ):
        np.testing.assert_array_equal(a.get_weights()[0], b.get_weights()[0])


@pytest.mark.parametrize(
    "options, words",
    [
        ({"unist": 3}, "unist.*units"),
        ({"scheduled_sampling": "often"}, "scheduled_sampling"),
        ({"features": "mobilnet"}, "mobilnet.*mobilenet_v2"),
        ({"picture_size": 0}, "picture_size"),
        ({"attention": "soft"}, "attention"),
    ],
)
def test_wrong_options_are_refused(options, words, train):
    with pytest.raises(ValueError, match=words):
        make(train, **options)


def test_other_wrong_arguments_are_refused(trained, train):
    with pytest.raises(ValueError, match="monitor.*bleu_4"):
        trained.fit(train, monitor="blue_4")
    with pytest.raises(ValueError, match='"imagenet" are weights of'):
        Captioner.for_data(train, picture_weights="imagenet", **TINY)
    with pytest.raises(ValueError, match="no examples"):
        trained.evaluate([])
    with pytest.raises(ValueError, match=r"no words.*'\.\.\.'"):
        trained.fit([(train[0][0], "...")])
