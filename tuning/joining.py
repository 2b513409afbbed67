"""A worker that joins a search: on this machine or on another one."""

import contextlib
import os

from tuning.errors import SearchError
from tuning.fingerprint import fingerprint
from tuning.folder import SearchFolder
from tuning.plan import Plan, source_in
from tuning.trial import Runner

# Seconds after which a chief that does not answer is given up.
_PATIENCE = 300


def join(directory, train, validation, *, address, name, strategy=None, most=None):
    """Runs trials of a search that another process leads, until there are no more.

    The other process is a `tuning.search(..., address="host:port")`. Its folder must be
    reachable from here: trials and models are written there. The line is neither
    encrypted nor guarded: use it in a network of your own.

    Args:
        directory: The folder of the search.
        train, validation: The same data.
        address: `"host:port"` of the leading process.
        name: Name of this worker, another one for each. A worker that was killed goes
            on with its trial under the same name.
        strategy: What `tasks.strategy` returns, or a `tf.distribute.Strategy`: where
            trials run.
        most: Number of trials after which to leave, or `None`.

    Returns:
        Whether there may be more trials.

    Raises:
        SearchError: If there is no such search, its data are others, or nobody
            answers.
    """
    folder = SearchFolder(directory)
    identity = folder.identity()
    if identity is None:
        raise SearchError(f"{directory} holds no search; begin it first.")
    for which, data in (("train", train), ("validation", validation)):
        if fingerprint(data) != identity[which]:
            raise SearchError(f"`{which}` are other data than those of {directory}.")
    plan = Plan.from_identity(identity)
    deadline, keep = folder.limits()
    runner = Runner(
        source_in(folder, plan),
        plan.space,
        plan.objective,
        train,
        validation,
        strategy=strategy,
        deadline=deadline,
        worker=name,
    )
    from tuning.loop import run_trials

    told = {"seed": identity["seed"], "keep": keep, "worker": name, "most": most}
    with _told_of_lost_chief(address):
        return run_trials(client(address, name), runner, folder.trials, **told)


def client(address, name):
    """KerasTuner's client of an algorithm that runs elsewhere."""
    from keras_tuner.src.distribute import oracle_client

    # An hour, by default: too long for a chief that is gone.
    oracle_client.TIMEOUT = _PATIENCE
    host, _, port = address.rpartition(":")
    settings = {
        "KERASTUNER_ORACLE_IP": host,
        "KERASTUNER_ORACLE_PORT": port,
        "KERASTUNER_TUNER_ID": name,
    }
    before = {key: os.environ.get(key) for key in settings}
    os.environ.update(settings)
    try:
        return oracle_client.OracleClient(None)
    finally:
        # Other searches of this process must not take themselves for workers.
        for key, value in before.items():
            os.environ.pop(key)
            if value is not None:
                os.environ[key] = value


@contextlib.contextmanager
def _told_of_lost_chief(address):
    import grpc

    try:
        yield
    except grpc.RpcError as error:
        raise SearchError(
            f"The search at {address} does not answer ({error.code().name}). The same "
            "call goes on when it does."
        ) from error
