"""What a TPU would make of a task: everything is compiled for it, nothing is run.

The TPU's compiler, libtpu, needs no TPU. It takes each step of a task as JAX lowers it,
and as TensorFlow does, and says how much memory of a chip the step needs, how it is
laid out, and what the chips tell each other.
"""
