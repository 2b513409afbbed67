"""Shapes of outputs, for those who ask before a layer has run."""

import keras


class OutputShape:
    """Mixed into layers that have a `compute_output_spec`, in front of Keras' class."""

    def compute_output_shape(self, input_shape, *other_shapes):
        """Shapes of what the layer returns; sizes that are not known are `None`.

        Args:
            input_shape: Shape of the inputs.
            *other_shapes: Shapes of the tensors that the layer takes after these.

        Raises:
            ValueError: If a shape does not fit.
        """
        inputs = [
            keras.KerasTensor(shape, self.compute_dtype)
            for shape in (input_shape, *other_shapes)
        ]
        outputs = self.compute_output_spec(*inputs)
        if isinstance(outputs, tuple):
            return tuple(output.shape for output in outputs)
        return outputs.shape
