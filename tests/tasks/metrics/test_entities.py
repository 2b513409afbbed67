import random

import pytest

from tasks.data.tags import to_bio
from tasks.metrics.entities import entity_scores, surface_f1

GOLD = [["B-per", "I-per", "O", "B-loc"], ["B-loc", "O"]]
PREDICTED = [["B-per", "O", "O", "B-loc"], ["B-per", "B-loc"]]


def noisy(seed=0, sentences=2000):
    """Random tags, most of them against the rules, and a noisy copy of them."""
    chance = random.Random(seed)
    choices = ["O", "O", *(f"{prefix}-{label}" for label in "xyz" for prefix in "BI")]
    gold, predicted = [], []
    for _ in range(sentences):
        tags = chance.choices(choices, k=chance.randint(1, 25))
        gold.append(tags)
        predicted.append(
            [chance.choice(choices) if chance.random() < 0.2 else tag for tag in tags]
        )
    return gold, predicted


class TestEntityScores:
    def test_by_hand(self):
        # 3 gold, 4 predicted, 1 right: the location at the end of the first.
        assert entity_scores(GOLD, PREDICTED) == {
            "precision": 1 / 4,
            "recall": 1 / 3,
            "f1": pytest.approx(2 / 7),
            "f1_loc": 0.5,
            "f1_per": 0.0,
        }

    def test_perfect(self):
        assert set(entity_scores(GOLD, GOLD).values()) == {1.0}

    @pytest.mark.parametrize("tags", [[], [[]], [["O", "O"]]])
    def test_nothing_is_zero(self, tags):
        assert entity_scores(tags, tags) == {"f1": 0.0, "precision": 0.0, "recall": 0.0}

    def test_labels_of_either_side(self):
        scores = entity_scores([["B-a", "O"]], [["O", "B-b"]])
        assert set(scores) == {"f1", "precision", "recall", "f1_a", "f1_b"}

    def test_orphans_start_entities(self):
        assert entity_scores([["B-x", "O"]], [["I-x", "O"]])["f1"] == 1.0

    def test_sentences_do_not_touch(self):
        assert entity_scores([["B-x"], ["B-x"]], [["B-x"], ["I-x"]])["f1"] == 1.0

    def test_floats(self):
        assert {type(value) for value in entity_scores(GOLD, GOLD).values()} == {float}

    def test_refuses_other_numbers_of_sentences(self):
        with pytest.raises(ValueError, match="gold has 2 sentences, predicted 1"):
            entity_scores(GOLD, PREDICTED[:1])

    def test_refuses_other_lengths(self):
        with pytest.raises(ValueError, match="Sentence 1: 2 gold, 1 predicted"):
            entity_scores(GOLD, [PREDICTED[0], ["O"]])

    def test_refuses_what_is_no_tag(self):
        with pytest.raises(ValueError, match="'per' is not a tag"):
            entity_scores([["per"]], [["O"]])


class TestAgainstOthers:
    @pytest.mark.parametrize("seed", [0, 1])
    def test_equals_seqeval(self, seed):
        measures = pytest.importorskip("seqeval.metrics")
        gold, predicted = noisy(seed)
        own = entity_scores(gold, predicted)
        for name in ("precision", "recall", "f1"):
            other = getattr(measures, f"{name}_score")(gold, predicted, zero_division=0)
            assert own[name] == pytest.approx(other, abs=1e-12)
        report = measures.classification_report(
            gold, predicted, output_dict=True, zero_division=0
        )
        for label in "xyz":
            other = report[label]["f1-score"]
            assert own[f"f1_{label}"] == pytest.approx(other, abs=1e-12)

    @pytest.mark.parametrize("seed", [0, 1])
    def test_equals_nervaluate_strict(self, seed):
        nervaluate = pytest.importorskip("nervaluate")
        gold, predicted = noisy(seed)
        own = entity_scores(gold, predicted)
        evaluator = nervaluate.Evaluator(
            gold, predicted, tags=list("xyz"), loader="list"
        )
        results = evaluator.evaluate()
        overall = results["overall"]["strict"]
        for name in ("precision", "recall", "f1"):
            assert own[name] == pytest.approx(getattr(overall, name), abs=1e-12)

    def test_the_noise_is_not_all_or_nothing(self):
        gold, predicted = noisy()
        assert 0.2 < entity_scores(gold, predicted)["f1"] < 0.8
        assert any(to_bio(tags) != tags for tags in gold)


class TestSurface:
    def test_a_form_counts_once(self):
        tokens = [["Rome", "and", "Rome"], ["Oslo", "is", "x"]]
        gold = [["B-loc", "O", "B-loc"], ["B-loc", "O", "O"]]
        predicted = [["B-loc", "O", "B-loc"], ["O", "O", "B-loc"]]
        # gold {Rome, Oslo}, predicted {Rome, x}
        assert surface_f1(gold, predicted, tokens) == 0.5
        assert entity_scores(gold, predicted)["f1"] == pytest.approx(2 / 3)

    def test_once_in_its_place_is_enough(self):
        tokens = [["Rome"], ["Rome"]]
        assert surface_f1([["B-loc"], ["B-loc"]], [["B-loc"], ["O"]], tokens) == 1.0

    def test_in_another_place_is_wrong(self):
        tokens = [["Rome"], ["Rome"]]
        assert surface_f1([["B-loc"], ["O"]], [["O"], ["B-loc"]], tokens) == 0.0

    def test_label_belongs_to_the_form(self):
        assert surface_f1([["B-loc"]], [["B-per"]], [["Rome"]]) == 0.0

    def test_case_belongs_to_the_form(self):
        tokens = [["Rome"], ["ROME"]]
        gold, predicted = [["B-loc"], ["B-loc"]], [["B-loc"], ["O"]]
        assert surface_f1(gold, predicted, tokens) == pytest.approx(2 / 3)

    def test_words_are_joined(self):
        tokens = [["New", "York"], ["NewYork", "x"]]
        gold = [["B-loc", "I-loc"], ["B-loc", "O"]]
        assert surface_f1(gold, [gold[0], ["O", "O"]], tokens) == pytest.approx(2 / 3)

    @pytest.mark.parametrize("tags", [[], [[]], [["O"]]])
    def test_nothing_is_zero(self, tags):
        assert surface_f1(tags, tags, [["a"] * len(t) for t in tags]) == 0.0

    def test_refuses_other_tokens(self):
        with pytest.raises(ValueError, match="Sentence 0: 4 gold, 1 tokens"):
            surface_f1(GOLD, PREDICTED, [["a"], ["b", "c"]])
