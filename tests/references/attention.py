"""Attention in NumPy: one query, one row, float64."""

import numpy as np


def softmax(scores, mask=None):
    """Of the valid places alone; zeros if there are none."""
    weights = np.zeros(len(scores))
    valid = np.ones(len(scores), "bool") if mask is None else np.asarray(mask, "bool")
    if valid.any():
        exponentials = np.exp(scores[valid] - scores[valid].max())
        weights[valid] = exponentials / exponentials.sum()
    return weights


def bahdanau_scores(weights, query, values, alignments, normalize=False, **others):
    """Bahdanau et al. (2015), with the coverage of See et al. (2017)."""
    vector = weights["vector"]
    if normalize:
        vector = weights["gain"] * vector / np.linalg.norm(vector)
    scores = []
    for j, value in enumerate(values):
        inside = query @ weights["query_kernel"] + value @ weights["key_kernel"]
        if "coverage_vector" in weights:
            inside = inside + alignments[0][j] * weights["coverage_vector"]
        scores.append(vector @ np.tanh(inside + weights.get("bias", 0)))
    return np.array(scores)


def luong_scores(weights, query, values, alignments, score, scale=None, **others):
    """Luong, Pham and Manning (2015)."""
    size = len(query)
    if score == "dot":
        scores = [query @ value for value in values]
    elif score == "general":
        scores = [query @ (value @ weights["key_kernel"]) for value in values]
    else:
        joined = np.concatenate([weights["query_kernel"], weights["key_kernel"]])
        size = joined.shape[1]
        scores = [
            weights["vector"] @ np.tanh(np.concatenate([query, value]) @ joined)
            for value in values
        ]
    factor = {None: 1.0, "sqrt": 1 / np.sqrt(size), "learned": weights.get("gain")}
    return factor[scale] * np.array(scores)


def location_scores(weights, query, values, alignments, **others):
    """Chorowski et al. (2015)."""
    filters = weights["location_filters"]
    width, scores = len(filters), []
    left = (width - 1) // 2
    for j, value in enumerate(values):
        seen = np.zeros(filters.shape[2])
        for k in range(width):
            place = j + k - left
            if 0 <= place < len(values):
                seen += np.array([a[place] for a in alignments]) @ filters[k]
        inside = query @ weights["query_kernel"] + value @ weights["key_kernel"]
        inside = inside + seen @ weights["location_kernel"] + weights.get("bias", 0)
        scores.append(weights["vector"] @ np.tanh(inside))
    return np.array(scores)


def attend(score_function, weights, query, values, mask, alignments, **options):
    """Context and weights of one query of one row.

    Args:
        score_function: One of the functions above.
        weights: Dictionary from the weights' names to arrays.
        query, values, mask: `(query_dim,)`, `(source, features)`, `(source,)`.
        alignments: List of arrays `(source,)`.
        **options: The layer's.
    """
    weights = {name: np.asarray(w, "float64") for name, w in weights.items()}
    valid = np.ones(len(values), "bool") if mask is None else np.asarray(mask, "bool")
    values = np.where(valid[:, None], np.asarray(values, "float64"), 0.0)
    query = np.asarray(query, "float64")
    scores = score_function(weights, query, values, alignments, **options)
    found = softmax(scores, valid)
    return found @ values, found


def attention_cell(
    cell_equation,
    score_function,
    weights,
    inputs,
    mask,
    memory,
    memory_mask,
    state,
    *,
    attends="before",
    input_feeding=True,
    reverse=False,
    alignment_names=(),
    **options,
):
    """A cell that attends, row by row and step by step.

    Args:
        cell_equation: Function from inputs `(1, 1, features)` and the cell's states
            `(1, size)` to its output `(1, size)` and its new states.
        score_function: One of the functions above; it takes `**options`.
        weights: Dictionary from the names of the attention's and the layer's own
            weights to arrays.
        inputs, mask: `(batch, time, features)` and `(batch, time)`, or `None`.
        memory, memory_mask: `(batch, source, features)` and `(batch, source)`.
        state: List of all states `(batch, size)`.

    Returns:
        Outputs, the last of them, the final states, the attention weights of all
        steps `(batch, time, source)`, and the contexts.
    """
    batch, time, _ = inputs.shape
    mask = np.ones((batch, time), "bool") if mask is None else mask
    weights = {name: np.asarray(w, "float64") for name, w in weights.items()}
    state = [np.array(s, "float64") for s in state]
    n = len(state) - len(alignment_names)
    after = attends == "after"
    shown = np.zeros((batch, time, memory.shape[1]))
    contexts = np.zeros((batch, time, memory.shape[2]))
    outputs = [[None] * time for _ in range(batch)]

    def look(row, query):
        alignments = [s[row] for s in state[n:]]
        return attend(
            score_function,
            weights,
            query,
            memory[row],
            memory_mask[row],
            alignments,
            **options,
        )

    for row in range(batch):
        for t in reversed(range(time)) if reverse else range(time):
            if not mask[row, t]:
                outputs[row][t] = state[n - 1 if after else 0][row].copy()
                continue
            x = np.asarray(inputs[row, t], "float64")
            if after:
                fed = state[n - 1][row] if input_feeding else []
            else:
                fed, found = look(row, state[0][row])
                contexts[row, t] = fed
            inside = [s[row : row + 1] for s in state[: n - after]]
            output, new = cell_equation(np.concatenate([x, fed])[None, None], inside)
            output = output[0]
            if after:
                contexts[row, t], found = look(row, output)
                joined = np.concatenate([contexts[row, t], output])
                output = np.tanh(joined @ weights["output_kernel"])
                new = [*new, output[None]]
            for old, value in zip(state[:n], new, strict=True):
                old[row] = value[0]
            for old, name in zip(state[n:], alignment_names, strict=True):
                old[row] = found + (old[row] if name == "cumulative" else 0)
            shown[row, t], outputs[row][t] = found, output.copy()
    outputs = np.array(outputs)
    last = outputs[:, 0 if reverse else -1]
    return outputs, last, state, shown, contexts
