"""Captions of photographs of people and animals (Flickr8k, five captions each).

What a picture shows is seen by Google's MobileNetV2, converted from its published file;
what it sees is computed once and kept in the output folder (2 gigabytes). The decoder
learns from 6,000 pictures or their mirror images; the epoch is chosen by BLEU-4 on the
1,000 development pictures. The trained model then looks at a picture and its mirror
image at once. The 1,000 test pictures are scored once for each run, on what the model
writes by itself, against all five references.

Data: folders flickr8k (lists of pictures, captions, pictures; for research only) and
cnn_mobilenet_tflite (mobilenet_v2_1.0_224_quant.tflite, Apache-2.0) in --data-dir.
"""

import functools
from pathlib import Path
from typing import NamedTuple

import numpy as np

import zoo
from tasks.captioning import Captioner
from tasks.data.flickr8k import PARTS, read_flickr8k
from tasks.data.pictures import picture_array
from tasks.data.regions import RegionReader
from tasks.metrics.captions import caption_scores
from tasks.pictures import convert, picture_net
from tasks.recipes import runs as recipe_runs
from tasks.recipes.drawn_pictures import drawn_pictures
from tasks.recipes.weight_mean import WeightMean

NAME = "captioning_lstm_attention.flickr8k_en"
NET_FILE = "mobilenet_v2_1.0_224_quant.tflite"
MOST_STEPS = 0.51  # of rounding, that a converted layer may be off
SCORES = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "cider_d", "loss")
MIN_COUNT = 5
LSTM = {"zoneout_h": 0.05, "zoneout_c": 0.15}
OPTIONS = {
    "units": 384,
    "embedding_dim": 192,
    "region_dim": 192,
    "attention_units": 192,
    "layer_options": LSTM,
    "coverage_loss": 1.0,
}


class Variant(NamedTuple):
    """What differs from the model that is shipped.

    Attributes:
        options: Options of `Captioner`, in training if there is one.
        search: Options of the search that writes captions.
        trained: Whether it is a training of its own; else the first one's weights.
        pixels: Height and width that test pictures are brought to before all else, to
            see what small pictures cost.
    """

    options: dict = {}  # noqa: RUF012, read only
    search: dict = {}  # noqa: RUF012, read only
    trained: bool = True
    pixels: int | None = None


VARIANTS = {
    "full": Variant(),
    "greedy": Variant(search={"beam_width": 1}, trained=False),
    "without mirror images": Variant({"mirrored": False}, trained=False),
    "test pictures of 113 x 113": Variant(trained=False, pixels=113),
    "test pictures of 80 x 80": Variant(trained=False, pixels=80),
    "no attention": Variant({"attention": None}),
    "no zoneout": Variant({"layer_options": {}}),
    "GRU": Variant({"layer": "gru", "layer_options": {}}),
}
FRONT = {
    "architecture": "MobileNetV2 (frozen), ZoneoutLSTM decoder with Bahdanau attention",
    "language": "en",
    "data": ["Flickr8k", "ImageNet (the net that sees)"],
    "data_licence": "Flickr8k: non-commercial research and education; the net's "
    "weights: Apache-2.0",
    "licence": "research use only",
    "intended_use": "short English captions of photographs of people and animals",
    "limits": "knows what eight thousand photographs of people and dogs show, and the "
    "words for it; other pictures get captions of such photographs",
}


def add_arguments(parser):
    recipe_runs.add_arguments(parser, VARIANTS, epochs=14, learning_rate=1e-3)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument(
        "--averaged", type=int, default=5, help="last epochs whose mean is tried"
    )


def run(args):
    """Runs all stages; `args.output` holds the state, the results and the preset."""
    output, folder = Path(args.output), Path(args.data_dir)
    net = converted_net(folder / "cnn_mobilenet_tflite" / NET_FILE, output)
    data = {part: read_flickr8k(folder / "flickr8k", part) for part in PARTS}
    runs = recipe_runs.Runs(output / "runs")
    train = functools.partial(train_one, net=net, data=data)
    recipe_runs.run_variants(runs, VARIANTS, args, train)
    seed = max(
        args.seeds, key=lambda s: runs.results[f"full/{s}"]["development_bleu_4"]
    )
    captioner = zoo.load(runs.folder / "full" / str(seed) / "preset")
    captioner.show_examples(drawn_pictures())
    cache = output / "regions"
    recipe_runs.publish(
        NAME,
        output,
        runs,
        captioner,
        lambda task: task.evaluate(data["test"], cache_dir=cache),
        front=FRONT,
        body=Path(__file__).with_suffix(".md"),
        baseline=nearest_picture_baseline(captioner, data, cache),
        score="bleu_4",
        scores=(*SCORES, *_meteor(runs)),
        percent=False,
    )


