"""Connectionist temporal classification: the loss, and the best alignment of a text.

Everything here is time first and computes in the float dtype it is given:

    log_probabilities  (time, batch, labels)  of each label at each step; 0 is the blank
    mask               (time, batch)          1.0 at a step that counts, 0.0 at others
    targets            (symbols, batch)       labels above 0, padded at the end
    lengths            (batch,)               how many of these count

A path gives each step a label; its text is what is left when repeats are joined and
blanks are dropped. Paths of one text are those through a row of states, a blank before,
between and after its symbols: a step stays, moves on by one state, or leaves out a
blank between two symbols that differ. A skipped step holds the state, so holes and left
padding need no special case, and what stands there is never read. The gradient is
written by hand: it is the posterior of the states.

Reference:
    - Graves, Fernández, Gomez and Schmidhuber, [Connectionist temporal classification](
      https://dl.acm.org/doi/10.1145/1143844.1143891), 2006
"""

from keras import ops

from zoo.ops.scan import custom_gradient, time_scan

_NEVER = -1e9


def ctc_loss(log_probabilities, mask, targets, lengths):
    """Negative logarithm of the summed probability of all paths of a text.

    Args:
        log_probabilities, mask, targets, lengths: As in the module's docstring; the
            first two of one float dtype.

    Returns:
        `(batch,)`; a billion or so for a text that needs more steps than there are.
        The empty text has one path, of blanks; over no steps its loss is 0.
    """
    # As floats, which every backend lets into a function with a gradient of its own.
    numbers = (ops.cast(x, log_probabilities.dtype) for x in (targets, lengths))
    return _loss(log_probabilities, mask, *numbers)[0]


@custom_gradient
def _loss(log_probabilities, mask, targets, lengths):
    lattice = _Lattice(log_probabilities, targets, lengths)
    ahead, last = lattice.forward(mask, _log_sum)
    total = _log_sum(*lattice.ends(last))

    def gradient(upstream):
        behind = lattice.backward(mask)
        # Both count the step's own emission.
        odds = ahead + behind - lattice.emitted - total[:, None]
        weights = mask * ops.where(total > _NEVER / 2, upstream[0], 0.0)
        posterior = ops.exp(ops.minimum(odds, 0.0)) * weights[:, :, None]
        moved = -ops.einsum("tbs,bsk->tbk", posterior, lattice.one_hot())
        zeros = (ops.zeros_like(x) for x in (mask, targets, lengths))
        return (moved, *zeros)

    return (-total,), gradient


