"""What recipes are made of: runs, encoders that move, a baseline, pretraining."""

import argparse
import json

import keras
import numpy as np
import pytest

import zoo
from tasks.data.vocabulary import Vocabulary
from tasks.ner import NamedEntityTagger
from tasks.recipes import RECIPES, pretrain, tagging
from tasks.recipes import runs as recipe_runs
from zoo.preset import read_preset

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)

SIZES = dict(
    word_length=6,
    embedding_dim=8,
    char_embedding_dim=4,
    char_units=4,
    casing_dim=2,
    units=4,
)


class TestRecipes:
    def test_every_trained_model_has_one(self):
        assert set(zoo.list_models()) <= set(RECIPES)
        assert len(RECIPES) == len(list(RECIPES))

    @pytest.mark.parametrize("name", RECIPES)
    def test_a_recipe_says_its_name_and_can_run(self, name):
        recipe = RECIPES[name]
        assert recipe.NAME == name
        assert callable(recipe.run)
        assert recipe.__doc__

    @pytest.mark.parametrize("name", RECIPES)
    def test_arguments_have_defaults(self, name):
        parser = argparse.ArgumentParser()
        RECIPES[name].add_arguments(parser)
        assert parser.parse_args([]).epochs > 0

    @pytest.mark.parametrize("name", [n for n in RECIPES if n.startswith("ner_")])
    def test_each_variant_can_be_built(self, name):
        words, characters = Vocabulary(["ada"]), Vocabulary("ad")
        for variant in RECIPES[name].VARIANTS.values():
            NamedEntityTagger(
                RECIPES[name].LABELS, words, characters, **{**SIZES, **variant.options}
            )

    def test_unknown_names_are_missing(self):
        assert "ner" not in RECIPES
        with pytest.raises(KeyError, match="ner"):
            RECIPES["ner"]


class TestRuns:
    def test_a_run_gives_its_scores(self, tmp_path):
        scores = recipe_runs.Runs(tmp_path).run("full", 1, lambda *_: {"f1": 0.5})
        assert scores["f1"] == 0.5
        assert scores["seconds"] >= 0

    def test_a_run_has_a_folder_of_its_own(self, tmp_path):
        seen = []

        def train(folder, seed):
            seen.append((folder.relative_to(tmp_path).as_posix(), seed))
            return {"f1": 0.0}

        runs = recipe_runs.Runs(tmp_path)
        runs.run("no CRF", 1, train)
        runs.run("no CRF", 2, train)
        assert seen == [("no_CRF/1", 1), ("no_CRF/2", 2)]

    def test_a_finished_run_is_not_done_again(self, tmp_path):
        recipe_runs.Runs(tmp_path).run("full", 1, lambda *_: {"f1": 0.5})
        again = recipe_runs.Runs(tmp_path).run("full", 1, lambda *_: 1 / 0)
        assert again["f1"] == 0.5

    def test_a_run_that_failed_is_done_again(self, tmp_path):
        with pytest.raises(ZeroDivisionError):
            recipe_runs.Runs(tmp_path).run("full", 1, lambda *_: 1 / 0)
        again = recipe_runs.Runs(tmp_path).run("full", 1, lambda *_: {"f1": 0.5})
        assert again["f1"] == 0.5

    def test_the_seed_decides_what_is_random(self, tmp_path):
        def train(folder, seed):
            return {"f1": float(np.random.rand())}

        one, two = (recipe_runs.Runs(tmp_path / name) for name in "ab")
        assert one.run("x", 3, train)["f1"] == two.run("x", 3, train)["f1"]
        assert one.run("x", 4, train)["f1"] != one.run("x", 3, train)["f1"]

    def test_summary_is_mean_and_spread_in_the_order_of_seeds(self, tmp_path):
        runs = recipe_runs.Runs(tmp_path)
        for seed, f1 in ((10, 0.5), (2, 0.25), (1, 0.75)):
            runs.run("full", seed, lambda *_, f1=f1: {"f1": f1})
        runs.run("other", 1, lambda *_: {"f1": 0.0})
        assert runs.summary("full")["f1"] == {
            "mean": 0.5,
            "std": 0.25,
            "seeds": [1, 2, 10],
            "values": [0.75, 0.25, 0.5],
        }

    def test_one_run_has_no_spread(self, tmp_path):
        runs = recipe_runs.Runs(tmp_path)
        runs.run("full", 1, lambda *_: {"f1": 0.5})
        assert runs.summary("full")["f1"]["std"] == 0.0

    def test_the_table_has_a_row_for_each_variant(self, tmp_path):
        runs = recipe_runs.Runs(tmp_path)
        for variant, seed in (("full", 1), ("full", 2), ("no CRF", 1)):
            scores = {"f1": seed / 4, "precision": 0.25, "recall": 0.75}
            runs.run(variant, seed, lambda *_, scores=scores: dict(scores))
        lines = recipe_runs.table(runs).splitlines()
        assert lines[0] == "| Variant | f1 | precision | recall | seeds |"
        assert lines[2] == "| full | 37.5 ± 17.7 | 25.0 ± 0.0 | 75.0 ± 0.0 | 2 |"
        assert lines[3] == "| no CRF | 25.0 | 25.0 | 75.0 | 1 |"


