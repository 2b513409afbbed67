"""Text from a language model: a compiled loop that gives some tokens at a time."""

import html
from dataclasses import dataclass, field
from numbers import Integral
from zlib import crc32

import numpy as np
from keras import ops

from tasks import forks
from tasks.data.vocabulary import PADDING_ID, RESERVED
from tasks.decoding.compiled import compiled
from tasks.results import _showable
from zoo.ops.scan import time_scan

# Tokens a compiled call gives: few, so that a stream flows; some, as a call costs.
BLOCK = 32


@dataclass(frozen=True)
class Generation:
    """What a language model says after a prompt.

    Args:
        prompt: string.
        text: string, what follows it, with the space that parts it from the prompt.
        token_ids: tuple of ints, of the text.
        log_probabilities: tuple of floats, of each token by the model itself, in nats.
        finished: bool, whether a stop string ended it.
    """

    prompt: str
    text: str
    token_ids: tuple = field(default=(), repr=False)
    log_probabilities: tuple = field(default=(), repr=False)
    finished: bool = False

    def __str__(self):
        return self.prompt + self.text

    def to_html(self):
        """The prompt, marked, and what follows it."""
        prompt, text = (html.escape(_showable(t)) for t in (self.prompt, self.text))
        return (
            '<div style="font-family:serif;line-height:1.6;white-space:pre-wrap">'
            f"<b>{prompt}</b>{text}</div>"
        )

    def _repr_html_(self):
        return self.to_html()

    def to_dict(self):
        """Plain values, ready for JSON."""
        return {
            "prompt": self.prompt,
            "text": self.text,
            "token_ids": list(self.token_ids),
            "log_probabilities": list(self.log_probabilities),
            "finished": self.finished,
        }


class Generator:
    """Draws tokens from a language model.

    Args:
        parts: `tasks.language_model.LanguageModelParts`.
        tokenizer: Its tokenizer.
    """

    def __init__(self, parts, tokenizer):
        self.parts, self.tokenizer = parts, tokenizer
        self._read = compiled(self.prompt_state, parts.model.variables)
        self._blocks = {}  # Sampling -> compiled block

    def prompt_state(self, token_ids, mask, state):
        embedded = self.parts.embed(token_ids)
        return list(
            self.parts.stack(embedded, mask=mask, initial_state=state, training=False)
        )[1:]

    def _block(self, how):
        if how not in self._blocks:
            self._blocks[how] = compiled(
                lambda *args: self.draw(how, *args), self.parts.model.variables
            )
        return self._blocks[how]

    def draw(self, how, uniform, last, state, seen):
        """Draws `uniform.shape[0]` tokens for each row.

        `uniform` is `(tokens, batch)`; `last` `(batch,)` are the tokens to go on
        from; `seen` holds a tensor `(batch, vocabulary)` where repetition costs, and
        is empty elsewhere.
        """
        size, batch = len(self.tokenizer), uniform.shape[1]
        forbidden = ops.arange(size) < RESERVED

        def step(carried, inputs):
            last, state, seen = carried
            x = self.parts.embed(ops.expand_dims(last, 1))[:, 0]
            y, state = self.parts.stack.step(x, list(state))
            logits = ops.cast(self.parts.head(y), "float32")
            chosen, log_probability = how.choose(logits, inputs[0], forbidden, *seen)
            now = ops.expand_dims(chosen, -1) == ops.arange(size, dtype="int32")
            seen = tuple(ops.logical_or(s, now) for s in seen)
            return (chosen, tuple(state), seen), (chosen, log_probability)

        outputs = (((batch,), "int32"), ((batch,), "float32"))
        carried, drawn = time_scan(
            step, (last, tuple(state), seen), (uniform,), outputs
        )
        return (*carried, *drawn)

    def generate(self, prompts, max_tokens, how, stop=(), seed=None):
        """A `Generation` for each prompt; see `LanguageModel.generate`."""
        stop = _stops(stop)
        _check_counts(max_tokens, seed)
        if not prompts:
            return []
        decoders = [self.tokenizer.after(prompt) for prompt in prompts]
        ids, log_probabilities = [[] for _ in prompts], [[] for _ in prompts]
        blocks = self._flow(prompts, max_tokens, how, seed)
        for drawn, sure in blocks:
            for row in range(len(prompts)):
                ids[row] += drawn[:, row].tolist()
                log_probabilities[row] += sure[:, row].tolist()
            if stop and all(
                _ended(decode(row), stop)[1]
                for decode, row in zip(decoders, ids, strict=True)
            ):
                break
        return [
            _result(*row, max_tokens, stop)
            for row in zip(prompts, decoders, ids, log_probabilities, strict=True)
        ]

    def stream(self, prompt, max_tokens, how, stop=(), seed=None):
        """Pieces of text as they are drawn; see `LanguageModel.stream`."""
        stop = _stops(stop)
        _check_counts(max_tokens, seed)
        return self._pieces(prompt, max_tokens, how, stop, seed)

    def _pieces(self, prompt, max_tokens, how, stop, seed):
        decode, ids, told = self.tokenizer.after(prompt), [], 0
        # What could be the beginning of a stop is held back until it is sure.
        hold = max((len(s) - 1 for s in stop), default=0)
        for drawn, _ in self._flow([prompt], max_tokens, how, seed):
            for token in drawn[:, 0].tolist()[: max_tokens - len(ids)]:
                ids.append(token)
                text, finished = _ended(decode(ids), stop)
                sure = len(text) if finished else len(text) - hold
                if sure > told:
                    yield text[told:sure]
                    told = sure
                if finished:
                    return
        text = decode(ids)
        if len(text) > told:
            yield text[told:]

    def _flow(self, prompts, max_tokens, how, seed):
        """Blocks of tokens and of their log-probabilities, each `(tokens, batch)`."""
        forks.check()
        last, state, seen = self._start(prompts, how)
        draw = self._block(how)
        random = [_generator(seed, prompts, row) for row in range(len(prompts))]
        for _ in range(0, max_tokens, BLOCK):
            uniform = np.stack([r.random(BLOCK, "float32") for r in random], 1)
            last, state, seen, ids, sure = draw(
                ops.convert_to_tensor(uniform), last, state, seen
            )
            yield ops.convert_to_numpy(ids), ops.convert_to_numpy(sure)

    def _start(self, prompts, how):
        """Reads the prompts but for their last tokens; these the loop reads."""
        rows = [np.append(PADDING_ID, self.tokenizer.encode(p)) for p in prompts]
        longest = max(map(len, rows)) - 1
        state = self.parts.stack.get_initial_state(len(rows))
        if longest:
            # A power of two, so that prompts of all lengths need few compilations.
            length = max(16, 1 << (longest - 1).bit_length())
            ids = np.zeros((len(rows), length), "int32")
            mask = np.zeros((len(rows), length), bool)
            for row, tokens in enumerate(rows):
                ids[row, : len(tokens) - 1] = tokens[:-1]
                mask[row, : len(tokens) - 1] = True
            tensors = map(ops.convert_to_tensor, (ids, mask))
            state = self._read(*tensors, state)
        last = ops.convert_to_tensor(np.array([row[-1] for row in rows], "int32"))
        seen = ()
        if how.repetition_penalty != 1:
            seen = np.zeros((len(rows), len(self.tokenizer)), bool)
            for row, tokens in enumerate(rows):
                seen[row, tokens] = True
            seen = (ops.convert_to_tensor(seen),)
        return last, tuple(state), seen


