"""Presets made by an attacker or damaged on the way: each one clear error, no harm.

Every attack signs its folder again, so the checksums agree and only the rule under
test can refuse it. `test_nothing_outside_is_touched` runs all of them once more below
an audit hook.
"""

import itertools
import json
import os
import pickle
import resource
import shutil
import socket
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import zoo
from zoo import integrity

ROOT = Path(__file__).parents[2]
WEIGHTS = "model.weights.h5"
KERNEL = "layers/dense/vars/0"
FILES = (
    "config.json",
    WEIGHTS,
    "README.md",
    "examples.json",
    "assets/words.txt",
    "SHA256SUMS",
)
ATTACKS = {}


def attack(function):
    ATTACKS[function.__name__] = function
    return function


def attacks(template, values, change):
    """Registers one attack per value."""
    for number, value in enumerate(values):
        ATTACKS[f"{template}-{number}"] = lambda folder, value=value: change(
            folder, value
        )


def edit(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def raw_option(folder, text):
    """Puts text into `options` that json.dumps would not write."""
    path = folder / "config.json"
    path.write_text(path.read_text().replace('"units": 3', f'"units": {text}'))


def open_weights(folder, name=KERNEL):
    """Opens the weights file with the dataset `name` removed."""
    file = h5py.File(folder / WEIGHTS, "a")
    del file[name]
    return file


# --- the config -----------------------------------------------------------------

attacks(
    "class",
    [
        "os.system",
        "posix.system",
        "builtins.eval",
        "subprocess.Popen",
        "pickle.loads",
        "keras.layers.Lambda",
        "keras.src.layers.core.lambda_layer.Lambda",
        "zoo.lazy.Lazy",
        "zoo.preset.Preset",
        "zoo.preset.os.System",
        "zoo.hub.load",
        "zoo..hub.Load",
        "zoo.__main__.Main",
        "tasks.no_such_module.Thing",
        "tasks/../../evil.Thing",
        "z\u043e\u043e.preset.Preset",
        "zoo.preset.Preset\n",
        "Toy",
        "",
        "a" * 5000,
        5,
        None,
        ["os.system"],
        {"os": "system"},
    ],
    lambda folder, value: edit(folder, **{"class": value}),
)
attacks(
    "place",
    [
        "../secret",
        "..",
        "a/../../b",
        "..\\secret",
        "/etc/passwd",
        "~/secret",
        "~root/secret",
        "C:\\secret",
        "\\\\host\\share",
        "file:///etc/passwd",
        "http://127.0.0.1:9/x",
        "name\x00.txt",
        {"deep": [["/etc/passwd"]]},
        {"/etc/passwd": 1},
    ],
    lambda folder, value: edit(folder, options={"units": 3, "labels": value}),
)
attacks(
    "options",
    [
        None,
        [],
        "units",
        {"units": "3"},
        {"units": None},
        {"units": [3]},
        {"units": 3, "no_such_option": 1},
        {"units": 10**9},
        {"units": -(10**9)},
        {"units": 10**400},
        {"units": 1e300},
        {"units": 0},
        {"units": 3, "__proto__": {}},
        {"units": 3, "__class__": "x"},
        {"units": 3, "": 1},
        {"units": 3, "cls": 1},
        {
            "units": {
                "module": "keras.layers",
                "class_name": "Lambda",
                "config": {"function": {"class_name": "__lambda__", "config": {}}},
            }
        },
    ],
    lambda folder, value: edit(folder, options=value),
)
attacks(
    "number",
    ["NaN", "Infinity", "-Infinity", "1e999", "1" * 5000, "3, 'x'", '3, "units": 4'],
    raw_option,
)
attacks(
    "format",
    [None, "1", True, 0, 2, 1.0, [1]],
    lambda folder, value: edit(folder, format=value),
)
attacks("extra-key", [1], lambda folder, value: edit(folder, code=value))
attacks("versions", ["3.15", None], lambda folder, v: edit(folder, versions=v))
attacks(
    "document",
    [
        b"",
        b"null",
        b"[]",
        b"5",
        b'{"format": 1}',
        b"\xff\xfe{}",
        b"\xef\xbb\xbf{}",
        b"[" * 10_000 + b"]" * 10_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b"[" * 100 + b"]" * 100,
        pickle.dumps({"format": 1}),
        b"cos\nsystem\n(S'false'\ntR.",
    ],
    lambda folder, value: (folder / "config.json").write_bytes(value),
)
attacks(
    "examples",
    [b"{}", b"[NaN]", b"[[" * 50 + b"]]" * 50, pickle.dumps([1])],
    lambda folder, value: (folder / "examples.json").write_bytes(value),
)
attacks(
    "asset",
    [pickle.dumps(os.getcwd), b"\xff\xfe", b"caf\xe9"],
    lambda folder, value: (folder / "assets/words.txt").write_bytes(value),
)
attacks(
    "weight-list",
    [
        None,
        {},
        [1],
        [{"path": "dense/kernel"}],
        [{"path": 1, "shape": [4, 2], "dataset": KERNEL}],
        [{"path": "dense/kernel", "shape": "4", "dataset": KERNEL}],
        [{"path": "dense/kernel", "shape": [-4, -2], "dataset": KERNEL}],
        [{"path": "dense/kernel", "shape": [True, 2], "dataset": KERNEL}],
        [{"path": "dense/kernel", "shape": [10**30], "dataset": KERNEL}],
        [{"path": "dense/kernel", "shape": [4, 2], "dataset": KERNEL}],
        [{"path": "dense/kernel", "shape": [4, 2], "dataset": KERNEL}] * 2,
        [{"path": "dense/kernel", "shape": [4, 2], "dataset": "../../x"}],
    ],
    lambda folder, value: edit(folder, weights=value),
)

# --- the folder -----------------------------------------------------------------


@attack
def foreign_file(folder):
    (folder / "run.py").write_text("raise SystemExit")


@attack
def hidden_file(folder):
    (folder / ".hidden").write_text("x")


@attack
def pickle_beside(folder):
    (folder / "model.pkl").write_bytes(pickle.dumps(os.getcwd))


@attack
def foreign_asset(folder):
    (folder / "assets" / "words.py").write_text("raise SystemExit")


@attack
def subfolder(folder):
    (folder / "assets" / "more").mkdir()


@attack
def other_folder(folder):
    (folder / "code").mkdir()
    (folder / "code" / "x.txt").write_text("x")


@attack
def linked_file(folder):
    (folder / "README.md").unlink()
    (folder / "README.md").symlink_to("/etc/passwd")


@attack
def linked_asset(folder):
    (folder / "assets" / "more.txt").symlink_to(folder / "README.md")


@attack
def linked_assets(folder):
    other = folder.with_name("elsewhere")
    (folder / "assets").rename(other)
    (folder / "assets").symlink_to(other)


@attack
def hard_linked_file(folder):
    secret = folder.with_name("secret.txt")
    secret.write_text("secret")
    os.link(secret, folder / "assets" / "secret.txt")


@attack
def pipe(folder):
    (folder / "config.json").unlink()
    os.mkfifo(folder / "config.json")


@attack
def pipe_as_weights(folder):
    (folder / WEIGHTS).unlink()
    os.mkfifo(folder / WEIGHTS)


@attack
def pipe_as_assets(folder):
    (folder / "assets/words.txt").unlink()
    (folder / "assets").rmdir()
    os.mkfifo(folder / "assets")


@attack
def unix_socket(folder):
    (folder / "examples.json").unlink()
    there = os.getcwd()
    os.chdir(folder)  # socket names are short
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("examples.json")
    finally:
        os.chdir(there)


@attack
def folder_as_file(folder):
    (folder / "README.md").unlink()
    (folder / "README.md").mkdir()


@attack
def too_many_files(folder):
    for number in range(400):
        (folder / "assets" / f"{number}.txt").write_text("")


@attack
def weights_are_missing(folder):
    (folder / WEIGHTS).unlink()


# --- the weights ----------------------------------------------------------------


@attack
def external_link(folder):
    with h5py.File(folder.with_name("other.h5"), "w") as other:
        other["x"] = np.ones((4, 2), "float32")
    with open_weights(folder) as file:
        file[KERNEL] = h5py.ExternalLink(str(folder.with_name("other.h5")), "/x")


@attack
def external_link_to_a_group(folder):
    with h5py.File(folder.with_name("other.h5"), "w") as other:
        other["dense/vars/0"] = np.ones((4, 2), "float32")
    with open_weights(folder, "layers") as file:
        file["layers"] = h5py.ExternalLink(str(folder.with_name("other.h5")), "/")


@attack
def soft_link(folder):
    with open_weights(folder) as file:
        file["else"] = np.ones((4, 2), "float32")
        file[KERNEL] = h5py.SoftLink("/else")


@attack
def virtual_dataset(folder):
    other = folder.with_name("other.h5")
    with h5py.File(other, "w") as source:
        source["x"] = np.ones((4, 2), "float32")
    layout = h5py.VirtualLayout(shape=(4, 2), dtype="float32")
    layout[:] = h5py.VirtualSource(str(other), "x", shape=(4, 2))
    with open_weights(folder) as file:
        file.create_virtual_dataset(KERNEL, layout)


@attack
def external_storage(folder):
    secret = folder.with_name("secret.bin")
    secret.write_bytes(b"s" * 32)
    with open_weights(folder) as file:
        file.create_dataset(KERNEL, (4, 2), "float32", external=[(str(secret), 0, 32)])


@attack
def shape_bomb(folder):
    with open_weights(folder) as file:
        file.create_dataset(KERNEL, (10**7, 10**7), "float32", chunks=(16, 16))


@attack
def shape_bomb_in_the_config_too(folder):
    shape_bomb(folder)
    config = json.loads((folder / "config.json").read_text())
    config["weights"][0]["shape"] = [10**7, 10**7]
    edit(folder, weights=config["weights"])


@attack
def overflowing_shape(folder):
    with open_weights(folder) as file:
        file.create_dataset(KERNEL, (2**32, 2**32), "float32", chunks=(16, 16))


@attack
def never_written(folder):
    with open_weights(folder) as file:
        file.create_dataset(KERNEL, (4, 2), "float32")


@attack
def compressed_bomb(folder):
    with open_weights(folder) as file:
        file.create_dataset(
            KERNEL, data=np.zeros((4096, 1024), "float32"), compression="gzip"
        )


@attack
def aliased_dataset(folder):
    with open_weights(folder) as file:
        file[KERNEL] = file["layers/dense/vars/1"]


@attack
def circular_group(folder):
    with h5py.File(folder / WEIGHTS, "a") as file:
        file["layers/dense/again"] = file["layers"]


@attack
def deep_groups(folder):
    with h5py.File(folder / WEIGHTS, "a") as file:
        file["/".join("g" * 500)] = 1.0


@attack
def region_reference(folder):
    with open_weights(folder) as file:
        file.create_dataset(KERNEL, (4, 2), h5py.ref_dtype)


@attack
def named_type(folder):
    with open_weights(folder) as file:
        file[KERNEL] = np.dtype("float32")


attacks(
    "array",
    [
        np.ones((2, 4), "float32"),
        np.ones(8, "float32"),
        np.ones((4, 2), "int32"),
        np.ones((4, 2), "complex64"),
        np.ones((4, 2), [("a", "f4")]),
        np.full((4, 2), b"text"),
        np.full((4, 2), np.nan, "float32"),
        np.full((4, 2), -np.inf, "float16"),
    ],
    lambda folder, value: open_weights_and_put(folder, value),
)


def open_weights_and_put(folder, value):
    with open_weights(folder) as file:
        file[KERNEL] = value


@attack
def missing_weight(folder):
    open_weights(folder).close()


@attack
def unlisted_weight(folder):
    with h5py.File(folder / WEIGHTS, "a") as file:
        file["layers/dense/vars/2"] = np.ones(1, "float32")


@attack
def weight_of_another_model(folder):
    config = json.loads((folder / "config.json").read_text())
    config["weights"][0]["path"] = "other/kernel"
    edit(folder, weights=config["weights"])


attacks(
    "weights-file",
    [
        b"",
        b"\x89HDF\r\n\x1a\n",
        b"PK\x03\x04" + bytes(100),
        b"x" * 10_000,
        pickle.dumps({"layers": os.getcwd}),
        b"cposix\nsystem\n(S'false'\ntR.",
    ],
    lambda folder, value: (folder / WEIGHTS).write_bytes(value),
)


@attack
def weights_cut_in_half(folder):
    data = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(data[: len(data) // 2])


# --- the tests ------------------------------------------------------------------


def refused(folder):
    """Loads a folder, and returns the message of the one error allowed."""
    start = time.process_time()  # other programs must not make this fail
    memory = peak_memory()
    with pytest.raises(zoo.PresetError) as caught:
        zoo.load(folder)
    assert time.process_time() - start < 1
    assert peak_memory() - memory < 200
    return str(caught.value)


def peak_memory():
    """The most that this process has held so far, in MB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def test_the_untouched_preset_loads(preset_folder):
    toy = zoo.load(preset_folder)
    assert toy.model.weights[0].value.sum() == 28


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_is_refused_in_one_sentence(name, preset_folder, make_preset):
    ATTACKS[name](preset_folder)
    make_preset.sign(preset_folder)
    message = refused(preset_folder)
    assert str(preset_folder) in message
    assert "\n" not in message and len(message) < 1000


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("external_link", "is a link"),
        ("external_link_to_a_group", "is a link"),
        ("soft_link", "is a link"),
        ("virtual_dataset", "in another file"),
        ("external_storage", "in another file"),
        ("shape_bomb_in_the_config_too", "not stored whole"),
        ("overflowing_shape", "not stored whole"),
        ("compressed_bomb", "not stored whole"),
        ("aliased_dataset", "comes twice"),
        ("circular_group", "comes twice"),
        ("region_reference", "no array of numbers"),
        ("linked_file", "is a link"),
        ("pipe", "device"),
        ("options-7", "weights allow at most"),
    ],
)
def test_the_rule_itself_refuses(name, reason, preset_folder, make_preset):
    """Another rule would stop some of these too; each has to hold alone."""
    ATTACKS[name](preset_folder)
    make_preset.sign(preset_folder)
    assert reason in refused(preset_folder)


@pytest.mark.parametrize("file", FILES)
def test_any_flipped_byte_is_seen(file, preset_folder):
    path = preset_folder / file
    data = path.read_bytes()
    for position in range(0, len(data), max(1, len(data) // 60)):
        for bit in (1, 32, 128):
            flipped = data[position] ^ bit
            path.write_bytes(data[:position] + bytes([flipped]) + data[position + 1 :])
            with pytest.raises(zoo.PresetError):
                zoo.load(preset_folder)
    path.write_bytes(data)
    assert zoo.load(preset_folder)


@pytest.mark.parametrize("file", FILES)
def test_flipped_byte_names_its_file(file, preset_folder):
    path = preset_folder / file
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 64
    path.write_bytes(data)
    assert file in refused(preset_folder)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("part", [0.0, 0.5, 1.0])
def test_truncated_file_is_refused(file, part, preset_folder):
    path = preset_folder / file
    data = path.read_bytes()
    path.write_bytes(data[: int(part * (len(data) - 1))])
    assert file in refused(preset_folder)


@pytest.mark.parametrize("file", FILES)
def test_missing_file_is_named(file, preset_folder):
    (preset_folder / file).unlink()
    assert file in refused(preset_folder)


def test_unlisted_file_is_named(preset_folder):
    (preset_folder / "assets" / "more.txt").write_text("x")
    assert "assets/more.txt is not listed" in refused(preset_folder)


@pytest.mark.parametrize(
    "name",
    [
        "../secret.txt",
        "/etc/passwd",
        "assets/../../secret.txt",
        "assets/..",
        "assets/a/b.txt",
        "assets\\..\\x.txt",
        "assets/\u0430.txt",
        "config.json ",
        "./config.json",
        "CONFIG.JSON",
        "assets/words.txt\x00",
    ],
)
def test_sums_cannot_name_another_place(name, preset_folder):
    with (preset_folder / "SHA256SUMS").open("a", encoding="utf-8") as file:
        file.write(f"{'0' * 64}  {name}\n")
    assert "SHA256SUMS" in refused(preset_folder)


@pytest.mark.parametrize(
    "line", ["", "x", "0" * 64, "0" * 63 + "  README.md", "G" * 64 + "  README.md"]
)
def test_sums_must_be_sums(line, preset_folder):
    with (preset_folder / "SHA256SUMS").open("a") as file:
        file.write(f"{line}\n")
    assert "SHA256SUMS" in refused(preset_folder)


def test_a_file_listed_twice_is_refused(preset_folder):
    path = preset_folder / "SHA256SUMS"
    path.write_text(path.read_text() * 2)
    assert "twice" in refused(preset_folder)


@pytest.mark.parametrize(
    "file", ["config.json", "README.md", "examples.json", "assets/words.txt"]
)
def test_large_file_is_refused_before_it_is_read(file, preset_folder):
    os.truncate(preset_folder / file, 100 * 2**20)
    tracemalloc.start()
    try:
        message = refused(preset_folder)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "104857600 bytes" in message
    assert peak < 2**20


def test_a_pipe_put_there_meanwhile_does_not_hang(preset_folder):
    pipe(preset_folder)
    with pytest.raises(zoo.PresetError, match="not a plain file"):
        integrity.open_file(preset_folder, "config.json")


def test_a_link_put_there_meanwhile_is_not_followed(preset_folder):
    linked_file(preset_folder)
    with pytest.raises(zoo.PresetError, match=r"README\.md cannot be read"):
        integrity.open_file(preset_folder, "README.md")


def test_shipped_presets_may_be_hard_links(preset_folder, monkeypatch):
    os.link(preset_folder / "README.md", preset_folder.with_name("copy"))
    monkeypatch.setattr(integrity, "_SHIPPED", preset_folder.parent)
    assert zoo.load(preset_folder)


def test_no_module_is_imported_by_a_name_in_a_file(
    preset_folder, make_preset, tmp_path, monkeypatch
):
    (tmp_path / "wicked.py").write_text(
        "class Thing:\n    from_preset = classmethod(lambda cls, preset: cls())\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    edit(preset_folder, **{"class": "wicked.Thing"})
    make_preset.sign(preset_folder)
    assert "import it first" in refused(preset_folder)
    assert "wicked" not in sys.modules


def test_nan_is_read_when_asked_for(preset_folder, make_preset):
    open_weights_and_put(preset_folder, np.full((4, 2), np.nan, "float32"))
    make_preset.sign(preset_folder)
    model = make_preset.model()
    zoo.preset.read_preset(preset_folder).load_weights(model, allow_nonfinite=True)
    assert np.isnan(model.weights[0].value).all()


def test_weights_exchanged_after_reading_are_seen(preset_folder, make_preset):
    preset = zoo.preset.read_preset(preset_folder)
    with h5py.File(preset_folder / WEIGHTS, "a") as file:
        file[KERNEL][0, 0] = 9.0
    with pytest.raises(zoo.PresetError, match=WEIGHTS):
        preset.load_weights(make_preset.model())


def test_nothing_is_assigned_when_one_weight_is_refused(preset_folder, make_preset):
    config = json.loads((preset_folder / "config.json").read_text())
    config["weights"][1]["path"] = "dense/offset"
    edit(preset_folder, weights=config["weights"])
    make_preset.sign(preset_folder)
    model = make_preset.model()
    with pytest.raises(zoo.PresetError, match="only the model has .*dense/bias"):
        zoo.preset.read_preset(preset_folder).load_weights(model)
    assert not model.weights[0].value.any()


WATCH = """
import encodings.ascii, os, sys
sys.path.insert(0, sys.argv[1])
import h5py, tasks, zoo.hub, zoo.hdf5, zoo.weights
exec(open(os.path.join(sys.argv[1], "tests", "toy_preset.py")).read(), globals())
folders = sys.argv[3:]
toy = zoo.load(folders.pop(0))  # imports everything that loading needs
inside = os.path.realpath(sys.argv[2]) + os.sep
package = os.path.join(sys.argv[1], "zoo") + os.sep
bad = []
def watch(event, arguments):
    if event == "open":
        path = arguments[0]
        if isinstance(path, int):
            return
        path = os.path.realpath(os.fsdecode(path))
        if not path.startswith((current, package)):
            bad.append((current, event, path))
    elif event.partition(".")[0] in ("socket", "subprocess", "pickle", "marshal",
                                     "ctypes", "shutil", "urllib", "webbrowser"):
        bad.append((current, event, repr(arguments)))
    elif event in ("os.system", "os.exec", "os.posix_spawn", "os.fork", "os.remove",
                   "os.rename", "os.mkdir", "os.link", "os.symlink", "os.chmod",
                   "builtins.eval"):
        bad.append((current, event, repr(arguments)))
current = inside
sys.addaudithook(watch)
for folder in folders:
    current = folder + os.sep
    try:
        zoo.load(folder)
    except zoo.PresetError:
        continue
    except ImportError as error:
        print("import", error)
    print("accepted", folder)
current = "canary"
open(os.devnull).close()
print("watched", bad.pop()[0], "bad", bad)
"""


def test_nothing_outside_is_touched(make_preset, tmp_path):
    good = make_preset("good")
    edit(good, **{"class": "__main__.Toy"})
    make_preset.sign(good)
    folders = [good]
    for number, change in enumerate(ATTACKS.values()):
        folder = make_preset(f"case-{number}/toy")
        edit(folder, **{"class": "__main__.Toy"})
        change(folder)
        make_preset.sign(folder)
        folders.append(folder)
    process = subprocess.run(
        [sys.executable, "-c", WATCH, str(ROOT), str(tmp_path), *map(str, folders)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout.splitlines() == ["watched canary bad []"]


# --- fuzzing --------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: (
        st.lists(children, max_size=4)
        | st.dictionaries(st.text(), children, max_size=4)
    ),
    max_leaves=12,
)
NUMBERS = itertools.count()
FUZZ = settings(
    derandomize=True,
    deadline=10_000,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def places(value, path=()):
    """Paths of everything inside a JSON value."""
    yield path
    items = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for key, child in items:
        yield from places(child, (*path, key))


def replaced(value, path, new):
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


def loads_or_is_refused(folder):
    try:
        zoo.load(folder)
    except zoo.PresetError:
        return False
    return True


def mutate_config(data, make_preset):
    folder = make_preset(f"fuzz-{next(NUMBERS)}")
    config = json.loads((folder / "config.json").read_text())
    path = data.draw(st.sampled_from(list(places(config))))
    mutant = replaced(config, path, data.draw(JSON))
    (folder / "config.json").write_text(json.dumps(mutant))
    make_preset.sign(folder)
    loads_or_is_refused(folder)


def put_junk(data, make_preset):
    folder = make_preset(f"fuzz-{next(NUMBERS)}")
    (folder / data.draw(st.sampled_from(FILES))).write_bytes(
        data.draw(st.binary(max_size=200))
    )
    assert not loads_or_is_refused(folder)


def flip_bytes(data, make_preset):
    folder = make_preset(f"fuzz-{next(NUMBERS)}")
    content = bytearray((folder / WEIGHTS).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(content) - 1))
        content[position] = data.draw(st.integers(0, 255))
    (folder / WEIGHTS).write_bytes(content)
    make_preset.sign(folder)
    loads_or_is_refused(folder)


def run_many(fault, make_preset, most, tried):
    """Tries a fault with so many drawn inputs; each may take 5 s at most."""
    count = itertools.count()

    @settings(FUZZ, max_examples=most, deadline=5000)
    @given(data=st.data())
    def run(data):
        next(count)
        fault(data, make_preset)
        for folder in make_preset.root.glob("fuzz-*"):
            shutil.rmtree(folder)

    run()
    tried(next(count))


FAULTS = [mutate_config, put_junk, flip_bytes]


@pytest.mark.parametrize("fault", FAULTS)
def test_drawn_faults(fault, make_preset, tried):
    run_many(fault, make_preset, 100, tried)


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_many_drawn_faults(fault, make_preset, tried):
    run_many(fault, make_preset, 6700, tried)