def test_a_published_tagger_shows_the_results_of_all_seeds(tmp_path):
    def train(folder, seed):
        make_tagger().save(folder / "preset")
        return {"f1": seed / 4, "precision": 0.25, "recall": 0.75, "surface_f1": 0.5}

    runs = recipe_runs.Runs(tmp_path / "runs")
    runs.run("full", 1, train)
    runs.run("full", 2, train)
    (tmp_path / "body.md").write_text("# A tagger\n\n{table}\n\nShipped: {shipped}\n")
    data = [(["ada", "sees"], ["B-PER", "O"])]
    folder = tagging.publish(
        "ner.toy",
        tmp_path / "out",
        runs,
        zoo.load(tmp_path / "runs" / "full" / "1" / "preset"),
        ["ada sees alan"],
        data,
        data,
        {"language": "en"},
        tmp_path / "body.md",
    )
    card, task = zoo.card(folder), zoo.load(folder)
    assert card.data["metrics"]["f1"]["values"] == [0.25, 0.5]
    assert card.data["baseline"]["f1"] == 1.0
    assert card.data["parameters"] == task.model.count_params()
    assert card.data["language"] == "en"
    assert "| full | 37.5 ± 17.7" in card.body
    assert f"Shipped: {100 * task.evaluate(data)['f1']:.1f}" in card.body
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    assert card.data["size_bytes"] == pytest.approx(sum(sizes), abs=50)
    (example,) = read_preset(folder).examples
    assert example["tokens"] == task.predict("ada sees alan").to_dict()["tokens"]


def make_tagger(
    words=("ada", "alan", "grace"), characters="adlngrce", labels=("PER",), **options
):
    keras.utils.set_random_seed(0)
    return NamedEntityTagger(
        labels, Vocabulary(words), Vocabulary(characters), **{**SIZES, **options}
    )


def test_variants_share_the_seeds_of_an_ablation(tmp_path):
    variants = {name: tagging.Variant(name) for name in ("full", "one", "two")}
    seen = []

    def train(args, variant, folder, seed):
        seen.append((variant.stage, seed, args.epochs))
        return {"f1": 0.5, "precision": 0.5, "recall": 0.5}

    args = parsed_arguments(variants, "--variants one two --ablation-seeds 3")
    recipe_runs.run_variants(recipe_runs.Runs(tmp_path), variants, args, train)
    assert seen == [("full", 1, 9), ("full", 2, 9), ("one", 3, 9), ("two", 3, 9)]


def parsed_arguments(variants, line):
    parser = argparse.ArgumentParser()
    recipe_runs.add_arguments(parser, variants, epochs=9, learning_rate=1e-3)
    parser.set_defaults(seeds=[1, 2])
    return parser.parse_args(line.split())


def test_an_ablation_may_be_shorter_and_has_the_first_beside_it(tmp_path):
    variants = {
        "full": argparse.Namespace(),
        "one": argparse.Namespace(),
        "greedy": argparse.Namespace(trained=False),
    }
    args = parsed_arguments(variants, "--ablation-epochs 2")
    runs = recipe_runs.Runs(tmp_path)
    recipe_runs.run_variants(
        runs, variants, args, lambda args, *_: {"f1": float(args.epochs)}
    )
    shown = {name: runs.summary(name)["f1"]["values"] for name in runs.variants()}
    assert shown == {
        "full": [9, 9],
        "full, 2 passes": [2],
        "one, 2 passes": [2],
        "greedy": [9],
    }


def rows(tagger, layer, vocabulary, items):
    table = tagger.model.get_layer(layer).get_weights()[0]
    return table[vocabulary.ids(items)]