def _result(prompt, decode, ids, sure, max_tokens, stop):
    ids, sure = ids[:max_tokens], sure[:max_tokens]
    text, finished = _ended(decode(ids), stop)
    if finished:
        # As many tokens as it takes to say the text; the stop is not among them.
        lengths = range(len(ids) + 1)
        count = next(n for n in lengths if decode(ids[:n]).startswith(text))
        ids, sure = ids[:count], sure[:count]
    return Generation(prompt, text, tuple(ids), tuple(sure), finished)


def _ended(text, stop):
    """The text before the first stop, and whether there was one."""
    ends = [at for at in map(text.find, stop) if at >= 0]
    return (text[: min(ends)], True) if ends else (text, False)


def _generator(seed, prompts, row):
    """Random numbers that depend on a prompt, not on its place among others."""
    if seed is None:
        return np.random.default_rng()
    prompt = prompts[row]
    # The same prompt again gets numbers of its own.
    times = prompts[:row].count(prompt)
    key = crc32(prompt.encode("utf-8", "surrogatepass"))
    return np.random.default_rng([seed, key, times])


def _stops(stop):
    stop = (stop,) if isinstance(stop, str) else tuple(stop or ())
    if not all(isinstance(s, str) and s for s in stop):
        raise ValueError(
            f"`stop` must be strings that are not empty. Received: {stop!r}"
        )
    return stop


def _check_counts(max_tokens, seed):
    for name, value, least in (("max_tokens", max_tokens, 1), ("seed", seed, 0)):
        if name == "seed" and seed is None:
            continue
        whole = isinstance(value, Integral) and not isinstance(value, bool)
        if not whole or value < least:
            raise ValueError(
                f"`{name}` must be an integer of at least {least}. Received: {value!r}"
            )
