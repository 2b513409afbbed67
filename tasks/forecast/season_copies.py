"""What past seasons say of the next ones: a mixture of them, weighed by the model."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="tasks")
class SeasonCopies(keras.layers.Layer):
    r"""Foretells each future season as a mean of the past ones, with learned weights.

    With the context cut into its whole seasons $x_1 \dots x_S$, the latest last, and
    the state $h_b$ that the encoder has for future season $b$:

    $$ w_b = \text{softmax}(W h_b + c), \qquad \hat{x}_b = \sum_s w_{b, s}\, x_s $$

    One weight of 1 is a seasonal naive forecast; for hours of a day, weight on the
    latest and on the seventh last season is a mixture of yesterday and the same day of
    last week. A model that adds its own output to this has to learn only what is new.
    Where a value is missing, the weights of the others are made to sum to 1.

    Args:
        season: Steps of a season.
        horizon: Steps to foretell.
        **kwargs: `name`, `dtype` and `trainable`.

    Call arguments:
        state: `(rows, units)`, or one for each future season: `(rows, seasons, units)`
            with as many seasons as the horizon has, the last one perhaps in part.
        values: `(rows, time)`, a season at least.
        mask: Boolean `(rows, time)`, false where a value is missing.

    Returns:
        `(rows, horizon)`; 0 where a place in the season was never seen.

    Raises:
        ValueError: If the context is shorter than a season.

    Example:

    >>> copies = SeasonCopies(season=24, horizon=48)
    >>> values, mask = ops.ones((2, 336)), ops.ones((2, 336), dtype="bool")
    >>> tuple(copies(ops.zeros((2, 8)), values, mask=mask).shape)
    (2, 48)

    Reference:
        - Vinyals et al., [Pointer networks](https://arxiv.org/abs/1506.03134), 2015,
          whose weighing of past inputs this is, over seasons in place of steps
    """

    def __init__(self, season, horizon, **kwargs):
        super().__init__(**kwargs)
        for name, value in (("season", season), ("horizon", horizon)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"`{name}` must be a positive integer; got {value!r}.")
        self.season, self.horizon = season, horizon
        self.ahead = -(-horizon // season)
        self.supports_masking = True

    def build(self, state_shape, values_shape, *_):
        self.seasons = values_shape[1] // self.season
        if not self.seasons:
            raise ValueError(
                f"A context of {values_shape[1]} steps holds no season of "
                f"{self.season}: expected that many steps or more."
            )
        each = self.seasons if len(state_shape) == 3 else self.seasons * self.ahead
        self.kernel = self.add_weight(
            shape=(state_shape[-1], each), initializer="zeros", name="kernel"
        )
        self.bias = self.add_weight(shape=(each,), initializer="zeros", name="bias")
        self.built = True

    def call(self, state, values, mask):
        logits = ops.matmul(state, self.kernel) + self.bias
        logits = ops.reshape(logits, (-1, self.ahead, self.seasons))
        weights = ops.softmax(ops.cast(logits, "float32"))
        there = ops.cast(mask, "float32")
        known = ops.where(mask, ops.cast(values, "float32"), 0.0)
        total = ops.matmul(weights, self._by_season(known))
        share = ops.matmul(weights, self._by_season(there))
        # A weight of almost nothing is no reason to divide by it.
        mixture = ops.where(share > 1e-6, total / ops.maximum(share, 1e-6), 0.0)
        mixture = ops.reshape(mixture, (-1, self.ahead * self.season))
        return ops.cast(mixture[:, : self.horizon], self.compute_dtype)

    def compute_mask(self, *_):
        """None: every step of the horizon has a value."""
        return None

    def _by_season(self, x):
        """The latest whole seasons: `(rows, seasons, season)`."""
        return ops.reshape(
            x[:, -self.seasons * self.season :], (-1, self.seasons, self.season)
        )

    def compute_output_spec(self, state, values, mask):
        return keras.KerasTensor((state.shape[0], self.horizon), self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "season": self.season,
            "horizon": self.horizon,
        }