class TestLoadEncoder:
    def test_vectors_go_by_the_word(self, tmp_path):
        old = make_tagger()
        tagging.save_encoder(old, tmp_path)
        new = make_tagger(words=["grace", "new", "ada"])
        before = rows(new, "word_embedding", new.features.words, ["new"])
        tagging.load_encoder(new, tmp_path)
        both = ["ada", "grace"]
        np.testing.assert_array_equal(
            rows(new, "word_embedding", new.features.words, both),
            rows(old, "word_embedding", old.features.words, both),
        )
        after = rows(new, "word_embedding", new.features.words, ["new"])
        np.testing.assert_array_equal(after, before)

    def test_vectors_go_by_the_character(self, tmp_path):
        old = make_tagger()
        tagging.save_encoder(old, tmp_path)
        new = make_tagger(characters="xgda")
        tagging.load_encoder(new, tmp_path)
        np.testing.assert_array_equal(
            rows(new, "character_encoder", new.features.characters, "agd"),
            rows(old, "character_encoder", old.features.characters, "agd"),
        )

    def test_padding_and_unknown_keep_their_vectors(self, tmp_path):
        old = make_tagger()
        tagging.save_encoder(old, tmp_path)
        wanted = old.model.get_layer("word_embedding").get_weights()[0][:2]
        new = make_tagger(words=["other"])
        new.model.get_layer("word_embedding").set_weights([np.zeros((3, 8))])
        tagging.load_encoder(new, tmp_path)
        got = new.model.get_layer("word_embedding").get_weights()[0][:2]
        np.testing.assert_array_equal(got, wanted)

    def test_the_recurrent_encoder_comes_over(self, tmp_path):
        old, new = make_tagger(), make_tagger()
        random = np.random.default_rng(5)
        layer = old.model.get_layer("encoder")
        layer.set_weights([random.normal(size=w.shape) for w in layer.get_weights()])
        tagging.save_encoder(old, tmp_path)
        tagging.load_encoder(new, tmp_path)
        got = new.model.get_layer("encoder").get_weights()
        for a, b in zip(got, layer.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)

    def test_own_vectors_and_those_of_others_go_by_the_word(self, tmp_path):
        sizes = dict(own_words=2, vector_dim=4, vector_groups=2)
        old = make_tagger(**sizes)
        codes = np.arange(10).reshape(5, 2)
        centroids = np.random.default_rng(0).normal(size=(512, 2))
        old.model.get_layer("word_vectors").set_weights([codes, centroids])
        tagging.save_encoder(old, tmp_path)
        new = make_tagger(words=["ada", "grace", "alan", "new"], **sizes)
        tagging.load_encoder(new, tmp_path)
        words, known = new.features.words, old.features.words
        got = rows(new, "word_vectors", words, ["ada", "grace", "alan", "new"])
        wanted = rows(old, "word_vectors", known, ["ada", "grace", "alan"])
        np.testing.assert_array_equal(got[:3], wanted)
        np.testing.assert_array_equal(got[3], 0)
        new_centroids = new.model.get_layer("word_vectors").get_weights()[1]
        np.testing.assert_allclose(new_centroids, centroids, rtol=1e-6)
        # grace has a vector of its own in the new table alone, alan in the old alone.
        np.testing.assert_array_equal(
            rows(new, "word_embedding", words, ["ada"]),
            rows(old, "word_embedding", known, ["ada"]),
        )

    def test_some_layers_alone_come_over(self, tmp_path):
        old, new = make_tagger(), make_tagger()
        for tagger, value in ((old, 2.0), (new, 1.0)):
            fill(tagger.model.get_layer("encoder"), value)
            fill(tagger.model.get_layer("word_embedding"), value)
        tagging.save_encoder(old, tmp_path)
        tagging.load_encoder(new, tmp_path, only=("encoder",))
        assert (new.model.get_layer("encoder").get_weights()[0] == 2).all()
        assert (new.model.get_layer("word_embedding").get_weights()[0] == 1).all()

    def test_a_head_for_as_many_tags_comes_along(self, tmp_path):
        old, new = make_tagger(), make_tagger()
        fill(old.model.get_layer("logits"), 2.0)
        tagging.load_encoder(new, tagging.save_encoder(old, tmp_path))
        assert all((w == 2).all() for w in new.model.get_layer("logits").get_weights())

    def test_a_head_for_other_tags_stays(self, tmp_path):
        old, new = make_tagger(labels=["PER", "LOC"]), make_tagger()
        fill(old.model.get_layer("logits"), 2.0)
        fill(new.model.get_layer("logits"), 1.0)
        tagging.load_encoder(new, tagging.save_encoder(old, tmp_path))
        assert all((w == 1).all() for w in new.model.get_layer("logits").get_weights())

    @pytest.mark.parametrize("options", [{"units": 5}, {"char_encoder": None}])
    def test_encoders_of_another_size_are_refused(self, tmp_path, options):
        tagging.save_encoder(make_tagger(), tmp_path)
        with pytest.raises(ValueError, match="'encoder' has another size"):
            tagging.load_encoder(make_tagger(**options), tmp_path)


