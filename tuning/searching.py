"""`tuning.search`: from a task, data and a number of trials to a trained task."""

import math

from tuning import arguments
from tuning.errors import SearchError
from tuning.finishing import conclude, run_again
from tuning.folder import SearchFolder, default_path
from tuning.live import Board
from tuning.plan import EPOCHS, make_plan, source_in, task_or_class
from tuning.sources import split
from tuning.trial import Runner


def search(
    task,
    train,
    validation,
    *,
    trials,
    algorithm="bayesian",
    objective=None,
    overrides=None,
    strategy=None,
    directory=None,
    seed=0,
    max_time=None,
    keep=3,
    reruns=2,
    workers=1,
    address=None,
    trials_per_process=None,
    verbose="auto",
):
    """Searches the settings of a task that are best on validation data.

    All that happens is on disk: after Ctrl-C, a kill or a crash the same call goes on
    with what was done. Trials that fail are written down with their error. The best
    ones are run again with fresh seeds, and the best mean wins. Data to test on have no
    place here: measure the result on them afterwards, once.

    TensorFlow keeps what it has compiled after a trial's model is gone: 30 to 150 MB a
    trial. Where so many do not fit, give `trials_per_process`.

    Args:
        task: Name of a task (`"ner"`), its class, a trained model's name or folder, or
            a loaded model; with a model, how to fine-tune it is searched.
        train: Data that the task's `fit` takes.
        validation: The same, other examples. They choose epochs and settings.
        trials: Number of trials; a search that has fewer goes on to this number.
            `None` for as many as the grid has, or as `max_time` allows.
        algorithm: `"bayesian"` (a Gaussian process), `"random"`, `"hyperband"` (many
            short trials, the best of them longer) or `"grid"` (all combinations).
        objective: Score of the task's `evaluate`, such as `"f1"`; the usual one by
            default. Whether more or less of it is better is known.
        overrides: Dict that changes the space, see `tuning.space_of`: `"units": [64,
            128]` are choices, `"dropout": (0.1, 0.5)` is a range, `"epochs": 5` is
            fixed. Any option of the task's class and any argument of its `fit` may come
            here. See `tuning.space.Space.build`.
        strategy: What `tasks.strategy` returns, or a `tf.distribute.Strategy`: where
            trials run. On TPUs, sizes of layers are multiples of 128.
        directory: Folder of the search, `searches/<task>-<digits>` by default.
        seed: Decides what is tried, and the chance in each trial.
        max_time: Seconds after which no trial begins and a running one ends with its
            epoch; those of earlier calls count. The runs with fresh seeds come after.
        keep: Number of best trials whose models stay on disk and are run again.
        reruns: Number of fresh seeds; 0 for none.
        workers: Number of processes that run trials on this machine.
        address: `"host:port"` where workers of other machines may join, see
            `tuning.join`; then `workers` may be 0.
        trials_per_process: Number of trials after which a worker is replaced by a new
            process, with all of its memory; `None` for never, and for trials in this
            process if there is one worker.
        verbose: 0 for silence; else a live table on a terminal, or a line a trial.

    Returns:
        `tuning.result.SearchResult`: `best` is the trained task, `trials` the table.

    Raises:
        SearchError: If an argument makes no sense, the folder is that of another
            search, or all trials fail.
        ImportError: If KerasTuner is not installed.

    Example: `tuning.search("ner", "train.conll", "dev.conll", trials=30).best`

    Reference:
        - O'Malley et al., [KerasTuner](https://github.com/keras-team/keras-tuner), 2019
        - Li et al., [Hyperband: a novel bandit-based approach to hyperparameter
          optimization](https://arxiv.org/abs/1603.06560), 2018
    """
    arguments.check_algorithm(algorithm)
    arguments.check_numbers(
        trials, algorithm, max_time, keep, reruns, workers, address, trials_per_process
    )
    arguments.check_data(train, validation)
    alone = workers == 1 and address is None and trials_per_process is None
    if not alone:
        arguments.check_sendable(strategy)
    found = task_or_class(task)
    plan = make_plan(
        found, train, validation, algorithm, objective, overrides, strategy, seed
    )
    folder = SearchFolder(directory or default_path(plan.identity))
    folder.claim(plan.identity)
    source = source_in(folder, plan, found)
    if not folder.oracle.exists():
        _try_out(source, plan, train)
    oracle = _oracle(plan, source, folder, trials, max_time)
    runner = Runner(
        source, plan.space, plan.objective, train, validation, strategy=strategy
    )
    told = (trials, max_time, verbose, plan.space.fixed)
    with Board(folder, plan.objective, *told) as board:
        if alone:
            _alone(plan, folder, oracle, runner, keep)
        else:
            from tuning.workers import run_workers

            folder.set_limits(oracle.deadline(), keep)
            data, most = (train, validation), trials_per_process
            run_workers(folder, oracle, source.cls, *data, workers, address, most)
        run_again(runner, folder, plan.objective, keep, reruns, seed, board.tell_rerun)
    return conclude(folder, plan.objective, plan.space, algorithm, keep)


def _oracle(plan, source, folder, trials, max_time):
    try:
        from tuning.hyperparameters import hyperparameters_of
        from tuning.oracles import oracle_of
    except ModuleNotFoundError as error:
        raise ImportError(
            f"A search needs {error.name}: pip install 'recurrent-zoo[tune]'"
        ) from error
    epochs = plan.space.fixed.get(EPOCHS, source.known().get(EPOCHS)) or 10
    found = oracle_of(
        plan.identity["algorithm"],
        hyperparameters_of(plan.space),
        plan.objective,
        plan.identity["seed"],
        epochs,
    )
    return found.prepare(folder.oracle, trials, max_time)


def _alone(plan, folder, oracle, runner, keep):
    from tuning.loop import run_trials

    runner.deadline = oracle.deadline()
    seed = plan.identity["seed"]
    run_trials(oracle, runner, folder.trials, seed=seed, keep=keep)
    # Runs with fresh seeds are not cut short: they would say less.
    runner.deadline = math.inf


def _try_out(source, plan, train):
    """Builds one model, so that what is wrong with the call is told before trials."""
    options, _ = split(source.cls, plan.space.fixed)
    try:
        source.make(train, options)
    except (TypeError, ValueError, OSError) as error:
        text = " ".join(str(error).split())
        raise SearchError(f"No {source.cls.__name__} can be made: {text}") from error
