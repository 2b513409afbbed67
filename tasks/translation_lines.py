"""Texts of any length in windows that a translator reads, put together afterwards."""

from dataclasses import replace

from tasks.translations import Translation


class Lines:
    """A text in windows that are short enough, and its translation put together."""

    def __init__(self, tokenizer, text, options):
        self.tokenizer, self.text = tokenizer, text
        most = options["max_tokens"]
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