def best_alignment(log_probabilities, mask, targets, lengths):
    """The likeliest path of a text (Viterbi).

    Args:
        log_probabilities, mask, targets, lengths: As in the module's docstring.

    Returns:
        `(time, batch)` int32: which symbol of the text each step is of, counted from 0,
        and -1 at blanks and skipped steps; and the path's log-probability `(batch,)`,
        very low for a text that needs more steps than there are. Neither has a
        gradient.
    """
    lattice = _Lattice(log_probabilities, targets, lengths)
    messages, last = lattice.forward(
        mask, lambda *a: ops.maximum(ops.maximum(*a[:2]), a[-1])
    )
    blank, symbol = lattice.ends(last)
    end = 2 * lattice.lengths
    state = ops.where(ops.logical_or(symbol <= blank, end == 0), end, end - 1)

    # The best predecessor is found again from the stored messages, for the one state
    # that was chosen, instead of for all states on the way forward.
    def step(carried, inputs):
        (state,), (before, inside) = carried, inputs
        inside = inside > 0
        symbol = ops.where(state % 2 == 1, state // 2, -1)
        stay, one, two = (_entry(x, state) for x in lattice.predecessors(before))
        back = ops.where(two > ops.maximum(stay, one), 2, ops.where(one > stay, 1, 0))
        before = state - ops.cast(back, "int32")
        return (ops.where(inside, before, state),), (ops.where(inside, symbol, -1),)

    before = ops.concatenate([lattice.start()[None], messages[:-1]], 0)
    outputs = ((ops.shape(state), "int32"),)
    _, (symbols,) = time_scan(step, (state,), (before, mask), outputs, reverse=True)
    return symbols, ops.maximum(blank, symbol)


class _Lattice:
    """The states of texts, `(batch, states)`, and the moves between them."""

    def __init__(self, log_probabilities, targets, lengths):
        self.dtype = log_probabilities.dtype
        self.size = log_probabilities.shape[-1]
        self.lengths = ops.cast(lengths, "int32")
        symbols = ops.transpose(ops.cast(targets, "int32"))
        batch, count = ops.shape(symbols)
        pairs = ops.stack([ops.zeros_like(symbols), symbols], -1)
        pairs = ops.reshape(pairs, (batch, 2 * count))
        self.labels = ops.pad(pairs, ((0, 0), (0, 1)))
        two_before = ops.pad(self.labels, ((0, 0), (2, 0)))[:, :-2]
        self.skips = ops.logical_and(self.labels > 0, self.labels != two_before)
        self.place = ops.arange(2 * count + 1, dtype="int32")
        time = ops.shape(log_probabilities)[0]
        index = ops.broadcast_to(self.labels[None], (time, *ops.shape(self.labels)))
        emitted = ops.take_along_axis(log_probabilities, index, -1)
        self.emitted = ops.maximum(emitted, _NEVER)

    def one_hot(self):
        labels = ops.arange(self.size, dtype="int32")
        return ops.cast(self.labels[:, :, None] == labels, self.dtype)

    def start(self):
        """Before the first step: nothing but the first blank has been reached."""
        return self._only(ops.zeros_like(self.lengths))

    def _only(self, state):
        there = self.place == state[:, None]
        return ops.cast(ops.where(there, 0.0, _NEVER), self.dtype)

    def predecessors(self, x):
        """Of each state: itself, the one before it, and the one before a blank."""
        one = ops.pad(x, ((0, 0), (1, 0)), constant_values=_NEVER)[:, :-1]
        two = ops.pad(x, ((0, 0), (2, 0)), constant_values=_NEVER)[:, :-2]
        return x, one, ops.where(self.skips, two, _NEVER)

    def successors(self, x):
        """The same in the other direction."""
        one = ops.pad(x, ((0, 0), (0, 1)), constant_values=_NEVER)[:, 1:]
        two = ops.where(self.skips, x, _NEVER)
        two = ops.pad(two, ((0, 0), (0, 2)), constant_values=_NEVER)[:, 2:]
        return x, one, two

    def forward(self, mask, join):
        """Scores of reaching each state at each step, its emission included.

        Args:
            mask: `(time, batch)`.
            join: Function that makes one score of those of three moves.

        Returns:
            `(time, batch, states)`, and the scores after the last step.
        """
        return self._run(mask, join, self.start(), self.predecessors, False)

    def backward(self, mask):
        """Log-probabilities of ending from each state at each step, likewise."""
        end = self._only(2 * self.lengths)
        return self._run(mask, _log_sum, end, self.successors, True)[0]

    def _run(self, mask, join, start, moves, reverse):
        def step(state, inputs):
            (x,), (emitted, inside) = state, inputs
            moved = ops.maximum(join(*moves(x)) + emitted, _NEVER)
            x = ops.where(inside[:, None] > 0, moved, x)
            return (x,), (x,)

        (last,), (scores,) = time_scan(
            step,
            (start,),
            (self.emitted, mask),
            ((ops.shape(start), self.dtype),),
            reverse=reverse,
        )
        return scores, last

    def ends(self, last):
        """Scores of the two states in which a text may end, `(batch,)` each."""
        end = 2 * self.lengths
        symbol = _entry(last, ops.maximum(end - 1, 0))
        return _entry(last, end), ops.where(end > 0, symbol, _NEVER)


def _entry(x, place):
    return ops.take_along_axis(x, place[:, None], 1)[:, 0]


def _log_sum(*scores):
    most = scores[0]
    for score in scores[1:]:
        most = ops.maximum(most, score)
    return most + ops.log(sum(ops.exp(score - most) for score in scores))
