"""Where to train: one device, all of a machine, several machines, or a TPU."""

import contextlib
import difflib
import functools
import threading

import keras

from tasks import devices
from tasks.devices import NoDevices
from zoo import devices as zoo_devices
from zoo.lazy import tf

KINDS = ("auto", "cpu", "gpus", "workers", "tpu")
_REFUSED = ("parameter_server", "parameterserver", "parameter server", "ps")
_LOCAL = threading.local()


class Strategy:
    """Devices that train together, and the scope to make a task in.

    Attributes:
        kind: `"cpu"`, `"gpus"`, `"workers"` or `"tpu"`.
        name: What Keras or TensorFlow call it, such as `"MirroredStrategy"`.
        replicas: Number of devices that each take a part of every batch.
        devices: Their names, of this process.
        distribute: The `tf.distribute.Strategy`, `keras.distribution.DataParallel`, or
            `None` where there is nothing to distribute over.
        worker, workers: Number of this process among those that train, and of them all.
    """

    def __init__(self, kind, distribute, names, found="", worker=0, workers=1):
        self.kind, self.distribute = kind, distribute
        self.name = "no strategy" if distribute is None else type(distribute).__name__
        self.devices, self.found = list(names), found
        self.worker, self.workers = worker, workers
        each = getattr(distribute, "num_replicas_in_sync", None)
        self.replicas = each or max(1, len(self.devices))

    @property
    def chief(self):
        """Whether this process is the one that writes files."""
        return self.worker == 0

    @contextlib.contextmanager
    def scope(self):
        """Tasks made in here are trained on these devices, wherever `fit` is called."""
        before, _LOCAL.strategy = getattr(_LOCAL, "strategy", None), self
        inner = contextlib.nullcontext()
        if self.distribute is not None and not _entered(self.distribute):
            inner = self.distribute.scope()
        try:
            with inner:
                yield self
        finally:
            _LOCAL.strategy = before

    def __str__(self):
        where = ", ".join(self.devices)
        many = f"{self.replicas} replicas" if self.replicas > 1 else "one device"
        worker = f" as worker {self.worker} of {self.workers}" * (self.workers > 1)
        return f"Found {self.found}. Trains on {where}{worker}: {many}, {self.name}."


def strategy(kind="auto", tpu="local", verbose=True):
    """Finds devices to train on.

    Make a task within `scope()`; from then on its `fit` trains on these devices, as on
    one of them with the same batches: `batch_size` is that of all together.

    Args:
        kind: `"cpu"` for the CPU; `"gpus"` for all GPUs of this machine; `"workers"`
            for the machines that `TF_CONFIG` names, each of which runs the same program
            and calls this first; `"tpu"`; or `"auto"` for the best there is: workers,
            if `TF_CONFIG` names several, a TPU, GPUs, the CPU.
        tpu: Name or address of the TPU, or `"local"` for that of this machine, as in
            Colab. TensorFlow only.
        verbose: Whether to print what was found and chosen.

    Returns:
        `tasks.strategies.Strategy`. On TensorFlow it holds a `tf.distribute` strategy,
        on JAX `keras.distribution.DataParallel`; PyTorch trains on one device.

    Raises:
        NoDevices: If there is no such device; it says what is there.
        ValueError: If there is no such kind, or `TF_CONFIG` cannot be read.

    Example:

    >>> import tasks
    >>> found = tasks.strategy("cpu", verbose=False)
    >>> with found.scope():
    ...     pass  # tagger = zoo.load("ner_lstm_crf.wnut17_en")
    >>> found.replicas
    1
    """
    _check_kind(kind)
    backend = keras.backend.backend()
    make = {"tensorflow": _tensorflow, "jax": _jax}.get(backend, _single)
    made = make(kind, tpu)
    if verbose:
        print(made)
    return made


def current():
    """The strategy in whose scope this is called, or `None`.

    That of `tf.distribute` or `keras.distribution` itself counts as well.
    """
    made = getattr(_LOCAL, "strategy", None)
    if made is not None:
        return made
    backend = keras.backend.backend()
    if backend == "jax":
        layout = keras.distribution.distribution()
        if isinstance(layout, keras.distribution.DataParallel):
            names = [str(d) for d in layout.device_mesh.devices.flat]
            return Strategy("auto", layout, names)
    # Asked of TensorFlow only where somebody has started it.
    if backend == "tensorflow" and tf.distribute.has_strategy():
        return _wrapped(tf.distribute.get_strategy())
    return None


def on_tpu(strategy):
    """Whether a TPU trains.

    Args:
        strategy: `Strategy`, or `None` for the backend's own device.
    """
    if strategy is None:
        return zoo_devices.kind() == "tpu"
    first = str(strategy.devices[0]) if strategy.devices else ""
    return strategy.kind == "tpu" or "tpu" in first.lower()


