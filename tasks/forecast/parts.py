"""The layers of a forecaster, which several graphs share."""

from keras import layers, ops

from tasks.forecast.heads import get_head
from tasks.forecast.leading_median import LeadingMedian
from tasks.forecast.normalization import ReversibleNormalization
from zoo.layers import Stack


class Parts:
    """Layers by name, each made on first use.

    Args:
        options: Dict of the options of `tasks.forecasting.Forecaster`, with the sizes
            that the model is built with.

    Attributes:
        head: The head, see `tasks.forecast.heads`.

    Example: `parts("hidden", keras.layers.Dense, 8)` is the same layer each time.
    """

    def __init__(self, options):
        self.options = options
        self.head = get_head(options["head"], options["quantiles"])
        self._made = {}

    def __call__(self, name, make, *args, **kwargs):
        """The layer of this name; if there is none, `make(..., name=name)` makes it."""
        if name not in self._made:
            self._made[name] = make(*args, name=name, **kwargs)
        return self._made[name]

    @property
    def normalize(self):
        """What brings windows to one scale."""
        kind = self.options["normalization"]
        return self("normalization", ReversibleNormalization, kind)

    @property
    def row_size(self):
        """Length of the vector that tells what a row is about, beside each step."""
        return min(self.options["units"], 16)

    @property
    def encoder(self):
        """The recurrent layers; they return states, too."""
        options = self.options
        return self(
            "encoder",
            Stack.of,
            options["layer"],
            options["units"],
            options["num_layers"],
            return_sequences=options["architecture"] == "autoregressive",
            return_state=True,
            layer_options=dict(options["layer_options"]),
            dropout=options["dropout"] if options["num_layers"] > 1 else 0.0,
        )

    def raw(self, y, steps):
        """The head's raw numbers of some steps: `(..., features)` to `(..., steps, n)`.

        Args:
            y: Tensor `(rows, ..., features)`.
            steps: Number of steps that each of its vectors stands for.
        """
        size = self.head.size
        if self.options["median_leads"]:
            return self("head", LeadingMedian, steps, self.head.levels)(y)
        raw = self("head", layers.Dense, steps * size)(y)
        return ops.reshape(raw, (-1, *y.shape[1:-1], steps, size))

    def about_row(self, inputs, size):
        """A vector of each row for its channel and static features.

        Every channel has a vector of its own, that static features are added to.

        Args:
            inputs: Dict of `tasks.forecast.inputs.window_inputs`.
            size: Length of the vector.

        Returns:
            `(rows, size)`, or `None` if rows have neither.
        """
        found = []
        if "channel" in inputs:
            table = self("channel_embedding", layers.Dense, size, use_bias=False)
            # A product with a table of few rows has a far cheaper gradient than a
            # look-up.
            channels = self.options["channels"]
            found.append(table(ops.one_hot(inputs["channel"], channels)))
        if "static" in inputs:
            embed = self("static_embedding", layers.Dense, size)
            found.append(embed(inputs["static"]))
        return sum(found[1:], found[0]) if found else None
