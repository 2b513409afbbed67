"""What all recurrent layers share: states in and out, masks, direction, one step."""

from numbers import Integral, Real

import keras
from keras import ops

from zoo import devices
from zoo.eager import check_finite, mask_tensor
from zoo.layers.output_shape import OutputShape
from zoo.streams import compiled_step

# The fastest first, on a device that suits it.
ENGINES = ("cudnn", "parallel", "loop")

# What stands here for options of Keras' own recurrent layers.
INSTEAD = {
    "go_backwards": "`reverse=True` runs backwards, with outputs in the order of the "
    "inputs, and `zoo.layers.Bidirectional` in both directions",
    "stateful": "states come out with `return_state=True` and go in as "
    "`initial_state`; `zoo.streams` carries them from call to call",
    "unroll": "`jit_compile=True` compiles the loop over time",
    "use_cudnn": '`engine="cudnn"` asks for the GPU\'s own layer',
}


class Recurrent(OutputShape, keras.layers.Layer):
    """Base class of the recurrent layers.

    A subclass gives `state_sizes`, makes its weights in `build`, and implements
    `scan`. This class checks what comes in, turns it time first, and turns what
    comes out into what the options ask for.

    Masked steps hold the state, and show the held state as their output. Any pattern
    of masked steps is legal: padding on either side, holes, and rows without a single
    valid step. States, and sums over features, are float32 also where the layer
    computes in bfloat16 or float16.

    Args:
        units: Size of the output.
        return_sequences: Whether to return the output of all steps, or of the last.
        return_state: Whether to return the final states too.
        reverse: Whether to run from the last valid step of each row to its first.
            Unlike Keras' `go_backwards`, outputs keep the order of the inputs.
        seed: Integer, makes random masks reproducible.
        engine: What runs the recurrence: `"loop"`, step after step; `"parallel"`, all
            steps at once; `"cudnn"`, the GPU's own layer; `"auto"`, the fastest that
            the options and the device allow. They differ in speed alone, and not
            every layer has them all: `engines` lists those it has, and `why_not`
            says what stands against one.
        **kwargs: `name`, `dtype` and `trainable`.

    Call arguments:
        inputs: `(batch, time, features)`.
        mask: Boolean `(batch, time)`, true for valid steps; `None` if all are valid.
        initial_state: List of tensors `(batch, size)`, one for each of the layer's
            states; `None` for zeros.
        training: Whether to drop and to zone out at random.

    Returns:
        `(batch, time, units)`, or without `return_sequences` `(batch, units)`. With
        `return_state`, a tuple of that and each final state.

    Raises:
        ValueError: If a shape does not fit, or the engine asked for cannot be used;
            the message names the layer, what came and what would work.
    """

    engines = ("loop",)

    def __init__(
        self,
        units,
        *,
        return_sequences=False,
        return_state=False,
        reverse=False,
        seed=None,
        engine="auto",
        **kwargs,
    ):
        for option in INSTEAD.keys() & kwargs.keys():
            raise ValueError(
                f"{type(self).__name__} has no option `{option}`: {INSTEAD[option]}."
            )
        # The layer casts for itself: Keras would round states to bfloat16.
        super().__init__(autocast=False, **kwargs)
        self.units = check_size(self.name, "units", units)
        self.return_sequences = bool(return_sequences)
        self.return_state = bool(return_state)
        self.reverse = bool(reverse)
        self.seed = seed
        self.engine = check_engine(self.name, engine)
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True
        self.supports_jit = True

    @property
    def state_sizes(self):
        """Tuple of the sizes of the states."""
        return (self.units,)

    @property
    def output_size(self):
        """Number of features of the output."""
        return self.units

    @property
    def state_dtype(self):
        """dtype of states: float32, or float64 in a float64 layer."""
        return "float64" if self.compute_dtype == "float64" else "float32"

    def why_not(self, engine):
        """Why the layer cannot use an engine here: a sentence; `None` if it can."""
        check_engine(self.name, engine)
        if engine == "auto":
            return None
        if engine not in self.engines:
            known = ", ".join(repr(e) for e in self.engines)
            return f"{type(self).__name__} has no such engine; it has {known}."
        return self._refuses(engine)

    def _refuses(self, engine):
        """For subclasses: what stands against one of their engines, or `None`."""
        return None

    def chosen_engine(self):
        """The engine that runs: the one asked for, or with `"auto"` the fastest.

        A plain loop beats parallel engines on a CPU, so there they run on demand
        only.

        Raises:
            ValueError: If the engine asked for cannot be used.
        """
        if self.engine != "auto":
            reason = self.why_not(self.engine)
            if reason is not None:
                raise ValueError(
                    f"Layer '{self.name}' ({type(self).__name__}) cannot use "
                    f'engine={self.engine!r}: {reason} engine="auto" always works.'
                )
            return self.engine
        for engine in ENGINES[:-1]:
            slow = engine == "parallel" and devices.kind() == "cpu"
            if not slow and engine in self.engines and not self._refuses(engine):
                return engine
        return "loop"

    def scan(self, inputs, mask, state, training):
        """Runs over all steps.

        Args:
            inputs: `(time, batch, features)`.
            mask: Boolean `(time, batch)` or `None`.
            state: Tuple of tensors `(batch, size)`.
            training: Boolean.

        Returns:
            Outputs `(time, batch, units)` and the final state.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement `scan`.")

    def get_initial_state(self, batch_size):
        """Zeros: list of `(batch_size, size)`, one for each state."""
        return [ops.zeros((batch_size, n), self.state_dtype) for n in self.state_sizes]

    def call(self, inputs, mask=None, initial_state=None, training=None):
        inputs, mask = ops.convert_to_tensor(inputs), mask_tensor(mask)
        self._check(inputs, mask, initial_state)
        batch = ops.shape(inputs)[0]
        if initial_state is None:
            state = self.get_initial_state(batch)
        else:
            state = [ops.cast(s, self.state_dtype) for s in initial_state]
        if mask is not None:
            # What stands in padding, NaN too, must not reach a product.
            inputs = ops.where(ops.expand_dims(mask, -1), inputs, 0)
            mask = ops.transpose(mask)
        steps = ops.transpose(ops.cast(inputs, self.compute_dtype), (1, 0, 2))
        outputs, state = self.scan(steps, mask, tuple(state), bool(training))
        if self.return_sequences:
            outputs = ops.transpose(outputs, (1, 0, 2))
        else:
            # Masked steps hold, so the end of the scan is the last valid output.
            outputs = outputs[0 if self.reverse else -1]
        outputs = ops.cast(outputs, self.compute_dtype)
        return (outputs, *state) if self.return_state else outputs

    def step(self, inputs, state=None, training=False):
        """Runs one time step, for streams.

        Args:
            inputs: `(batch, features)`.
            state: List of states as this method returns them; `None` to start.
            training: Whether to drop and to zone out at random.

        Returns:
            Output `(batch, units)` and the list of new states.

        Raises:
            ValueError: If a shape does not fit.
        """
        inputs = ops.convert_to_tensor(inputs)
        if len(inputs.shape) != 2:
            raise ValueError(
                f"`step` of layer '{self.name}' ({type(self).__name__}) takes inputs "
                f"of shape (batch, features). Received shape: {tuple(inputs.shape)}"
            )
        batch, features = inputs.shape
        if not self.built:
            self.build((batch, None, features))
        self._check(ops.expand_dims(inputs, 1), None, state)
        if state is None:
            state = self.get_initial_state(ops.shape(inputs)[0])
        state = tuple(ops.cast(s, self.state_dtype) for s in state)
        inputs = ops.cast(inputs, self.compute_dtype)
        output, state = self._one_step(inputs, state, bool(training))
        return ops.cast(output, self.compute_dtype), list(state)

    def _one_step(self, inputs, state, training):
        """Output and state after one step; a subclass may know a shorter way."""
        outputs, state = self.scan(ops.expand_dims(inputs, 0), None, state, training)
        return outputs[0], state

    def compiled_step(self):
        """`step` at inference as a compiled function; see `zoo.streams`."""
        return compiled_step(self)

    def compute_output_spec(self, inputs, mask=None, initial_state=None, training=None):
        self._check(inputs, mask, initial_state)
        batch, time, _ = inputs.shape
        shape = (batch, time) if self.return_sequences else (batch,)
        output = keras.KerasTensor((*shape, self.output_size), self.compute_dtype)
        if not self.return_state:
            return output
        states = [
            keras.KerasTensor((batch, n), self.state_dtype) for n in self.state_sizes
        ]
        return (output, *states)

    def compute_mask(self, inputs, mask=None):
        # Implicit masks travel on for those who still use them; this package
        # passes masks by name.
        mask = mask if self.return_sequences else None
        return (mask, *(None for _ in self.state_sizes)) if self.return_state else mask

    def _check(self, inputs, mask, initial_state):
        self.chosen_engine()
        who, shape = f"Layer '{self.name}' ({type(self).__name__})", inputs.shape
        if len(shape) != 3:
            raise ValueError(
                f"{who} takes inputs of shape (batch, time, features). "
                f"Received shape: {tuple(shape)}"
            )
        if shape[1] == 0:
            raise ValueError(f"{who} needs at least one time step. Received: {shape}")
        expected = getattr(self, "input_features", None)
        if expected is not None and shape[2] != expected:
            raise ValueError(
                f"{who} was built for {expected} features. Received shape: {shape}"
            )
        if mask is not None and not _fits(mask.shape, shape[:2]):
            raise ValueError(
                f"{who} takes a mask of shape (batch, time) = {tuple(shape[:2])}. "
                f"Received shape: {tuple(mask.shape)}"
            )
        check_finite(who, "inputs", inputs, mask)
        if initial_state is None:
            return
        sizes = self.state_sizes
        if not isinstance(initial_state, (list, tuple)):
            raise ValueError(
                f"{who} takes `initial_state` as a list of {len(sizes)} tensors. "
                f"Received: {type(initial_state).__name__}"
            )
        shapes = [tuple(s.shape) for s in initial_state]
        wanted = [(shape[0], n) for n in sizes]
        if len(shapes) != len(sizes) or not all(map(_fits, shapes, wanted)):
            raise ValueError(
                f"{who} takes `initial_state` of shapes {wanted}. Received: {shapes}"
            )
        for state in initial_state:
            check_finite(who, "initial_state", state)

    def get_config(self):
        config = super().get_config()
        return {
            **config,
            "units": self.units,
            "return_sequences": self.return_sequences,
            "return_state": self.return_state,
            "reverse": self.reverse,
            "seed": self.seed,
            "engine": self.engine,
        }


def _fits(shape, wanted):
    """Whether two shapes agree where both are known."""
    return len(shape) == len(wanted) and all(
        a is None or b is None or a == b for a, b in zip(shape, wanted, strict=True)
    )


def check_size(layer, name, size):
    """Returns a positive integer as `int`, or says that it should be one."""
    if isinstance(size, bool) or not isinstance(size, Integral) or size < 1:
        raise ValueError(
            f"`{name}` of layer '{layer}' must be a positive integer. "
            f"Received: {size!r}"
        )
    return int(size)


def check_rate(layer, name, rate):
    """Returns a rate as float, or says what would be one."""
    if isinstance(rate, bool) or not isinstance(rate, Real) or not 0 <= rate <= 1:
        raise ValueError(
            f"`{name}` of layer '{layer}' must be a number from 0 to 1. "
            f"Received: {rate!r}"
        )
    return float(rate)


def check_engine(layer, engine):
    """Returns the name of an engine, or says which there are."""
    if engine not in ("auto", *ENGINES):
        known = ", ".join(map(repr, ("auto", *reversed(ENGINES))))
        raise ValueError(
            f"`engine` of layer '{layer}' must be one of {known}. Received: {engine!r}"
        )
    return engine