def own_files(files, strategy):
    """The part of a list of files that this worker reads, for `fit(shard="off")`.

    Args:
        files: List of paths, the same on each worker.
        strategy: What `tasks.strategy("workers")` returned.

    Returns:
        Every n-th of the sorted files, of n workers: each file belongs to one worker.

    Raises:
        ValueError: If there are fewer files than workers.

    Example:

    >>> from tasks.strategies import Strategy, own_files
    >>> second = Strategy("workers", None, ["CPU:0"], worker=1, workers=2)
    >>> own_files(["c.txt", "a.txt", "b.txt"], second)
    ['b.txt']
    """
    files = sorted(files)
    if len(files) < strategy.workers:
        raise ValueError(
            f"{len(files)} files cannot be dealt out to {strategy.workers} workers: "
            'make smaller files, or give all files to each worker, with shard="data".'
        )
    return files[strategy.worker :: strategy.workers]


def _check_kind(kind):
    if str(kind).lower().replace("strategy", "").strip("_ ") in _REFUSED:
        raise ValueError(
            "Parameter servers are not offered: their workers do not wait for each "
            "other, so training would not mean the same as on one device, and Keras' "
            '`fit` does not run on them. "workers" trains on several machines in step.'
        )
    if kind not in KINDS:
        near = difflib.get_close_matches(str(kind), KINDS, 1, 0.4)
        meant = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"Unknown kind {kind!r}.{meant} Kinds: {', '.join(KINDS)}")


def _tensorflow(kind, tpu):
    config = devices.tf_config() if kind in ("auto", "workers") else None
    found = devices.tensorflow_devices()
    said = devices.told(found)
    if kind == "auto":
        several = config is not None and config["workers"] > 1
        kind = "workers" if several else devices.best(found)
    if kind == "workers":
        return _workers(config, said)
    if kind == "tpu":
        return Strategy("tpu", *devices.connect_tpu(tpu, said), said)
    names = found["GPU" if kind == "gpus" else "CPU"]
    if not names:
        raise NoDevices("GPU", said)
    names = devices.logical(names)
    return Strategy(kind, _of_machine(tuple(names)), names, said)


# Made once: two of them in one process would take each other's sums for their own.
@functools.cache
def _of_machine(names):
    if len(names) == 1:
        return tf.distribute.OneDeviceStrategy(names[0])
    return tf.distribute.MirroredStrategy(list(names))


@functools.cache
def _of_workers():
    return tf.distribute.MultiWorkerMirroredStrategy()


def _workers(config, said):
    if config is None:
        raise ValueError(
            '"workers" needs the environment variable TF_CONFIG, on each machine: '
            '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, '
            '"task": {"type": "worker", "index": 0}}. Found no TF_CONFIG.'
        )
    try:
        made = _of_workers()
    except RuntimeError as error:
        raise RuntimeError(
            'Call `tasks.strategy("workers")` first of all: TensorFlow has started '
            "already, and cannot be told of other workers any more."
        ) from error
    names = made.extended.worker_devices
    return Strategy("workers", made, names, said, config["worker"], config["workers"])


def _jax(kind, tpu):
    found = devices.jax_devices()
    said = devices.told(found)
    if kind == "workers":
        raise ValueError(
            '"workers" reads TF_CONFIG, for TensorFlow. With JAX, call '
            "`jax.distributed.initialize()` in each process first: "
            '"gpus" and "tpu" then are those of all.'
        )
    kind = devices.best(found) if kind == "auto" else kind
    need = {"gpus": "GPU", "tpu": "TPU", "cpu": "CPU"}[kind]
    if not found[need]:
        raise NoDevices(need, said)
    layout = keras.distribution.DataParallel(devices=found[need])
    return Strategy(kind, layout, found[need], said)


def _single(kind, tpu):
    if kind not in ("auto", "cpu"):
        raise ValueError(
            f"On the backend {keras.backend.backend()!r} tasks train on one device. "
            f'strategy({kind!r}) needs KERAS_BACKEND "tensorflow" or "jax".'
        )
    return Strategy("cpu", None, ["the default device"], "one device")


def _entered(distribute):
    """Whether TensorFlow is in this strategy's scope already."""
    if keras.backend.backend() != "tensorflow":
        return False
    return tf.distribute.has_strategy() and tf.distribute.get_strategy() is distribute


def _wrapped(distribute):
    """What somebody has made with `tf.distribute`, as one of ours."""
    resolver = distribute.cluster_resolver
    workers = worker = None
    if type(distribute).__name__.startswith("MultiWorker") and resolver is not None:
        workers = resolver.cluster_spec().as_dict().get("worker")
        worker = resolver.task_id
    if type(distribute).__name__.startswith("ParameterServer"):
        _check_kind("parameter_server")
    names = list(distribute.extended.worker_devices)
    return Strategy(
        "auto", distribute, names, "", worker or 0, len(workers) if workers else 1
    )