def _meteor(runs):
    """METEOR's name, if all runs have it."""
    return ["meteor"] if all("meteor" in r for r in runs.results.values()) else []


def converted_net(source, output):
    """Path of the net's weights, converted and checked on three of its own pictures.

    Raises:
        ValueError: If a layer answers otherwise than its source.
    """
    path = output / "net.weights.h5"
    if not path.exists():
        output.mkdir(parents=True, exist_ok=True)
        size = convert.Source(source).size
        net = picture_net("mobilenet_v2", size)
        read = convert.convert(source, net)
        noise = np.random.default_rng(0).integers(0, 256, (3, size, size, 3), "uint8")
        worst = convert.largest_error(read, net, noise)
        print(f"{source.name}: largest error of a layer {worst:.3f} steps", flush=True)
        if worst > MOST_STEPS:
            raise ValueError(f"{source} was not converted rightly: {worst} steps.")
        partial = path.with_name("partial.weights.h5")
        net.save_weights(partial)
        partial.replace(path)
    return path


def train_one(args, variant, folder, seed, *, net, data):
    """Trains one variant with one seed; saves it, and returns its test scores."""
    cache = Path(args.output) / "regions"
    if not variant.trained:
        source = folder.parents[1] / "full" / str(seed) / "preset"
        captioner = zoo.load(source, **variant.options)
        test = data["test"]
        if variant.pixels:
            test = [(picture_array(p, variant.pixels), texts) for p, texts in test]
        return captioner.evaluate(test, cache_dir=cache, **variant.search)
    captioner = Captioner.for_data(
        data["train"], MIN_COUNT, net, **{**OPTIONS, **variant.options}
    )
    mean = WeightMean(
        captioner.parts.reading_model, folder / "means", args.epochs - args.averaged
    )
    history = captioner.fit(
        data["train"],
        data["dev"],
        epochs=args.epochs,
        batch_size=args.batch_size,
        learning_rate=args.learning_rate,
        cache_dir=cache,
        seed=seed,
        verbose=2,
        resume_dir=folder / "state",
        callbacks=[mean],
    )
    best = max(history.history["val_bleu_4"])
    better_mean(captioner, mean, data["dev"], cache, best)
    return final_scores(captioner, folder / "preset", data, cache)


def final_scores(captioner, folder, data, cache):
    """Saves a trained captioner, which looks at both sides from now on; its scores."""
    # Training so would take longer; the words to learn are the same.
    captioner = zoo.load(captioner.save(folder), mirrored=True)
    captioner.save(folder)
    held, scores = (
        captioner.evaluate(data[part], cache_dir=cache) for part in ("dev", "test")
    )
    return {**scores, "development_bleu_4": held["bleu_4"]}


def better_mean(captioner, mean, held, cache, best):
    """Takes the mean of the last epochs' weights where it beats the best epoch."""
    own = captioner.parts.reading_model.get_weights()
    mean.apply()
    score = captioner.evaluate(held, cache_dir=cache)["bleu_4"]
    print(f"development BLEU-4: best epoch {best:.3f}, mean {score:.3f}", flush=True)
    if score < best:
        captioner.parts.reading_model.set_weights(own)


def nearest_picture_baseline(captioner, data, cache):
    """Scores of giving every picture a caption of the training picture most like it."""
    means = {}
    for part in ("train", "test"):
        pictures = [example.picture for example in data[part]]
        reader = RegionReader(captioner.parts.net, captioner.options["picture_size"])
        mean = np.asarray(reader.read(pictures, cache)).mean(1, dtype="float32")
        means[part] = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    nearest = np.argmax(means["test"] @ means["train"].T, axis=1)
    found = [data["train"][i].captions[0] for i in nearest]
    return caption_scores(found, [example.captions for example in data["test"]])
