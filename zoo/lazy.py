"""Names that import their module on first use, so the zoo starts without TensorFlow."""

import importlib

# Tools that look at a module's names (inspect, doctest, pytest) ask every object
# for these; answering must not wake TensorFlow.
_PROBES = frozenset({"__wrapped__", "__path__", "__file__", "__spec__", "__all__"})


class Lazy:
    """Stands for a module and imports it when its first attribute is read.

    Args:
        module: Name of the module, for example `"tensorflow"`.
        hint: What to do when it is not installed; ends the error's sentence.

    Raises:
        ImportError: On first use, when the module is not installed.
    """

    def __init__(self, module, hint):
        self._module, self._hint = module, hint

    def __getattr__(self, name):
        if name in _PROBES:
            raise AttributeError(name)
        try:
            return getattr(importlib.import_module(self._module), name)
        except ModuleNotFoundError as error:
            if error.name != self._module:
                raise  # installed but broken: its own message says more
            raise ImportError(f"{self._module} is needed here: {self._hint}") from error

    def __repr__(self):
        return f"<{self._module}, imported on first use>"


tf = Lazy("tensorflow", "pip install 'tensorflow>=2.20,<2.22'")
jax = Lazy("jax", "pip install jax")
tf_text = Lazy(
    "tensorflow_text",
    "pip install tensorflow-text, of the same minor version as TensorFlow "
    "(Linux and macOS; there is no wheel for Windows)",
)
