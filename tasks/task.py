"""What all tasks share: a model with what stands before and after it, as one thing."""

import keras

from tasks.data.batches import FollowEpochs
from tasks.training import BestWeights, Resume, reseed, warm_up_and_decay
from zoo.cards import Card
from zoo.preset import write_preset


class Task:
    """Holds a Keras model, what prepares its inputs, and what reads its outputs.

    A subclass sets `task` and makes `model` and `training_model` in its constructor,
    where every option is a keyword argument with a plain value. `model` answers;
    `training_model` shares its layers, takes the true answers as inputs too, and
    returns the loss of each row.

    Attributes:
        task: Short name of the task, such as `"ner"`.
        options: Dict of the constructor's plain options.
        model: `keras.Model` from prepared inputs to answers.
        training_model: `keras.Model` from prepared inputs and truth to losses.
    """

    task = None

    def assets(self):
        """Texts that belong to the model: dict from file name to content."""
        return {}

    def examples(self):
        """Inputs with the answers this model gives them, for `examples.json`."""
        return []

    @classmethod
    def from_preset(cls, preset, **overrides):
        """Makes the task from a checked preset; see `zoo.load`."""
        raise NotImplementedError(f"{cls.__name__} must implement `from_preset`.")

    def save(self, folder, card=None, float16=False):
        """Writes the task as a preset folder, to `zoo.load` from anywhere.

        Args:
            folder: Where. Something else there is never overwritten.
            card: Text of the model card; `None` for a plain one.
            float16: Whether to store weights in half precision.

        Returns:
            The folder's path.

        Raises:
            PresetError: If something cannot be saved.
        """
        return write_preset(
            folder,
            cls=type(self),
            options=self.options,
            assets=self.assets(),
            model=self.model,
            card=self._card() if card is None else card,
            examples=self.examples(),
            float16=float16,
        )

    def _card(self):
        data = {"task": self.task, "parameters": self.model.count_params()}
        body = (
            "# My model\n\nSaved without a card. Write one: `save(folder, card=...)`."
        )
        return Card.build(data, body)

    def _fit(
        self,
        batches,
        dataset,
        data,
        *,
        epochs,
        learning_rate,
        seed,
        verbose,
        checkpoint_dir,
        callbacks,
        optimizer=None,
        clipnorm=1.0,
    ):
        """Trains `training_model` on prepared batches; returns Keras' history.

        `data` is a number or a text that tells training data from others: a run is not
        taken up with others than it began with.
        """
        reseed(self.training_model, seed)
        if optimizer is None:
            schedule = warm_up_and_decay(learning_rate, epochs * len(batches))
            optimizer = keras.optimizers.Adam(schedule, global_clipnorm=clipnorm)
        self.training_model.compile(optimizer, row_loss)
        callbacks, first = [FollowEpochs(batches), *callbacks], 0
        if checkpoint_dir is not None:
            best = next((c for c in callbacks if isinstance(c, BestWeights)), None)
            settings = {
                "epochs": epochs,
                "learning_rate": float(learning_rate),
                "seed": seed,
                "steps": len(batches),
                "data": data,
                "validated": best is not None,
            }
            resume = Resume(checkpoint_dir, settings, best)
            first = resume.restore(self.training_model)
            first = epochs if resume.stopped else first
            callbacks.append(resume)
        return self.training_model.fit(
            dataset,
            epochs=epochs,
            initial_epoch=first,
            shuffle=False,
            verbose=verbose,
            callbacks=callbacks,
        )


def row_loss(_, loss):
    """The loss that the model itself has computed for each row."""
    return loss
