"""Initialisers of recurrent kernels, from the literature of simple recurrent networks.

They take square matrices `(units, units)`, and the recurrent kernels of gated layers,
`(units, gates * units)`, in which each gate gets a matrix of its own.
"""

import random

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class SpectralRadius(keras.initializers.Initializer):
    """Random matrix scaled to a spectral radius, as for echo state networks.

    Entries are standard normal, or zero where `density` leaves no connection. Then the
    matrix is divided by the largest modulus of its eigenvalues and multiplied by
    `radius`. Below 1, a linear network forgets; near 1 it remembers longest.

    The matrix is drawn by NumPy: the same seed gives the same values on all backends,
    and eigenvalues are to be had also where a model is built while it is compiled.

    Args:
        radius: Number >= 0, the largest modulus of an eigenvalue.
        density: Part of the entries that are not zero, above 0 and at most 1.
        seed: Integer; `None` draws one, once for each initialiser.

    Raises:
        ValueError: If the shape is not that of a recurrent kernel, or if so few
            entries are left that all eigenvalues are zero.

    Example:

    >>> import numpy as np
    >>> matrix = np.asarray(SpectralRadius(0.9, seed=1)((50, 50)))
    >>> round(float(abs(np.linalg.eigvals(matrix)).max()), 4)
    0.9

    References:
        - Jaeger, [The "echo state" approach to analysing and training recurrent
          neural networks](https://www.ai.rug.nl/minds/uploads/EchoStatesTechRep.pdf),
          2001
    """

    def __init__(self, radius=0.95, density=1.0, seed=None):
        if isinstance(radius, bool) or not 0 <= radius < float("inf"):
            raise ValueError(f"`radius` must be a number >= 0. Received: {radius!r}")
        if isinstance(density, bool) or not 0 < density <= 1:
            raise ValueError(
                f"`density` must be above 0 and at most 1. Received: {density!r}"
            )
        self.radius = float(radius)
        self.density = float(density)
        self.seed = seed
        # Keras draws seeds the same way, so `keras.utils.set_random_seed` fixes them.
        self._seed = random.randint(1, 10**9) if seed is None else seed

    def __call__(self, shape, dtype=None):
        rng = np.random.default_rng(self._seed)
        return _side_by_side(self, shape, dtype, lambda n: self._matrix(rng, n))

    def _matrix(self, rng, n):
        matrix = rng.normal(size=(n, n))
        matrix *= rng.uniform(size=(n, n)) < self.density
        radius = np.abs(np.linalg.eigvals(matrix)).max()
        # Eigenvalues of a matrix that has none but zero come out as rounding errors.
        if radius <= 1e-6 * np.abs(matrix).max():
            raise ValueError(
                f"A random matrix of {n} rows and density {self.density} has no "
                "eigenvalue but zero. Use a larger density, or another seed."
            )
        return matrix * (self.radius / radius)

    def get_config(self):
        return {"radius": self.radius, "density": self.density, "seed": self.seed}


@keras.saving.register_keras_serializable(package="zoo")
class IRNN(keras.initializers.Initializer):
    """Identity matrix times a gain, for simple recurrent networks of rectified units.

    With zero biases, and inputs of zero, such a network keeps its state as it is, and
    gradients through time keep their size. The paper draws kernels of inputs from a
    normal distribution of deviation 0.001, and uses a gain of 0.01 where short
    memory is enough.

    Args:
        gain: Number, the diagonal.

    Raises:
        ValueError: If the shape is not that of a recurrent kernel.

    Example:

    >>> np.asarray(IRNN(0.5)((2, 2)))
    array([[0.5, 0. ],
           [0. , 0.5]], dtype=float32)

    References:
        - Le, Jaitly and Hinton, [A simple way to initialize recurrent networks of
          rectified linear units](https://arxiv.org/abs/1504.00941), 2015
    """

    def __init__(self, gain=1.0):
        self.gain = float(gain)

    def __call__(self, shape, dtype=None):
        return _side_by_side(self, shape, dtype, lambda n: self.gain * np.eye(n))

    def get_config(self):
        return {"gain": self.gain}


def _side_by_side(initializer, shape, dtype, draw):
    """A square matrix for each gate."""
    shape = tuple(shape)
    if len(shape) != 2 or shape[0] < 1 or shape[1] < 1 or shape[1] % shape[0]:
        raise ValueError(
            f"`{type(initializer).__name__}` initialises recurrent kernels: shapes "
            f"(units, units) or (units, gates * units). Received: {shape}"
        )
    units, columns = shape
    matrix = np.concatenate([draw(units) for _ in range(columns // units)], 1)
    return ops.convert_to_tensor(matrix, dtype or keras.config.floatx())
