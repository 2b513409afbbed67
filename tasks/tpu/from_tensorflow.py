"""Steps as TensorFlow runs them, by way of StableHLO, which both compilers read."""

import dataclasses

import keras

from tasks.tpu.chips import HINT
from tasks.tpu.program import Program
from tasks.tpu.steps import Input
from zoo.lazy import Lazy, jax, tf

_export = Lazy("jax.export", HINT)
_ir = Lazy("jaxlib.mlir.ir", HINT)
_stablehlo = Lazy("jaxlib.mlir.dialects.stablehlo", HINT)
_mlir = Lazy("jax._src.interpreters.mlir", HINT)

_DTYPES = {
    "i1": "bool",
    "bf16": "bfloat16",
    "f16": "float16",
    "f32": "float32",
    "f64": "float64",
    **{f"i{n}": f"int{n}" for n in (8, 16, 32, 64)},
    **{f"ui{n}": f"uint{n}" for n in (8, 16, 32, 64)},
}


def program_of(step):
    """A `Program` from a `tasks.tpu.steps.Step`, on the TensorFlow backend.

    TensorFlow lowers for the CPU, as its usual build knows no TPU. The program is the
    same but for a few operations that have kernels of their own on some devices; for
    those see `tasks.tpu.coverage`.
    """
    inputs = keras.tree.flatten(step.inputs)
    text = stablehlo_of(step)
    artifact, taken, given = _serialized(text)

    def shell(*arrays):
        return tuple(jax.numpy.zeros(x.shape, x.dtype) for x in given)

    # What JAX would export, with TensorFlow's program in its place.
    with jax.enable_x64(True):
        exported = _export.export(jax.jit(shell, keep_unused=True), platforms=["tpu"])(
            *(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in taken)
        )
    exported = dataclasses.replace(exported, mlir_module_serialized=artifact)
    count = len(inputs)

    def run(*arrays):
        # Here weights come first, in TensorFlow's programs last.
        state, batch = arrays[: len(taken) - count], arrays[len(taken) - count :]
        return exported.call(*batch, *state)

    return Program(
        step.name, run, taken[count:], inputs, step.function is None, wide=True
    )


def traced(step):
    """A step as a `tf.function` of flat tensors, and their `tf.TensorSpec`s."""
    specs = [tf.TensorSpec(x.shape, x.dtype) for x in keras.tree.flatten(step.inputs)]

    def run(*tensors):
        given = keras.tree.pack_sequence_as(step.inputs, tensors)
        if step.function is None:
            return step.model.train_step(given)
        # None cannot be returned from a compiled function; found sequences have it.
        return [x for x in keras.tree.flatten(step.function(given)) if x is not None]

    return tf.function(run, jit_compile=True, autograph=False), specs


def stablehlo_of(step):
    """The text of a step in StableHLO, inputs first, then variables."""
    function, specs = traced(step)
    return function.experimental_get_compiler_ir(*specs)(stage="stablehlo")


def _serialized(text):
    """A program in the portable form; what it takes and returns, lists of `Input`."""
    # A copy is an operation of TensorFlow's dialect alone; a barrier keeps its place.
    text = text.replace("mhlo.copy ", "stablehlo.optimization_barrier ")
    with _mlir.make_ir_context():
        module = _ir.Module.parse(text)
        attributes = module.operation.attributes
        for name in [name for name in attributes if name.startswith("mhlo.")]:
            del attributes[name]
        main = next(
            op
            for op in module.body.operations
            if op.attributes["sym_name"].value == "main"
        )
        taken, given = map(_inputs, (main.type.inputs, main.type.results))
        version = _stablehlo.get_current_version()
        return _stablehlo.serialize_portable_artifact(module, version), taken, given


def _inputs(types):
    found = [_ir.RankedTensorType(one) for one in types]
    return [Input(tuple(t.shape), _DTYPES[str(t.element_type)], None) for t in found]
