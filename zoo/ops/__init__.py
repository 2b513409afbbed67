"""Backend-neutral building blocks of recurrence, written once in `keras.ops`."""
