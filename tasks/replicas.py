"""Training steps over several devices that mean what one device's steps mean.

Keras' own steps do not: they clip each device's gradients before they are summed, and
average a masked loss by each device's own count. Here every device reads its rows of
the whole batch, all counts are those of the whole batch, and gradients are clipped
after they have been summed.
"""

import keras

from tasks.accumulation import Accumulator
from tasks.distributed_values import read
from tasks.losses import whole_batch
from tasks.strategies import Strategy
from zoo.lazy import tf

SHARDS = ("data", "off")


class Replicas(keras.Model):
    """Trains a model with `tf.distribute`, step for step as one device would.

    Args:
        model: Model from inputs and truth to each row's loss.
        strategy: `tasks.strategies.Strategy` in whose scope it was made, or `None`.
        accumulate: Number of batches whose gradients are averaged for one update.
        shard: `"data"` if every worker is given the same batches and takes its rows of
            each; `"off"` if each worker's batches are its own.
    """

    def __init__(self, model, strategy, accumulate=1, shard="data"):
        super().__init__(name=f"{model.name}_replicas")
        self.inner = model
        self.replicas = strategy or Strategy("cpu", tf.distribute.get_strategy(), [])
        self.accumulate, self.shard = accumulate, shard
        # Keras is to know of one plain data set; what is dealt out is dealt out here.
        self._distribute_strategy = None
        self.built = True

    @property
    def distribute_strategy(self):
        return _Undistributed

    def call(self, inputs, training=None):
        return self.inner(inputs, training=training)

    def compile(self, optimizer, *args, jit_compile="auto", **options):
        """As Keras' own; XLA compiles forward and backward, not the sums over devices.

        Raises:
            ValueError: If the optimizer has been used elsewhere.
        """
        with self.replicas.scope():
            optimizer = self._ours(optimizer)
            super().compile(
                optimizer, *args, jit_compile=self._jit(jit_compile), **options
            )
            self.optimizer.build(self.trainable_variables)
            if self.accumulate > 1:
                self._accumulator = Accumulator(
                    self.optimizer, self.trainable_variables, self.accumulate
                )
        inner = getattr(self.optimizer, "inner_optimizer", self.optimizer)
        # The gradients it is given have been summed already, before they were clipped.
        inner._all_reduce_sum_gradients = list

    def _jit(self, jit_compile):
        if jit_compile == "auto":
            return getattr(self.inner, "by_xla", False)
        return bool(jit_compile)

    def _ours(self, optimizer):
        """The optimizer, made anew if its numbers would not be those of all devices."""
        distribute = self.replicas.distribute
        if getattr(optimizer, "_distribution_strategy", distribute) is distribute:
            return optimizer
        if optimizer.built:
            raise ValueError(
                "The optimizer was made outside of the strategy's scope, and has been "
                "used: make a new one within `with strategy.scope():`."
            )
        return type(optimizer).from_config(optimizer.get_config())

    # === One step ===

    def gradients(self, batch):
        """Summed over all devices: gradients of a batch, and its loss."""
        inputs = batch[0]
        part, rows, steps = self._own(inputs)
        share = steps[0] / tf.maximum(steps[1], 1.0)

        def differentiate(part, share):
            with tf.GradientTape() as tape:
                with whole_batch(rows[1], steps[1]):
                    losses = self(part, training=True)
                loss = tf.reduce_sum(tf.cast(losses, tf.float32)) / rows[1]
                for penalty in self.losses:
                    loss += tf.cast(penalty, tf.float32) * share
                scaled = self.optimizer.scale_loss(loss)
            return loss, tape.gradient(scaled, self.trainable_variables)

        if self.jit_compile:
            # The whole step cannot be compiled: XLA has no sums over devices.
            differentiate = tf.function(differentiate, jit_compile=True)
        loss, gradients = differentiate(part, share)
        self._loss_tracker.update_state(loss * rows[1] / rows[0], rows[0])
        return self._summed(gradients)

    def _own(self, inputs):
        """A device's rows; numbers of rows and of what counts: its own, and all."""
        context = tf.distribute.get_replica_context()
        number, parts = context.replica_id_in_sync_group, context.num_replicas_in_sync
        local = parts // self.replicas.workers
        rows = tf.shape(tf.nest.flatten(inputs)[0])[0]
        if self.shard == "off":
            number, parts = number % local, local
        first, last = rows * number // parts, rows * (number + 1) // parts
        own = tf.nest.map_structure(lambda x: x[first:last], inputs)
        counts = tf.stack(self._counts(own))
        if self.shard == "off":
            every = context.all_reduce(tf.distribute.ReduceOp.SUM, counts)
        else:
            every = tf.stack(self._counts(inputs))
        return own, (counts[0], every[0]), (counts[1], every[1])

    def _counts(self, inputs):
        rows = tf.cast(tf.shape(tf.nest.flatten(inputs)[0])[0], tf.float32)
        # What losses are means over, if not over rows.
        masks = inputs if isinstance(inputs, dict) else {}
        mask = masks.get("target_mask", masks.get("mask"))
        steps = rows if mask is None else tf.reduce_sum(tf.cast(mask, tf.float32))
        return [rows, steps]

    def _summed(self, gradients):
        context = tf.distribute.get_replica_context()
        # Those of embeddings come as rows, as many as a batch has tokens; sums over
        # workers need one size.
        there = [tf.convert_to_tensor(g) for g in gradients if g is not None]
        summed = iter(context.all_reduce(tf.distribute.ReduceOp.SUM, there))
        return [None if g is None else next(summed) for g in gradients]

    def train_step(self, batch):
        """One batch, and an update with all that waits for it."""
        gradients = self.gradients(batch)
        if self.accumulate > 1:
            gradients = self._accumulator.finish(gradients)
        self.optimizer.apply(gradients, self.trainable_variables)

    def gather_step(self, batch):
        """One batch whose gradients wait for others."""
        self._accumulator.gather(self.gradients(batch))

    # === Steps, compiled ===

    def make_train_function(self, force=False):
        """Makes what Keras calls for each execution of one or more steps."""
        if self.train_function is not None and not force:
            return
        make = self._grouped if self.accumulate > 1 else self._plain
        self.train_function = make()

    def _everywhere(self, step, batch):
        self.replicas.distribute.run(step, args=(batch,))

    def _plain(self):
        many = self.steps_per_execution

        @tf.function(reduce_retracing=True, autograph=False)
        def run(iterator):
            if many == 1:
                self._everywhere(self.train_step, next(iterator))
                return self._logs()

            def body(done, batch):
                self._everywhere(self.train_step, batch.get_value())
                more = tf.cond(
                    done + 1 < many, iterator.get_next_as_optional, lambda: batch
                )
                return done + 1, more

            def go_on(done, batch):
                return tf.logical_and(done < many, batch.has_value())

            tf.while_loop(go_on, body, (0, iterator.get_next_as_optional()))
            return self._logs()

        return run

    def _grouped(self):
        """Which batch ends a group is decided here, as no branch can sum gradients."""

        def compiled(step):
            @tf.function(reduce_retracing=True, autograph=False)
            def run(iterator):
                self._everywhere(step, next(iterator))
                return self._logs()

            return run

        gather, update = compiled(self.gather_step), compiled(self.train_step)
        waiting = int(read(self._accumulator.count))

        def run(iterator):
            nonlocal waiting
            logs = None
            for _ in range(self.steps_per_execution):
                last = waiting + 1 == self.accumulate
                try:
                    logs = (update if last else gather)(iterator)
                except tf.errors.OutOfRangeError:
                    break
                waiting = 0 if last else waiting + 1
            if logs is None:
                raise StopIteration
            return logs

        return run

    def _logs(self):
        return {"loss": self._loss_tracker.result()}


class _Undistributed:
    """Stands where Keras expects a strategy to deal out data, and leaves them whole."""

    @staticmethod
    def experimental_distribute_dataset(dataset):
        return dataset
