"""What the attention layers share: the call, masks, checks, alignments."""

import keras
from keras import ops

from zoo.eager import check_finite, mask_tensor
from zoo.layers.output_shape import OutputShape
from zoo.ops.attention import Products, masked_softmax, product


class Attention(OutputShape):
    """Mixed into the attention layers, in front of `keras.layers.Layer`.

    A subclass makes its weights in `build`, and gives `matrices`, `vectors`,
    `project` and `scores`. `zoo.layers.AttentionCell` runs these in its loop.
    """

    # Which earlier alignments are read: "previous", "cumulative".
    alignment_names = ()

    # Whether `scores` multiplies queries with the keys, and does not add them.
    multiplies_keys = False

    def __init__(self, **kwargs):
        # The layer casts for itself: Keras would round alignments to bfloat16.
        super().__init__(autocast=False, **kwargs)
        self.supports_masking = True

    @property
    def state_dtype(self):
        """dtype of scores and weights: float32, or float64 in a float64 layer."""
        return "float64" if self.compute_dtype == "float64" else "float32"

    def matrices(self):
        """Dictionary of the tensors that a query is multiplied with."""
        return {}

    def vectors(self):
        """Dictionary of all other tensors that `scores` reads."""
        return {}

    def project(self, values, mask=None):
        """Keys `(batch, source, units)` of values: made once, used by every query."""
        raise NotImplementedError(f"{type(self).__name__} must implement `project`.")

    def scores(self, multiply, vectors, query, keys, alignments):
        """Scores of all places for each query.

        Args:
            multiply: Function `(name, x, transpose=False)`: the product of `x` with
                one of `matrices`, or with `"keys"`.
            vectors: What `vectors` returned.
            query: `(batch, query_dim)`, or `(batch, queries, query_dim)`.
            keys: `(batch, source, units)`.
            alignments: List of tensors of the shape of the scores.

        Returns:
            `(batch, source)`, or `(batch, queries, source)`.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement `scores`.")

    def attend(self, multiply, vectors, query, keys, mask, alignments):
        """Context and weights; `multiply` also knows `"values"`."""
        scores = self.scores(multiply, vectors, query, keys, alignments)
        if mask is not None and len(scores.shape) == 3:
            mask = ops.expand_dims(mask, 1)
        weights = masked_softmax(scores, mask)
        return multiply("values", weights), weights

    def prepare(self, values, keys=None, mask=None):
        """Values, keys and mask, as `attend` takes them."""
        values = self.clean(values, mask)
        keys = self.project(values) if keys is None else self.clean(keys, mask)
        return values, keys, mask_tensor(mask)

    def clean(self, x, mask):
        """In the dtype of scores, and 0 in padding: NaN must not reach a product."""
        x = ops.cast(x, self.state_dtype)
        if mask is None:
            return x
        mask = ops.expand_dims(ops.cast(mask, "bool"), -1)
        return ops.where(mask, x, ops.zeros_like(x))

    def initial_alignments(self, batch_size, source_time):
        """List of zeros `(batch_size, source_time)`, one for each that is read."""
        shape = (batch_size, source_time)
        return [ops.zeros(shape, self.state_dtype) for _ in self.alignment_names]

    def next_alignments(self, alignments, weights):
        """List of alignments for the step after the one that gave `weights`."""
        return [
            weights if name == "previous" else alignment + weights
            for name, alignment in zip(self.alignment_names, alignments, strict=True)
        ]

    def call(self, query, values, keys=None, mask=None, alignments=None):
        query = ops.cast(ops.convert_to_tensor(query), self.state_dtype)
        values, mask = ops.convert_to_tensor(values), mask_tensor(mask)
        self._check(query, values, keys, mask, alignments)
        values, keys, mask = self.prepare(values, keys, mask)
        if alignments is None:
            shape = (*ops.shape(query)[:-1], ops.shape(values)[1])
            alignments = [
                ops.zeros(shape, self.state_dtype) for _ in self.alignment_names
            ]
        alignments = [ops.cast(a, self.state_dtype) for a in alignments]
        tensors = {**self.matrices(), "keys": keys, "values": values}
        multiply = Products(tensors, self.product_dtype)
        context, weights = self.attend(
            multiply, self.vectors(), query, keys, mask, alignments
        )
        return ops.cast(context, self.compute_dtype), weights

    @property
    def product_dtype(self):
        """dtype of products where it is not that of the scores, else `None`."""
        same = self.compute_dtype == self.state_dtype
        return None if same else self.compute_dtype

    def compute_output_spec(self, query, values, keys=None, mask=None, alignments=None):
        self._check(query, values, keys, mask, alignments)
        lead = tuple(query.shape[:-1])
        context = keras.KerasTensor((*lead, values.shape[-1]), self.compute_dtype)
        return context, keras.KerasTensor((*lead, values.shape[1]), self.state_dtype)

    def compute_mask(self, query, previous_mask=None):
        return None, None

    def multiply_values(self, values, kernel):
        """`values @ kernel` for `(batch, source, features)`, as one large product."""
        batch, source, _ = ops.shape(values)
        flat = ops.reshape(values, (-1, values.shape[-1]))
        flat = product(flat, self.tensor(kernel), compute_dtype=self.product_dtype)
        return ops.reshape(flat, (batch, source, kernel.shape[-1]))

    def tensor(self, variable):
        """A variable in the dtype of scores."""
        return ops.cast(ops.convert_to_tensor(variable), self.state_dtype)

    def check_size(self, name, size):
        """Returns a positive integer, or says that it should be one."""
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise ValueError(
                f"`{name}` of layer '{self.name}' must be a positive integer. "
                f"Received: {size!r}"
            )
        return size

    def check_choice(self, name, value, choices):
        """Returns one of the choices, or says which there are."""
        if value not in choices:
            known = ", ".join(map(repr, choices))
            raise ValueError(
                f"`{name}` of layer '{self.name}' must be one of {known}. "
                f"Received: {value!r}"
            )
        return value

    def _check(self, query, values, keys, mask, alignments):
        who = f"Layer '{self.name}' ({type(self).__name__})"
        if len(query.shape) not in (2, 3):
            raise ValueError(
                f"{who} takes a query of shape (batch, query_dim) or (batch, queries, "
                f"query_dim). Received shape: {tuple(query.shape)}"
            )
        self.check_memory(who, values, mask)
        check_finite(who, "query", query)
        check_finite(who, "values", values, mask)
        for name, got, built in (
            ("query", query.shape[-1], getattr(self, "query_dim", None)),
            ("values", values.shape[-1], getattr(self, "value_dim", None)),
        ):
            if built is not None and got != built:
                raise ValueError(
                    f"{who} was built for {name} with {built} features. Received: {got}"
                )
        source = tuple(values.shape[:2])
        if keys is not None and not _fits(keys.shape, (*source, None)):
            raise ValueError(
                f"{who} takes keys as `project` makes them, (batch, source, units) "
                f"with {source} in front. Received shape: {tuple(keys.shape)}"
            )
        if alignments is None:
            return
        wanted = (*query.shape[:-1], source[1])
        names = self.alignment_names
        if len(alignments) != len(names) or not all(
            _fits(a.shape, wanted) for a in alignments
        ):
            shapes = [tuple(a.shape) for a in alignments]
            raise ValueError(
                f"{who} takes {len(names)} `alignments` {names} of shape {wanted}. "
                f"Received shapes: {shapes}"
            )

    @staticmethod
    def check_memory(who, values, mask):
        """Raises if what is attended to, or its mask, has no fitting shape."""
        if len(values.shape) != 3:
            raise ValueError(
                f"{who} attends to values of shape (batch, source, features). "
                f"Received shape: {tuple(values.shape)}"
            )
        if values.shape[1] == 0:
            raise ValueError(
                f"{who} needs at least one place to attend to. Received values of "
                f"shape: {tuple(values.shape)}"
            )
        if mask is not None and not _fits(mask.shape, values.shape[:2]):
            raise ValueError(
                f"{who} takes a mask of the values, (batch, source) = "
                f"{tuple(values.shape[:2])}. Received shape: {tuple(mask.shape)}"
            )


def _fits(shape, wanted):
    """Whether two shapes agree where both are known."""
    return len(shape) == len(wanted) and all(
        a is None or b is None or a == b for a, b in zip(shape, wanted, strict=True)
    )
