"""Training on batches that are made one after the other, with a look now and then."""

import time


def train(model, batch, steps, every, look):
    """Trains a compiled model and looks at it at regular steps.

    Args:
        model: Compiled `keras.Model`.
        batch: Function that makes the next `(inputs, targets)`.
        steps: Most steps to train for.
        every: Steps between looks.
        look: Function that evaluates the model; it returns a dict of numbers, and
            whether that is good enough to stop.

    Returns:
        Dict: `steps` done, `cpu_seconds_per_step` (of training alone, without the
        first step, which compiles), `stopped` ("solved" or "steps"), the last look's
        numbers, and as lists those of all looks under `curve_*`, with their steps in
        `curve_steps`.
    """
    curves, stopped, spent, timed = {"steps": []}, "steps", 0.0, 0
    step, found = 0, {}
    while step < steps:
        count = min(every, steps - step)
        now = time.process_time()
        for k in range(count):
            model.train_on_batch(*batch())
            if step == k == 0:
                now = time.process_time()
        spent += time.process_time() - now
        timed += count - (step == 0)
        step += count
        found, solved = look(model)
        curves["steps"].append(step)
        for name, value in found.items():
            curves.setdefault(name, []).append(value)
        shown = ", ".join(f"{k} {v:.4g}" for k, v in found.items())
        print(f"  step {step}: {shown}", flush=True)
        if solved:
            stopped = "solved"
            break
    return {
        "steps": step,
        "stopped": stopped,
        "cpu_seconds_per_step": round(spent / max(timed, 1), 4),
        **found,
        **{f"curve_{name}": values for name, values in curves.items()},
    }
