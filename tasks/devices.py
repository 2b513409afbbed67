"""What there is to train on, in the words of each backend."""

import json
import os

from zoo.lazy import jax, tf


class NoDevices(RuntimeError):
    """There is no device of the kind that was asked for."""

    def __init__(self, kind, found):
        advice = {
            "GPU": "A GPU that the machine has is not seen when its driver is missing "
            "or CUDA_VISIBLE_DEVICES is empty; on TensorFlow, install "
            '"tensorflow[and-cuda]".',
            "TPU": "On a machine with a TPU, install "
            "`jax[tpu]` and set KERAS_BACKEND=jax, or put `tensorflow-tpu` in the "
            "place of `tensorflow`.",
            "CPU": "Let the backend see the CPU, with JAX_PLATFORMS=cpu.",
        }[kind]
        super().__init__(
            f'There is no {kind} here; found {found}. `tasks.strategy("auto")` takes '
            f"what there is. {advice}"
        )


def told(found):
    """What was found, as one reads it: `"1 CPU, no GPU, no TPU"`."""

    def count(kind):
        number = len(found[kind])
        return f"{number or 'no'} {kind}{'s' if number > 1 else ''}"

    return ", ".join(count(kind) for kind in ("CPU", "GPU", "TPU"))


def best(found):
    """The kind of strategy for the best devices of those that were found."""
    for name, kind in (("TPU", "tpu"), ("GPU", "gpus")):
        if found[name]:
            return kind
    return "cpu"


def tensorflow_devices():
    """Dict from `"CPU"`, `"GPU"` and `"TPU"` to the devices TensorFlow sees.

    It looks at those of the machine, as it must not start the runtime: several workers
    can only be joined before that.
    """
    found = {kind: tf.config.list_physical_devices(kind) for kind in ("CPU", "GPU")}
    found["TPU"] = list(tf.config.list_physical_devices("TPU"))
    if not found["TPU"] and os.environ.get("TPU_NAME"):
        found["TPU"] = [os.environ["TPU_NAME"]]
    return {kind: list(devices) for kind, devices in found.items()}


def logical(physical):
    """Names of the devices that TensorFlow has made of those of the machine."""
    kind = physical[0].device_type
    made = tf.config.list_logical_devices(kind)
    return [device.name.rpartition("device:")[2] or device.name for device in made]


def jax_devices():
    """The same for JAX, as Keras names them: `"cpu:0"`."""
    found = {}
    for kind in ("CPU", "GPU", "TPU"):
        try:
            devices = jax.devices(kind.lower())
        except RuntimeError:
            devices = []
        found[kind] = [f"{kind.lower()}:{device.id}" for device in devices]
    return found


def tf_config():
    """What `TF_CONFIG` says: dict of `"worker"`, its number, and `"workers"`, of all.

    Returns:
        `None` if it is not set.

    Raises:
        ValueError: If it cannot be read, or names something other than workers.
    """
    text = os.environ.get("TF_CONFIG", "").strip()
    if not text:
        return None
    try:
        given = json.loads(text)
        cluster, task = given.get("cluster", {}), given.get("task", {})
        worker, kind = int(task.get("index", 0)), task.get("type", "worker")
        names = list(cluster.get("worker", []))
    except (ValueError, AttributeError, TypeError) as error:
        raise ValueError(
            f"TF_CONFIG cannot be read ({error}). It must look like "
            '{"cluster": {"worker": ["host1:2222"]}, '
            '"task": {"type": "worker", "index": 0}}. '
            f"Received: {text[:200]}"
        ) from None
    others = sorted(set(cluster) - {"worker"})
    if others or kind != "worker":
        raise ValueError(
            "Name nothing but workers in TF_CONFIG; the first of them is the chief. "
            f"Received: cluster of {', '.join(sorted(cluster))}, task type {kind!r}"
        )
    if not 0 <= worker < max(1, len(names)):
        raise ValueError(
            f"TF_CONFIG names {len(names)} workers; this one cannot be number {worker}."
        )
    return {"worker": worker, "workers": len(names)}


def connect_tpu(name, found):
    """Connects to a TPU.

    Args:
        name: Its name or address, or `"local"`.
        found: What was found, in words.

    Returns:
        `tf.distribute.TPUStrategy`, and names of its devices.

    Raises:
        NoDevices: If there is none, or this TensorFlow cannot talk to TPUs.
    """
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=name)
        if name != "local":
            tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, OSError, tf.errors.OpError) as error:
        raise NoDevices("TPU", found) from error
    made = tf.distribute.TPUStrategy(resolver)
    return made, [f"TPU:{i}" for i in range(made.num_replicas_in_sync)]