def fill(layer, value):
    layer.set_weights([np.full_like(w, value) for w in layer.get_weights()])


class TestPartsOfSpeech:
    EXAMPLES = [(["ada", "sees", "alan"], ["PROPN", "VERB", "PROPN"])] * 8

    def test_each_word_is_an_entity(self):
        tokens, parts = self.EXAMPLES[0]
        wanted = ["B-PROPN", "B-VERB", "B-PROPN"]
        assert tagging.as_entities([(tokens, parts)]) == [(tokens, wanted)]

    def test_the_encoder_learns_and_the_head_does_not(self):
        tagger = make_tagger()
        before = {w.path: np.array(w) for w in tagger.model.weights}
        tagging.learn_parts_of_speech(tagger, self.EXAMPLES, epochs=1, verbose=0)
        for variable in tagger.model.weights:
            head = {"logits", "crf"} & set(variable.path.split("/"))
            assert np.array_equal(np.array(variable), before[variable.path]) == bool(
                head
            ), variable.path


class TestBaseline:
    def test_words_get_their_most_frequent_tag(self):
        train = [
            (["Ada", "saw", "May"], ["B-PER", "O", "B-PER"]),
            (["in", "May", "May"], ["O", "O", "O"]),
        ]
        test = [(["Ada", "in", "May"], ["B-PER", "O", "O"])]
        scores = tagging.frequent_tag_baseline(train, test)
        assert scores == {"f1": 1.0, "surface_f1": 1.0}

    def test_unknown_words_are_outside(self):
        train = [(["Ada"], ["B-PER"])]
        test = [(["Alan"], ["B-PER"])]
        assert tagging.frequent_tag_baseline(train, test)["f1"] == 0.0


FRAMES = ["the {} sat on a {} .", "a {} saw the {} and went .", "we like the {} ."]
NOUNS = ["cat", "mouse", "house", "river", "tree", "boat"]


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """A folder with a corpus in which half of the words can be told from the rest."""
    folder = tmp_path_factory.mktemp("data")
    random, lines = np.random.default_rng(0), []
    for number in range(400):
        nouns = random.choice(NOUNS, 2)
        text = FRAMES[number % 3].format(*nouns)
        lines.append(f"{text[:-1]}{number} .\tx\n")
    (folder / "tatoeba_en_de").mkdir()
    (folder / "tatoeba_en_de" / "deu.txt").write_text("".join(lines), "utf-8")
    return folder


@pytest.fixture(scope="module")
def small_batches():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pretrain, "TOKENS_PER_BATCH", 64)
        yield


def run_pretraining(data_dir, folder, **options):
    settings = {**SIZES, "passes": 2, "parts": 2, "verbose": 0, "seed": 1, **options}
    return pretrain.pretrain(
        ["tatoeba"], data_dir, folder, learning_rate=0.02, **settings
    )


@pytest.fixture(scope="module")
def pretrained(toy, small_batches, tmp_path_factory):
    return run_pretraining(toy, tmp_path_factory.mktemp("encoder"))


