"""Tasks and their PyTorch peers, as those who serve answers; part of `serving.py`.

Models are of one size and untrained, as in each task's own benchmark; what they are
asked is new at each call, where their benchmark knows how.
"""

import functools
import itertools
from functools import partial

import decoding
import forecasting_contestants as forecasting
import language_models
import tagger
from guests import Guest


def in_turns(answer, requests):
    """A function that answers the next of some requests at each call."""
    turns = itertools.cycle(requests)
    return lambda: answer(next(turns))


def tag(who, data_dir, batch):
    """Tags of sentences of WNUT-17's test part."""
    _, sentences, ours = tagger.prepare(data_dir)
    asked = [sentences[n : n + batch] for n in range(0, 8 * batch, batch)]
    if who == "zoo":
        answer = ours.predict
    else:
        model = tagger.torch_model(ours).eval()
        answer = functools.partial(tagger.torch_predict, model, ours)
    for one in asked:  # each length is compiled, or allocated for, once
        answer(one)
    return in_turns(answer, asked)


def forecast(who, data_dir, peer, batch):
    """Forecasts of 96 hours, from as many; the histories are the same at each call."""
    size = forecasting.Size(data_dir, peer, histories=batch)
    kinds = {"zoo": forecasting.zoo_prediction, "torch": forecasting.peer_prediction}
    return kinds[who](size, "lstm")


def write(who, tokens, batch):
    """So many characters after each prompt."""
    size = language_models.Size(characters=tokens)
    if who == "torch":
        return language_models.torch_generation(size, batch)
    model = language_models.zoo_model(size, "zoneout_lstm")
    prompts = [language_models.text_of(size, 1)[0]] * batch
    return lambda: model.generate(prompts, tokens, seed=0)


def pairs(args, tokens):
    """Contestants for each task and batch: `f(batch)` to dicts as `race` takes them.

    Args:
        args: `data_dir`, `peer` (folder with neuralforecast) and `peer_python` (one
            that has joeynmt); what is `None` leaves its tasks out.
        tokens: Characters that a language model writes.
    """
    sizes = decoding.Size()
    found = {
        "language_modeling": lambda batch: {
            "zoo": (write, "zoo", tokens, batch),
            "torch LSTMCell": (write, "torch", tokens, batch),
        }
    }
    if args.data_dir:
        found["ner"] = lambda batch: {
            "zoo": (tag, "zoo", args.data_dir, batch),
            "torch BiLSTM-CRF": (tag, "torch", args.data_dir, batch),
        }
    if args.data_dir and args.peer:
        found["forecasting"] = lambda batch: {
            "zoo": (forecast, "zoo", args.data_dir, args.peer, batch),
            "neuralforecast LSTM": (forecast, "torch", args.data_dir, args.peer, batch),
        }
    if args.peer_python:
        what = ("search", sizes._asdict())
        guest = partial(Guest, args.peer_python, "decoding_joeynmt.py", *what)
        found["translation"] = lambda batch: {
            "zoo": (decoding.zoo_search, sizes, batch, 5),
            "joeynmt": partial(guest, batch, 5),
        }
    return found
