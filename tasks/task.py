"""What all tasks share: a model with what stands before and after it, as one thing."""

import difflib

import zoo
from tasks import forks, strategies, transfer
from tasks.data.pipeline import as_dataset
from tasks.data.whole_batches import WholeBatches, whole_alone
from tasks.fitting import Fitting
from tasks.tpu.sizes import warn_of_padding
from tasks.watching import watchers
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
        defaults: Dict of the constructor's plain options and what they are by default.
        head: Names of the layers that are made anew for other labels.
        example_key: What the input is called in `examples.json`.
        options: Dict of the constructor's plain options.
        model: `keras.Model` from prepared inputs to answers.
        training_model: `keras.Model` from prepared inputs and truth to losses.
        strategy: `tasks.strategies.Strategy` in whose scope the task was made, or
            `None`: where it is trained.
    """

    task = None
    defaults = {}
    strategy = None
    head = ()
    example_key = "text"

    def __new__(cls, *args, **kwargs):
        forks.begin()
        task = super().__new__(cls)
        task.strategy = strategies.current()
        return task

    @classmethod
    def _complete(cls, options):
        """All options: those given, and the defaults of the others.

        Raises:
            ValueError: If one is unknown.
        """
        for name in options:
            if name not in cls.defaults:
                near = difflib.get_close_matches(name, cls.defaults, 1)
                meant = f" Did you mean {near[0]!r}?" if near else ""
                raise ValueError(
                    f"Unknown options [{name!r}].{meant} "
                    f"Options: {', '.join(cls.defaults)}"
                )
        return {**cls.defaults, **options}

    # === Presets ===

    def assets(self):
        """Texts that belong to the model: dict from file name to content."""
        return {}

    @classmethod
    def parts_of(cls, assets, options):
        """What the constructor takes beside options, made from what `assets` wrote."""
        return {}

    @classmethod
    def from_preset(cls, preset, **overrides):
        """Makes the task from a checked preset; see `zoo.load`.

        `labels=[...]` gives a task that has labels a new head; `encoder=...` another
        encoder, from the task, the folder or the name given: it says which layers were
        taken, as those of other sizes are not.
        """
        encoder = overrides.pop("encoder", None)
        parts = cls.parts_of(preset.assets, preset.options)
        task = cls(**parts, **{**preset.options, **overrides})
        fresh = task.options.get("labels") != preset.options.get("labels")
        preset.load_weights(task.model, skip=cls.head if fresh else ())
        if encoder is not None:
            source = encoder if isinstance(encoder, Task) else zoo.load(encoder)
            taken = transfer.take_encoder(task, source)
            # What differs in size stays as it is: nobody should have to guess.
            print(f"Taken from {type(source).__name__}: {', '.join(taken)}.")
            overrides["encoder"] = encoder
        task._examples = (
            [] if overrides else [e[cls.example_key] for e in preset.examples]
        )
        return task

    _examples = ()

    def show_examples(self, inputs):
        """Sets the inputs whose answers are saved along with the task."""
        self._examples = list(inputs)

    def examples(self):
        """These inputs with the answers to them, for `examples.json`."""
        return self.answers_to(self._examples) if self._examples else []

    def answers_to(self, inputs):
        """List of dicts of plain values: an input, and what the task says to it."""
        raise NotImplementedError(f"{type(self).__name__} must implement `answers_to`.")

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

    # === Training ===

    def _fit(
        self,
        batches,
        dataset,
        data,
        *,
        epochs,
        learning_rate,
        seed,
        best=None,
        patience=None,
        verbose="auto",
        resume_dir=None,
        save_every=None,
        callbacks=(),
        optimizer=None,
        clipnorm=1.0,
        schedule="cosine",
        rate_decay=1.0,
        unfreeze_every=0,
        jit_compile="auto",
        steps_per_execution=1,
        accumulate=1,
        shard="data",
        ema=None,
        log_dir=None,
        profile=None,
        show=None,
        drop_remainder="auto",
        model=None,
    ):
        """Trains `training_model` on prepared batches; returns Keras' history.

        The `fit` of every task takes, beside what it names itself:

        Args:
            patience: Epochs without a better score on the validation data after which
                to stop; `None` never.
            verbose: Keras' verbosity; a progress bar by default.
            resume_dir: Folder to save the whole state of the run in. Called again with
                the same folder and arguments, a killed run goes on, and ends with the
                weights it would have had; one that came to its end is not done again.
                Ctrl-C and SIGTERM save the state first. Meanwhile no other run can use
                the folder. Where several workers train, all must see it.
            save_every: Steps after which to save within an epoch, too; `None` saves at
                the end of each epoch only.
            callbacks: Keras callbacks. The state of one that has `get_state` and
                `set_state` is saved with the run, as is that of Keras' `EarlyStopping`
                and `ReduceLROnPlateau`.
            optimizer: Keras optimizer to use instead of Adam, with a rate and clipping
                of its own.
            clipnorm: Largest norm of all gradients together; of the sum over all
                devices, where several train.
            schedule: How the learning rate goes on after a short warm-up: `"cosine"`
                and `"linear"` (down to a tenth), `"constant"`,
                `"inverse_square_root"`, `"cyclical"` (see `tasks.schedules`); or
                `"plateau"`, which halves a constant rate when two epochs bring no
                better score.
            rate_decay, unfreeze_every: For fine-tuning: what the rate is divided by
                from each layer to the next deeper one, and epochs after which one
                more of them begins to learn; see `tasks.fine_tuning`.
            jit_compile: Whether XLA compiles the training step. By default Keras
                decides; on a CPU it does for language models and forecasters, whose
                batches have one shape. With several devices it compiles forward and
                backward on each.
            steps_per_execution: Steps that are run by one call, which saves time
                between them; callbacks hear of the last one.
            accumulate: Batches whose gradients are averaged for one update: as a batch
                so many times as large, in the memory of one.
            shard: `"data"` if every worker is given the same data and takes its rows of
                each batch; `"off"` if each is given data of its own, `batch_size` rows
                at a time, as `tasks.strategies.own_files` deals out files.
            ema: Momentum of a moving average of the weights, such as 0.999, which
                takes the place of the weights: it is what is scored, kept and in the
                end left in the task. `None` for none.
            log_dir: Folder for `log.csv`, a row for each epoch, and for what
                TensorBoard shows: curves, the norm of the gradients, the settings,
                and how the task answers a few of the validation data, as text and as
                pictures.
            profile: First and last step, such as `(10, 20)`, whose times are written to
                `log_dir` for TensorBoard's page Profile; `None` for none.
            drop_remainder: Whether batches that are not full are left out of an epoch:
                of each length, fewer rows than `batch_size`, others in every epoch. By
                default on a TPU, which takes as long for empty rows; elsewhere they are
                filled up. Nothing is ever left out of predictions and scores.

        A loss that is no number ends the run: the task keeps the last good weights, and
        a `FloatingPointError` says at which step that was.

        Tasks give further:

        Args:
            data: A number or a text that tells training data from others: a run is not
                taken up with others than it began with.
            best: Function `(patience=...)` that returns the `BestWeights` of this run.
            show: Function that returns answers to a few of the validation data.
            model: What is trained in place of `training_model`.
        """
        model = self.training_model if model is None else model
        if patience is not None and best is None:
            raise ValueError(
                "`patience` waits for a better score on `validation_data`: give some. "
                f"Received: patience={patience!r} without them"
            )
        if profile is not None and log_dir is None:
            raise ValueError(
                "`profile` is written to `log_dir`: give that folder, too."
            )
        if whole_alone(drop_remainder, batches, self.strategy):
            batches = WholeBatches(batches)
            dataset = as_dataset(batches)
        if strategies.on_tpu(self.strategy):
            chips = 1 if self.strategy is None else self.strategy.replicas
            warn_of_padding(model, len(batches[0][1]) / chips)
        fitting = Fitting(
            model,
            self.strategy,
            batches,
            dataset,
            epochs=epochs,
            seed=seed,
            accumulate=accumulate,
            shard=shard,
        )
        best, resume = None if best is None else best(patience=patience), None
        more = fitting.compile(
            optimizer,
            jit_compile,
            steps_per_execution,
            learning_rate,
            schedule=schedule,
            best=best,
            clipnorm=clipnorm,
            rate_decay=rate_decay,
            unfreeze_every=unfreeze_every,
            ema=ema,
            watch=log_dir is not None,
        )
        if log_dir is not None:
            told = {
                **self.options,
                "learning_rate": float(learning_rate),
                "schedule": schedule,
                "epochs": epochs,
                "seed": seed,
            }
            callbacks = [*callbacks, *watchers(log_dir, told, show, profile)]
        if resume_dir is not None:
            settings = {
                "learning_rate": float(learning_rate),
                "data": data,
                "validated": best is not None,
            }
            if schedule != "cosine":  # Runs begun before there was a choice go on.
                settings["schedule"] = schedule
            if ema is not None:
                settings["ema"] = ema
            watching = [*more, *callbacks]
            resume = fitting.resume(resume_dir, settings, best, watching, save_every)
        kept = [] if best is None else [best]
        return fitting.run([*kept, *more, *callbacks], resume, verbose)