class TestPretraining:
    def test_the_loss_goes_down(self, pretrained):
        log = json.loads((pretrained / "log.json").read_text())
        assert len(log["loss"]) == 4
        assert log["loss"][-1] < 0.8 * log["loss"][0]

    def test_text_held_out_is_guessed_too(self, pretrained):
        log = json.loads((pretrained / "log.json").read_text())
        assert np.isfinite(log["val_loss"]).all()
        assert log["val_loss"][-1] < log["val_loss"][0]

    def test_a_tagger_takes_the_encoder_over(self, pretrained):
        words, characters = tagging.vocabularies_of(pretrained)
        tagger = NamedEntityTagger(["X"], words, characters, **SIZES)
        tagging.load_encoder(tagger, pretrained)
        with np.load(pretrained / "encoder.npz") as arrays:
            for key in arrays.files:
                layer, _, number = key.partition("/")
                got = tagger.model.get_layer(layer).get_weights()[int(number)]
                np.testing.assert_array_equal(got, arrays[key])

    def test_a_finished_run_is_not_repeated(self, pretrained, toy, monkeypatch):
        monkeypatch.setattr(pretrain, "read_sentences", None)
        assert run_pretraining(toy, pretrained) == pretrained

    def test_vectors_of_others_stay_as_they_are(self, toy, small_batches, tmp_path):
        random = np.random.default_rng(3)
        vectors = (["cat", "lynx"], random.normal(size=(2, 4)).astype("float32"))
        folder = run_pretraining(
            toy, tmp_path, vectors=vectors, vector_groups=2, passes=1
        )
        words, characters = tagging.vocabularies_of(folder)
        sizes = {**SIZES, **tagging.encoder_options(folder)}
        assert sizes["own_words"] == len(words.items) - 1  # lynx is not in the text
        assert words.items[-1] == "lynx"
        tagger = NamedEntityTagger(["X"], words, characters, **sizes)
        tagging.load_encoder(tagger, folder)
        layer = tagger.model.get_layer("word_vectors")
        got = keras.ops.convert_to_numpy(layer(np.array(words.ids(["cat", "lynx"]))))
        np.testing.assert_allclose(got, vectors[1], rtol=1e-5)
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(layer(np.array(words.ids(["tree"])))), 0
        )

    def test_words_asked_for_are_in(self, toy):
        sentences = pretrain.read_sentences(["tatoeba"], toy)
        words, _ = pretrain.vocabularies(sentences, 2, 100, first=["zebra"])
        assert "zebra" in words
        assert "cat" in words

    def test_the_limit_cuts_a_corpus(self, toy):
        few = pretrain.read_sentences(["tatoeba"], toy, limit=100)
        assert 100 <= sum(map(len, few)) < 100 + pretrain.LENGTHS[-1]

    def test_vectors_of_glove_are_taken_up(self, tmp_path):
        path = tmp_path / "glove.json"
        path.write_text(json.dumps({"cat": [1.0, 2.0], "dog": [3.0, 2.5]}))
        words = Vocabulary(["dog", "tree", "cat"])
        table = pretrain.glove(path, words, 4)
        assert table.shape == (5, 4) and table.dtype == "float32"
        dog, cat = table[2], table[4]
        np.testing.assert_allclose(dog[:2], -cat[:2], atol=1e-6)
        np.testing.assert_allclose(np.abs(dog[:2]), 0.1, atol=1e-6)


def test_an_epoch_is_a_part_of_a_pass(toy, small_batches):
    sentences = pretrain.read_sentences(["tatoeba"], toy)
    batches = pretrain.Sentences(sentences, None, seed=1, parts=4)
    seen = []
    for batches.epoch in range(4):
        seen += [row for _, members in batches.plan() for row in members]
    assert len(seen) == len(set(seen)) > 0.8 * len(sentences)


def test_passes_have_orders_of_their_own(toy, small_batches):
    sentences = pretrain.read_sentences(["tatoeba"], toy)
    batches = pretrain.Sentences(sentences, None, seed=1)
    plans = []
    for batches.epoch in (0, 1, 0):
        plans.append([members.tolist() for _, members in batches.plan()])
    assert plans[0] == plans[2] != plans[1]


def test_the_sampled_loss_falls_for_the_right_word(small_batches):
    embedding = keras.layers.Embedding(30, 4)
    embedding.build()
    layer = pretrain.SampledLanguageModel(embedding, 16)
    layer.build((None, None, 6))
    states = np.random.default_rng(0).normal(size=(3, 5, 6)).astype("float32")
    ids = np.full((3, 5), 7)
    mask = np.ones((3, 5), "bool")
    before = np.array(layer(states, ids, ids, mask))
    bias = np.zeros(30, "float32")
    bias[7] = 20.0
    layer.bias.assign(bias)
    after = np.array(layer(states, ids, ids, mask))
    assert before.shape == (3,)
    assert (after < 0.1).all() and (before > 1).all()


def test_masked_and_unknown_words_cost_nothing():
    embedding = keras.layers.Embedding(30, 4)
    embedding.build()
    layer = pretrain.SampledLanguageModel(embedding, 16)
    layer.build((None, None, 6))
    states, ids = np.ones((2, 5, 6), "float32"), np.full((2, 5), 7)
    ids[1] = 1
    mask = np.zeros((2, 5), "bool")
    mask[1] = True
    np.testing.assert_array_equal(np.array(layer(states, ids, ids, mask)), 0)
