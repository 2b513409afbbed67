import random

import pytest

from tasks.data.tags import bio, detect_scheme, spans, split_tag, tag_names, to_bio

IOB1 = ["I-PER", "I-PER", "O", "I-LOC", "B-LOC", "I-LOC", "I-ORG"]
BIO = ["B-PER", "I-PER", "O", "B-LOC", "B-LOC", "I-LOC", "B-ORG"]
IOBES = ["B-PER", "E-PER", "O", "S-LOC", "B-LOC", "E-LOC", "S-ORG"]
BILOU = ["B-PER", "L-PER", "O", "U-LOC", "B-LOC", "L-LOC", "U-ORG"]
SPANS = [(0, 2, "PER"), (3, 4, "LOC"), (4, 6, "LOC"), (6, 7, "ORG")]


class TestSplitTag:
    def test_label_may_hold_a_hyphen(self):
        assert split_tag("B-creative-work") == ("B", "creative-work")

    @pytest.mark.parametrize(
        "tag", ["", "B", "B-", "B_PER", "X-PER", "b-PER", "PER", "-PER", None, 3]
    )
    def test_refuses_what_is_no_tag(self, tag):
        with pytest.raises(ValueError, match="is not a tag: expected 'O'"):
            split_tag(tag)


class TestDetectScheme:
    @pytest.mark.parametrize(
        ("tags", "scheme"),
        [(IOB1, "IOB1"), (BIO, "BIO"), (IOBES, "IOBES"), (BILOU, "IOBES")],
    )
    def test_names_the_scheme(self, tags, scheme):
        assert detect_scheme([["O"], tags]) == scheme

    def test_one_wrong_tag_does_not_decide(self):
        assert detect_scheme([BIO, ["I-PER"]]) == "BIO"
        assert detect_scheme([IOB1, IOB1, ["B-PER"]]) == "IOB1"

    def test_no_entity_is_bio(self):
        assert detect_scheme([]) == detect_scheme([[], ["O", "O"]]) == "BIO"

    def test_sentences_do_not_touch(self):
        # Continued over the border, the second start would not count.
        assert detect_scheme([["I-PER"], ["I-PER"], ["B-PER"]]) == "IOB1"

    def test_refuses_what_is_no_tag(self):
        with pytest.raises(ValueError, match="'B_PER' is not a tag"):
            detect_scheme([["O"], ["B_PER"]])


class TestToBio:
    @pytest.mark.parametrize("tags", [IOB1, BIO, IOBES, BILOU])
    def test_reads_every_scheme(self, tags):
        assert to_bio(tags) == BIO

    @pytest.mark.parametrize(
        ("tags", "scheme"), [(IOB1, "IOB1"), (BIO, "BIO"), (IOBES, "IOBES")]
    )
    def test_reads_the_named_scheme(self, tags, scheme):
        assert to_bio(tags, scheme) == BIO

    def test_an_end_closes_its_entity(self):
        assert to_bio(["B-x", "E-x", "I-x"]) == ["B-x", "I-x", "B-x"]

    def test_a_single_one_closes_itself(self):
        assert to_bio(["S-x", "I-x", "E-x"]) == ["B-x", "B-x", "I-x"]

    def test_repairs_an_orphan(self):
        assert to_bio(["O", "I-x", "I-y"]) == ["O", "B-x", "B-y"]

    def test_empty(self):
        assert to_bio([]) == []

    def test_refuses_an_unknown_scheme(self):
        with pytest.raises(ValueError, match="Unknown scheme 'bio'"):
            to_bio(BIO, "bio")

    def test_refuses_what_the_scheme_has_not(self):
        with pytest.raises(ValueError, match="'E-PER' is an IOBES tag"):
            to_bio(IOBES, "BIO")


class TestSpans:
    @pytest.mark.parametrize("tags", [BIO, IOB1])
    def test_finds_entities(self, tags):
        assert spans(tags) == SPANS

    def test_an_orphan_starts_an_entity(self):
        assert spans(["I-x", "O", "I-x", "I-y"]) == [
            (0, 1, "x"),
            (2, 3, "x"),
            (3, 4, "y"),
        ]

    def test_none(self):
        assert spans([]) == spans(["O", "O"]) == []

    def test_refuses_other_schemes(self):
        with pytest.raises(ValueError, match="convert with `to_bio` first"):
            spans(IOBES)


class TestBio:
    def test_is_the_inverse_of_spans(self):
        assert bio(SPANS, 7) == BIO

    def test_round_trip_of_random_tags(self):
        chance = random.Random(0)
        for _ in range(500):
            tags = chance.choices(["O", "B-x", "I-x", "B-y", "I-y"], k=12)
            assert bio(spans(tags), 12) == to_bio(tags)

    def test_order_does_not_matter(self):
        assert bio(reversed(SPANS), 7) == BIO

    @pytest.mark.parametrize(
        "span", [(-1, 1, "x"), (2, 2, "x"), (3, 2, "x"), (2, 4, "x")]
    )
    def test_refuses_what_does_not_fit(self, span):
        with pytest.raises(ValueError, match="does not fit in 3 tokens"):
            bio([span], 3)

    def test_refuses_overlap(self):
        with pytest.raises(ValueError, match=r"\(1, 3, 'y'\) overlaps another"):
            bio([(0, 2, "x"), (1, 3, "y")], 3)


class TestTagNames:
    def test_keeps_the_order(self):
        assert tag_names(["b", "a"]) == ["O", "B-b", "I-b", "B-a", "I-a"]

    def test_none(self):
        assert tag_names([]) == ["O"]

    @pytest.mark.parametrize("labels", [[""], [None], ["a", 1]])
    def test_refuses_what_is_no_label(self, labels):
        with pytest.raises(ValueError, match="is not a label"):
            tag_names(labels)

    def test_refuses_twins(self):
        with pytest.raises(ValueError, match="must be distinct"):
            tag_names(["a", "a"])
