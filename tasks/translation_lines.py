"""Texts of any length in windows that a translator reads, put together afterwards."""

from dataclasses import replace

from tasks.data.batches import bucket_length
from tasks.data.pairs import BUCKETS, padded
from tasks.translations import Translation
from tasks.writing import progress_bar


class LineTranslator:
    """Translates texts, line by line.

    Args:
        tokenizer: `tasks.data.tokenizers.SubwordTokenizer`.
        run: `tasks.decoding.attention_search.AttentionSearch` over ids and their mask.
        most: Most pieces that are read at once.
    """

    def __init__(self, tokenizer, run, most):
        self.tokenizer, self.run, self.most = tokenizer, run, most

    def translations(self, texts, how, batch_size, verbose="auto"):
        """Translations of texts.

        Args:
            texts: List of strings.
            how: `tasks.decoding.beam.BeamSearch`.
            batch_size: Most windows at once.
            verbose: See `tasks.writing.progress_bar`.

        Returns:
            List of `tasks.translations.Translation`.
        """
        lines = [Lines(self.tokenizer, text, self.most) for text in texts]
        windows = [window for line in lines for window in line.windows]
        found = iter(self._translate(windows, how, batch_size, verbose))
        return [line.result([next(found) for _ in line.windows]) for line in lines]

    def _translate(self, windows, how, batch_size, verbose):
        """The translations of lists of ids, in their order."""
        found = [None] * len(windows)
        order = sorted(range(len(windows)), key=lambda i: len(windows[i]))
        starts = range(0, len(order), batch_size)
        bar = progress_bar(len(starts), verbose)
        for start in starts:
            members = order[start : start + batch_size]
            answers = self._search([windows[m] for m in members], how, batch_size)
            for member, answer in zip(members, answers, strict=True):
                found[member] = answer
            bar.add(1)
        return found

    def _search(self, sources, how, batch_size):
        length = bucket_length(max(len(source) for source in sources), BUCKETS)
        # Few shapes: one for single lines, one for batches.
        rows = 1 if len(sources) == 1 else batch_size
        how = replace(how, max_length=length * 3 // 2 + 10)
        ids, mask = padded(sources, length, rows)
        mask[len(sources) :, 0] = True  # a row of padding still needs a place
        found = self.run(how, ids, mask)
        end = self.tokenizer.end_of_line
        return [
            found.ranked(row, end, len(source)) for row, source in enumerate(sources)
        ]


class Lines:
    """A text in windows that are short enough, and its translation put together."""

    def __init__(self, tokenizer, text, most):
        self.tokenizer, self.text = tokenizer, text
        self.windows, self.breaks = [], []
        for number, line in enumerate(text.split("\n")):
            ids = tokenizer.encode(" ".join(line.split()))
            for start in range(0, len(ids), most):
                # What stands between this window's translation and the one before.
                self.breaks.append(("\n" * (number - self._lines()), " ")[start > 0])
                self.windows.append(ids[start : start + most].tolist())

    def _lines(self):
        return sum(text.count("\n") for text in self.breaks)

    def result(self, answers):
        """The `Translation`, from the answers to each window."""
        if not answers:
            return Translation(self.text, "")
        if len(answers) == 1:
            found = [self._one(self.windows[0], answer) for answer in answers[0]]
            best = found[0]
            return replace(best, text=self.breaks[0] + best.text, candidates=found)
        parts = [self._one(w, a[0]) for w, a in zip(self.windows, answers, strict=True)]
        text = "".join(
            gap + part.text for gap, part in zip(self.breaks, parts, strict=True)
        )
        return Translation(
            self.text,
            text,
            sum(part.score for part in parts),
            sum(part.log_probability for part in parts),
        )

    def _one(self, window, answer):
        ids, score, log_probability, attention = answer
        return Translation(
            self.text,
            self.tokenizer.decode(ids),
            score,
            log_probability,
            self._pieces(window),
            [*self._pieces(ids), "⏎"][: 0 if attention is None else len(attention)],
            attention,
        )

    def _pieces(self, ids):
        return [self.tokenizer.piece(i) for i in ids]
