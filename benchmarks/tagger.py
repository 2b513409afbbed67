"""Speed and memory of the entity tagger beside a plain torch BiLSTM-CRF of its size.

Both read the same padded batches: words, characters (a convolution) and shapes, one
bidirectional LSTM, a CRF, dropout and Adam with clipped gradients. Training is an epoch
on the WNUT-17 training set; prediction tags its test set, from lists of tokens to lists
of tags. Wants `pip install torch pytorch-crf`.
"""

import argparse
import os
from collections import Counter
from pathlib import Path

from harness import load, race, ratio, write

BATCH = 32
PREDICT_BATCH = 64
TRAINING = "wnut17/wnut17train.conll"
TEST = "wnut17/emerging.test.annotated"


def prepare(data_dir):
    """Sentences of the training set and tokens of the test set, and a fresh tagger."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    from tasks.data.conll import read_conll
    from tasks.data.vocabulary import Vocabulary
    from tasks.data.words import normalize
    from tasks.ner import NamedEntityTagger

    data = read_conll(Path(data_dir) / TRAINING)
    test = [tokens for tokens, _ in read_conll(Path(data_dir) / TEST)]
    words = Counter(normalize(w) for tokens, _ in data for w in tokens)
    characters = Counter(c for tokens, _ in data for w in tokens for c in w)
    labels = sorted({tag[2:] for _, tags in data for tag in tags if tag != "O"})
    tagger = NamedEntityTagger(
        labels, Vocabulary.build(words), Vocabulary.build(characters)
    )
    return data, test, tagger


def batches_of(tagger, data):
    """The training set in batches, in one order."""
    from tasks.data.batches import Batches

    sentences, tags = zip(*data, strict=True)
    return Batches(
        list(sentences), list(tags), tagger.features, tagger.tags, BATCH, shuffle=True
    )


def zoo_tagger(data_dir, train):
    """An epoch of training, or tagging the test set, with `NamedEntityTagger`."""
    data, test, tagger = prepare(data_dir)
    if not train:
        return lambda: tagger.predict(test, batch_size=PREDICT_BATCH)

    import keras

    from tasks.data.pipeline import as_dataset
    from tasks.losses import row_loss

    tagger.training_model.compile(
        keras.optimizers.Adam(1e-3, global_clipnorm=1), row_loss
    )
    batches = as_dataset(batches_of(tagger, data))
    return lambda: tagger.training_model.fit(batches, shuffle=False, verbose=0)


def torch_tagger(data_dir, train):
    """The same with torch and pytorch-crf."""
    import torch
    import torch._dynamo  # Adam would import it after TensorFlow, and crash

    data, test, tagger = prepare(data_dir)
    model = torch_model(tagger)
    if not train:
        return lambda: torch_predict(model.eval(), tagger, test)
    batches = batches_of(tagger, data)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)

    def epoch():
        for number in range(len(batches)):
            inputs = tensors(batches[number][0])
            keep = inputs["mask"][:, 0]  # pytorch-crf takes no empty rows
            inputs = {name: x[keep] for name, x in inputs.items()}
            loss = -model.crf(
                model(inputs), inputs["tags"], inputs["mask"], reduction="mean"
            )
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()

    return epoch


def torch_predict(model, tagger, sentences):
    """Tags of all sentences, in their order."""
    import torch

    from tasks.data.batches import Batches

    batches = Batches(sentences, None, tagger.features, tagger.tags, PREDICT_BATCH)
    found = [None] * len(sentences)
    with torch.inference_mode():
        for number, members in enumerate(batches.order()):
            inputs = tensors(batches[number][0])
            rows = slice(0, len(members))
            inputs = {name: x[rows] for name, x in inputs.items()}
            paths = model.crf.decode(model(inputs), inputs["mask"])
            for member, path in zip(members, paths, strict=True):
                found[member] = [tagger.tags[i] for i in path]
    return found


def tensors(inputs):
    """Arrays of a batch for torch."""
    import torch

    return {
        name: torch.as_tensor(x, dtype=torch.bool if name == "mask" else torch.long)
        for name, x in inputs.items()
    }


def torch_model(tagger):
    """A BiLSTM that scores tags, with a CRF beside it, of the tagger's sizes."""
    import torch
    from torch import nn
    from torchcrf import CRF

    from tasks.data.words import CASINGS

    sizes = tagger.options

    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            features = tagger.features
            self.words = nn.Embedding(len(features.words), sizes["embedding_dim"])
            self.characters = nn.Embedding(
                len(features.characters), sizes["char_embedding_dim"]
            )
            self.convolution = nn.Conv1d(
                sizes["char_embedding_dim"], sizes["char_units"], 3, padding=1
            )
            self.casing = nn.Embedding(len(CASINGS), sizes["casing_dim"])
            width = sizes["embedding_dim"] + sizes["char_units"] + sizes["casing_dim"]
            self.dropout = nn.Dropout(sizes["dropout"])
            self.lstm = nn.LSTM(
                width, sizes["units"], bidirectional=True, batch_first=True
            )
            self.logits = nn.Linear(2 * sizes["units"], len(tagger.tags))
            self.crf = CRF(len(tagger.tags), batch_first=True)

        def forward(self, inputs):
            x = self.characters(inputs["char_ids"])
            batch, time, length, width = x.shape
            x = self.convolution(x.view(-1, length, width).transpose(1, 2))
            x = torch.relu(x).amax(-1).view(batch, time, -1)
            parts = self.words(inputs["word_ids"]), x, self.casing(inputs["casing_ids"])
            x = self.dropout(torch.cat(parts, -1))
            return self.logits(self.dropout(self.lstm(x)[0]))

    return Tagger()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data-dir", required=True, help=f"folder that has {TRAINING} and {TEST}"
    )
    parser.add_argument("--rounds", type=int, default=5, help="turns (default 5)")
    parser.add_argument("--quick", action="store_true", help="one turn")
    parser.add_argument("--name", default="tagger", help="of the file in results/")
    args = parser.parse_args()
    data, test, _ = prepare(args.data_dir)
    content = {"sentences": {"train": len(data), "predict": len(test)}}
    for mode, sentences in content["sentences"].items():
        train = mode == "train"
        results = race(
            {
                "torch": (torch_tagger, args.data_dir, train),
                "zoo": (zoo_tagger, args.data_dir, train),
            },
            1 if args.quick else args.rounds,
            seconds=0,
        )
        for name, result in results.items():
            result["sentences_per_second"] = sentences / min(result["times"])
            print(
                f"{mode:8} {name:6} {result['sentences_per_second']:7.0f} sentences/s "
                f"(best), peak {result['memory']:5.0f} MB, first call "
                f"{result['first_call']:.1f} s"
            )
        r = ratio(results, "zoo", "torch")
        print(f"{mode}: time to torch's {r['median']:.2f} (best {r['best']:.2f})")
        content[mode] = {"results": results, "ratio": r, **load()}
    print("written:", write(args.name, content))


if __name__ == "__main__":
    main()
