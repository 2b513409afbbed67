"""joeynmt's GRU with Bahdanau attention, for `decoding.py`; runs where joeynmt is.

    python -m venv PEER
    PEER/bin/pip install torch==2.13.0 joeynmt==2.3.0 importlib_metadata

(joeynmt 2.3.0 imports importlib_metadata without asking for it.) Its training loop and
its command line are left out: what is timed is its model, its loss and its searches,
called as they call them.
"""

import json
import sys
from types import SimpleNamespace

from guests import play


def model_of(size):
    """A model of joeynmt, of the sizes of `decoding.Size`, a dict."""
    import torch
    from joeynmt.model import build_model
    from joeynmt.vocabulary import Vocabulary

    torch.manual_seed(0)
    names = {"unk": 0, "pad": 1, "bos": 2, "eos": 3}
    special = {f"{name}_token": f"<{name}>" for name in names}
    special |= {f"{name}_id": number for name, number in names.items()}
    words = [f"word{i}" for i in range(size["vocabulary"] - len(names))]
    special = SimpleNamespace(**special, sep_token=None, sep_id=None, lang_tags=[])
    source, target = (Vocabulary(words, special) for _ in range(2))
    embeddings = {"embedding_dim": size["embedding"], "dropout": size["dropout"]}
    shared = {
        "type": "recurrent",
        "rnn_type": "gru",
        "num_layers": 1,
        "dropout": size["dropout"],
        "embeddings": embeddings,
    }
    units = size["units"]
    encoder = {**shared, "hidden_size": units // 2, "bidirectional": True}
    decoder = {**shared, "hidden_size": units, "attention": "bahdanau"}
    config = {"encoder": encoder, "decoder": decoder, "tied_softmax": True}
    model = build_model(config, source, target)
    model.loss_function = ("crossentropy", 0.0)
    return model


def batch_of(model, size, rows):
    """A batch of sentences by chance, all of them full."""
    import torch

    def ids(length):
        return torch.randint(4, size["vocabulary"], (rows, length))

    source, target = ids(size["source"]), ids(size["target"])
    first = torch.full((rows, 1), model.bos_index)
    return {
        "src": source,
        "src_length": torch.full((rows,), size["source"]),
        "src_mask": torch.ones(rows, 1, size["source"], dtype=torch.bool),
        "trg": target,
        "trg_input": torch.cat([first, target[:, :-1]], 1),
        "trg_mask": torch.ones(rows, 1, size["target"], dtype=torch.bool),
    }


def training(size):
    """`size["steps"]` steps of training."""
    import torch

    model = model_of(size).train()
    batch = batch_of(model, size, size["rows"])
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    tokens = batch["trg"].numel()

    def steps():
        for _ in range(size["steps"]):
            loss = model(return_type="loss", **batch)[0] / tokens
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        return float(loss.detach())

    return steps


def search(size, rows, width):
    """Sequences of `size["target"]` tokens: none may end before."""
    import torch
    from joeynmt.search import beam_search, greedy

    model = model_of(size).eval()
    batch = batch_of(model, size, rows)
    most = size["target"]

    @torch.no_grad()
    def decode():
        memory, hidden, *_ = model(return_type="encode", **batch)
        given = {
            "model": model,
            "encoder_output": memory,
            "encoder_hidden": hidden,
            "src_mask": batch["src_mask"],
            "max_output_length": most,
            "min_output_length": most,
        }
        if width == 1:
            found = greedy(**given)[0]
        else:
            found = beam_search(beam_size=width, alpha=0.6, n_best=1, **given)[0]
        assert found.shape == (rows, most), found.shape
        return found

    return decode


def build(what, *args):
    """The function to time."""
    return {"training": training, "search": search}[what](*args)


def tell(size):
    """Prints versions, and the number of parameters, as a line of JSON."""
    from importlib.metadata import version

    told = {name: version(name) for name in ("joeynmt", "torch")}
    count = sum(weights.numel() for weights in model_of(size).parameters())
    print(json.dumps({"parameters": count, **told}))


if __name__ == "__main__":
    if sys.argv[1] == "--about":
        tell(json.loads(sys.argv[2]))
    else:
        play(build)
