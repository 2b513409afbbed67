"""Texts of any length in windows that a translator reads, put together afterwards."""

from dataclasses import replace
from zlib import crc32

import numpy as np

from tasks.answering import predict_on_batch
from tasks.data.batches import bucket_length
from tasks.data.pairs import BUCKETS, padded
from tasks.data.vocabulary import PADDING_ID
from tasks.translations import Translation
from tasks.writing import progress_bar

# Batches whose lines are sorted by length together, before they are written down.
_TOGETHER = 20


class LineTranslator:
    """Translates texts, line by line.

    Args:
        tokenizer: `tasks.data.tokenizers.SubwordTokenizer`.
        run: `tasks.decoding.attention_search.AttentionSearch` over ids and their mask.
        most: Most pieces that are read at once.
    """

    def __init__(self, tokenizer, run, most):
        self.tokenizer, self.run, self.most = tokenizer, run, most

    def translations(
        self, texts, how, batch_size, verbose="auto", output=None, by_length=True
    ):
        """Translations of texts.

        Args:
            texts: List of strings.
            how: `tasks.decoding.beam.BeamSearch`, or
                `tasks.decoding.random_search.RandomSearch`.
            batch_size: Most windows at once.
            verbose: See `tasks.writing.progress_bar`.
            output: Path of a file to add translations to, a line for each text.
            by_length: Whether a window's length decides how long its translation may
                be, in place of `how.max_length`.

        Returns:
            List of `tasks.translations.Translation`.

        Where it fails, or is stopped, the error's `results` are such a list, with
        `None` for texts that were not reached.
        """
        lines = [Lines(self.tokenizer, text, self.most) for text in texts]
        step = max(1, len(lines)) if output is None else _TOGETHER * batch_size
        parts = [lines[i : i + step] for i in range(0, len(lines), step)]
        counts = [sum(len(line.windows) for line in part) for part in parts]
        bar = progress_bar(sum(-(-n // batch_size) for n in counts), verbose)
        results = []
        for part in parts:
            windows = [window for line in part for window in line.windows]
            found = [None] * len(windows)
            try:
                self._translate(found, windows, how, batch_size, bar, by_length)
            except BaseException as error:  # Ctrl-C, too
                results += _joined(part, found)
                error.results = results + [None] * (len(lines) - len(results))
                raise
            done = _joined(part, found)
            if output is not None:
                _add_lines(output, done)
            results += done
        return results

    def _translate(self, found, windows, how, batch_size, bar, by_length):
        """Puts the translations of lists of ids into `found`, in their order."""
        order = sorted(range(len(windows)), key=lambda i: len(windows[i]))
        for start in range(0, len(order), batch_size):
            members = order[start : start + batch_size]
            sources = [windows[m] for m in members]
            answers = self._search(sources, how, batch_size, by_length)
            for member, answer in zip(members, answers, strict=True):
                found[member] = answer
            bar.add(1)

    def _search(self, sources, how, batch_size, by_length):
        length = bucket_length(max(len(source) for source in sources), BUCKETS)
        # Few shapes: one for single lines, one for batches.
        rows = 1 if len(sources) == 1 else batch_size
        limits = np.ones(rows, "int32")
        limits[: len(sources)] = how.max_length
        if by_length:
            least = how.min_length + 1
            own = [max(least, most_tokens(len(source))) for source in sources]
            limits[: len(sources)] = own
            how = replace(how, max_length=max(least, most_tokens(length)))
        ids, mask = padded(sources, length, rows)
        mask[len(sources) :, 0] = True  # a row of padding still needs a place
        found = self.run(how, ids, mask, limits=limits, keys=map(key_of, sources))
        end = self.tokenizer.end_of_line
        return [
            found.ranked(row, end, len(source)) for row, source in enumerate(sources)
        ]

    def aligned(self, source, target, model):
        """A given translation of one line, with the attention that wrote it.

        Args:
            source, target: Strings.
            model: See `tasks.translator.TranslatorParts`.

        Returns:
            `tasks.translations.Translation`.
        """
        end, most = self.tokenizer.end_of_line, self.most
        read = self._ids(source)[:most] or [end]  # nothing still needs a place
        wrote = [*self._ids(target)[: most - 1], end]
        inputs = {}
        for side, row in (("source", read), ("target", [PADDING_ID, *wrote[:-1]])):
            length = bucket_length(len(row), BUCKETS)
            ids, mask = padded([row], length, 1)
            inputs |= {f"{side}_ids": ids, f"{side}_mask": mask}
        answer = predict_on_batch(model, inputs)
        logits = answer["logits"][0, : len(wrote)].astype("float64")
        logits -= logits.max(-1, keepdims=True)
        chances = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        log_probability = float(chances[np.arange(len(wrote)), wrote].sum())
        attention = None
        if self.run.decoder.attention is not None:
            attention = answer["attention"][0, : len(wrote), : len(read)]
        return Translation(
            source,
            target,
            log_probability,
            log_probability,
            tuple(map(self.tokenizer.piece, read)),
            (*map(self.tokenizer.piece, wrote[:-1]), "⏎"),
            attention,
        )

    def _ids(self, line):
        return self.tokenizer.encode(" ".join(line.split())).tolist()


def _joined(lines, found):
    """A `Translation` for each of `lines`; `None` where an answer is missing."""
    found, results = iter(found), []
    for line in lines:
        answers = [next(found) for _ in line.windows]
        results.append(None if None in answers else line.result(answers))
    return results


def _add_lines(path, results):
    with open(path, "a", encoding="utf-8", errors="backslashreplace") as file:
        for result in results:
            # A text of several lines is one line here: they count.
            file.write(" ".join(result.text.split("\n")) + "\n")


def most_tokens(length):
    """Most tokens of a translation of so many, with the end."""
    return bucket_length(length, BUCKETS) * 3 // 2 + 10


def key_of(ids):
    """A number that tells a list of ids from others."""
    return crc32(np.asarray(ids, "int32").tobytes())


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
