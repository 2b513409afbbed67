"""Linear-chain conditional random field."""

import keras
import numpy as np
from keras import initializers, ops, regularizers

from zoo.eager import check_finite, mask_tensor, values_of
from zoo.layers.output_shape import OutputShape
from zoo.ops.crf import best_path, log_partition, marginals, path_scores

# What an illegal move costs in a constrained likelihood: more than logits can pay
# for, and still finite if the given tags make one.
_ILLEGAL = -1e6


@keras.saving.register_keras_serializable(package="zoo")
class CRF(OutputShape, keras.layers.Layer):
    r"""Linear-chain conditional random field over a sequence of tags.

    $$
    \begin{aligned}
    s(y) &= a_{y_1} + \sum_t x_{t, y_t} + \sum_{t > 1} A_{y_{t-1}, y_t} + b_{y_n} \\
    -\log p(y \mid x) &= \log \sum_{y'} e^{s(y')} - s(y)
    \end{aligned}
    $$

    with logits $x$, and as weights the `transitions` $A$ (from, to), `start` $a$ and
    `end` $b$. Decoding is $\arg\max_y s(y)$, by Viterbi's algorithm.

    Masked steps, in any pattern, are not in the chain: the neighbours of a hole are
    adjacent. Logits and tags there are not read. An empty row's likelihood is 1.

    Scores are summed in float32 under every policy but float64. The likelihood's
    gradient is its closed form, and trains under `jit_compile=True`.

    Args:
        num_tags: Number of tags.
        tag_names: `None`, or the tags' names in order: `"O"`, `"B-x"` and `"I-x"`.
            Then decoding enters an `"I-x"` only from a `"B-x"` or an `"I-x"`.
        constrain_likelihood: Whether that also holds for the likelihood and the
            marginals. Given tags that break the rule then cost a million each.
        use_boundaries: Whether to learn scores for the first and the last tag.
        transition_initializer, transition_regularizer: Initialiser of all weights, and
            regulariser of the transitions.
        **kwargs: `name`, `dtype` and `trainable`.

    Call arguments:
        logits: `(batch, time, num_tags)`, scores of the tags, no softmax.
        tags: Integers `(batch, time)`, the true tags, or `None` to decode.
        mask: Boolean `(batch, time)`, true for valid steps; `None` if all are valid.
        marginals: Whether to return the tags' probabilities instead of decoding.

    Returns:
        With `tags` their negative log-likelihood, `(batch,)`: use its mean as the
        loss. Without, the best tags, `(batch, time)` int32, or with `marginals` each
        tag's probability, `(batch, time, num_tags)`; both are 0 at masked steps.

    Raises:
        ValueError: If a shape or dtype does not fit, or if tags are out of range (in
            compiled code, where values cannot be checked, such a row gives NaN).

    Example:

    >>> import numpy as np
    >>> crf = CRF(3, tag_names=["O", "B-city", "I-city"])
    >>> logits = np.array([[[0, 1, 2], [0, 1, 2], [9, 9, 9]]], "float32")
    >>> mask = np.array([[True, True, False]])
    >>> np.asarray(crf(logits, mask=mask)).tolist()
    [[1, 2, 0]]
    >>> tuple(crf(logits, tags=np.array([[1, 2, -1]]), mask=mask).shape)
    (1,)

    References:
        - Lafferty, McCallum and Pereira, [Conditional random fields](
          https://dl.acm.org/doi/10.5555/645530.655813), 2001
        - Collobert et al., [Natural language processing (almost) from scratch](
          https://jmlr.org/papers/v12/collobert11a.html), 2011
        - Lample et al., [Neural architectures for named entity recognition](
          https://arxiv.org/abs/1603.01360), 2016
    """

    def __init__(
        self,
        num_tags,
        *,
        tag_names=None,
        constrain_likelihood=False,
        use_boundaries=True,
        transition_initializer="zeros",
        transition_regularizer=None,
        **kwargs,
    ):
        # Keras would round the logits to bfloat16 before they are summed.
        super().__init__(autocast=False, **kwargs)
        if isinstance(num_tags, bool) or not isinstance(num_tags, int) or num_tags < 1:
            raise ValueError(
                f"`num_tags` of layer '{self.name}' must be a positive integer. "
                f"Received: {num_tags!r}"
            )
        if constrain_likelihood and tag_names is None:
            raise ValueError(
                f"`constrain_likelihood` of layer '{self.name}' needs `tag_names`, "
                "such as ['O', 'B-city', 'I-city']."
            )
        self.num_tags = num_tags
        self.tag_names = None if tag_names is None else tuple(tag_names)
        self.constrain_likelihood = bool(constrain_likelihood)
        self.use_boundaries = bool(use_boundaries)
        self.transition_initializer = initializers.get(transition_initializer)
        self.transition_regularizer = regularizers.get(transition_regularizer)
        self.supports_masking = True
        if tag_names is not None:
            self._legal = _legal_moves(self.name, self.tag_names, num_tags)

    def build(self, logits_shape):
        def add(name, shape, regularizer=None):
            return self.add_weight(
                shape=shape,
                name=name,
                initializer=self.transition_initializer,
                regularizer=regularizer,
                autocast=False,
            )

        shape = (self.num_tags, self.num_tags)
        self.transitions = add("transitions", shape, self.transition_regularizer)
        if self.use_boundaries:
            self.start = add("start", (self.num_tags,))
            self.end = add("end", (self.num_tags,))

    # One tensor whatever the call: Keras needs a layer's calls alike in their outputs.
    def call(self, logits, tags=None, mask=None, marginals=False):
        mask = mask_tensor(mask)
        self._check_shapes(logits, mask, tags, marginals)
        if tags is not None:
            return self.negative_log_likelihood(logits, tags, mask=mask)
        return self.marginals(logits, mask) if marginals else self.decode(logits, mask)

    def decode(self, logits, mask=None, return_score=False):
        """Best tags `(batch, time)` int32; with `return_score` also `(batch,)`."""
        logits, mask = self._prepare(logits, mask)
        tags, score = best_path(logits, mask, *self._weights(decoding=True))
        return (ops.transpose(tags), score) if return_score else ops.transpose(tags)

    def negative_log_likelihood(self, logits, tags, mask=None):
        """What `tags` cost, `(batch,)`: -log of their probability given the logits."""
        tags, mask = ops.convert_to_tensor(tags), mask_tensor(mask)
        self._check_shapes(logits, mask, tags)
        logits, mask = self._prepare(logits, mask)
        inside = mask > 0
        tags = ops.transpose(ops.cast(tags, "int32"))
        tags = ops.where(inside, tags, ops.zeros_like(tags))
        self._check_values(tags)
        known = ops.logical_and(tags >= 0, tags < self.num_tags)
        tags = ops.clip(tags, 0, self.num_tags - 1)
        weights = self._weights()
        offsets = path_scores(logits, tags, mask, *weights)
        cost = log_partition(logits, mask, *weights, offsets)
        return ops.where(ops.all(known, axis=0), cost, ops.full_like(cost, np.nan))

    def log_partition(self, logits, mask=None):
        """Logarithm of the sum of the exponentiated scores of all paths, `(batch,)`."""
        logits, mask = self._prepare(logits, mask)
        return log_partition(logits, mask, *self._weights())

    def marginals(self, logits, mask=None):
        """Probability of each tag at each step, `(batch, time, num_tags)`.

        Masked steps give 0. There is no gradient.
        """
        logits, mask = self._prepare(logits, mask)
        return ops.transpose(marginals(logits, mask, *self._weights()), (1, 0, 2))

    def _prepare(self, logits, mask):
        """Checks and casts, turns time first, and takes up Keras' own mask."""
        if mask is None:
            # Keras hands its implicit mask to `call` only if there are no tags.
            mask = getattr(logits, "_keras_mask", None)
        mask = mask_tensor(mask)
        self._check_shapes(logits, mask)
        check_finite(f"Layer '{self.name}' (CRF)", "logits", logits, mask)
        if not self.built:
            self.build(logits.shape)
        logits = ops.transpose(ops.convert_to_tensor(logits), (1, 0, 2))
        logits = ops.cast(logits, self._sum_dtype)
        if mask is None:
            return logits, ops.ones_like(logits[:, :, 0])
        return logits, ops.cast(ops.transpose(mask), self._sum_dtype)

    @property
    def _sum_dtype(self):
        return "float64" if self.compute_dtype == "float64" else "float32"

    def _weights(self, decoding=False):
        """Transitions, start and end as they count in decoding or the likelihood."""
        weights = [self.transitions]
        if self.use_boundaries:
            weights += [self.start, self.end]
        weights = [ops.cast(ops.convert_to_tensor(w), self._sum_dtype) for w in weights]
        if not self.use_boundaries:
            weights += [ops.zeros_like(weights[0][0])] * 2
        transitions, start, end = weights
        if self.tag_names and (decoding or self.constrain_likelihood):
            moves, starts = (ops.convert_to_tensor(legal) for legal in self._legal)
            wall = ops.full_like(transitions, -np.inf if decoding else _ILLEGAL)
            transitions = ops.where(moves, transitions, wall)
            start = ops.where(starts, start, wall[0])
        return transitions, start, end

    def _check_shapes(self, logits, mask, tags=None, marginals=False):
        if tags is not None and marginals:
            raise ValueError(
                f"Layer '{self.name}' returns marginals or, with `tags`, a likelihood. "
                "Call it once for each."
            )
        shape = tuple(logits.shape)
        if len(shape) != 3 or shape[-1] != self.num_tags or 0 in shape:
            raise ValueError(
                f"Layer '{self.name}' needs logits of shape (batch, time, "
                f"{self.num_tags}), at least one row and step. Received: {shape}"
            )
        for name, other in (("mask", mask), ("tags", tags)):
            if other is None:
                continue
            got = tuple(other.shape)
            pairs = zip(got, shape, strict=False)
            if len(got) != 2 or any(a != b for a, b in pairs if None not in (a, b)):
                raise ValueError(
                    f"Layer '{self.name}' needs `{name}` of shape {shape[:2]}, as its "
                    f"logits {shape}. Received: {got}"
                )
        if tags is not None and "int" not in keras.backend.standardize_dtype(
            tags.dtype
        ):
            raise ValueError(
                f"Layer '{self.name}' needs integer tags, such as int32. "
                f"Received: {keras.backend.standardize_dtype(tags.dtype)}"
            )

    def _check_values(self, tags):
        tags = values_of(tags)
        if tags is None:  # Compiled code has no values yet.
            return
        if tags.size and not 0 <= tags.min() <= tags.max() < self.num_tags:
            raise ValueError(
                f"Tags of layer '{self.name}' must lie in [0, {self.num_tags}) where "
                f"the mask is true. Received: {tags.min()} to {tags.max()}"
            )

    def compute_output_spec(self, logits, tags=None, mask=None, marginals=False):
        self._check_shapes(logits, mask, tags, marginals)
        if tags is not None:
            return keras.KerasTensor(logits.shape[:1], self._sum_dtype)
        if marginals:
            return keras.KerasTensor(logits.shape, self._sum_dtype)
        return keras.KerasTensor(logits.shape[:2], "int32")

    def compute_mask(self, inputs, previous_mask):
        return None

    def get_config(self):
        return {
            **super().get_config(),
            "num_tags": self.num_tags,
            "tag_names": None if self.tag_names is None else list(self.tag_names),
            "constrain_likelihood": self.constrain_likelihood,
            "use_boundaries": self.use_boundaries,
            "transition_initializer": initializers.serialize(
                self.transition_initializer
            ),
            "transition_regularizer": regularizers.serialize(
                self.transition_regularizer
            ),
        }


def _legal_moves(layer, names, num_tags):
    """Boolean arrays of the legal moves `(tags, tags)` and first tags `(tags,)`."""
    well_formed = all(
        isinstance(n, str) and (n == "O" or (n[:2] in ("B-", "I-") and n[2:]))
        for n in names
    )
    if not well_formed or len(set(names)) != len(names):
        raise ValueError(
            f"`tag_names` of layer '{layer}' must be different strings 'O', 'B-x' or "
            f"'I-x'; write other schemes as BIO first. Received: {list(names)}"
        )
    if len(names) != num_tags:
        raise ValueError(
            f"`tag_names` of layer '{layer}' must hold one name for each of its "
            f"{num_tags} tags. Received {len(names)}: {list(names)}"
        )
    inside = np.array([name.startswith("I-") for name in names])
    if inside.all():
        raise ValueError(
            f"`tag_names` of layer '{layer}' need an 'O' or a 'B-x': a sequence cannot "
            f"start with an 'I-x'. Received: {list(names)}"
        )
    labels = np.array([name[2:] for name in names])
    return ~inside | (labels[:, None] == labels), ~inside
