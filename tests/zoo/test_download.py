"""Downloads from a local server that misbehaves in every way it can."""

import errno
import hashlib
import http.server
import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import zoo
from zoo import cache, download, hub

ROOT = Path(__file__).parents[2]
DATA = bytes(range(256)) * 1200
SUM = hashlib.sha256(DATA).hexdigest()
SIZE = len(DATA)


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `server.files`; each request takes the next mode of `server.modes`."""

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        server = self.server
        start = self.headers.get("Range", "")
        server.requests.append((self.path, start))
        mode = server.modes.pop(0) if server.modes else "good"
        if mode in ("404", "403", "500", "503"):
            return self.send_error(int(mode))
        if mode.startswith("redirect "):
            self.send_response(302)
            self.send_header("Location", mode.split()[1])
            return self.end_headers()
        data = server.files[self.path]
        body = self.answer(mode, data, start)
        try:
            self.write(mode, body)
        except OSError:
            pass  # the client hung up
        self.close_connection = True

    def answer(self, mode, data, start):
        if mode == "flip":
            data = data[:100] + bytes([data[100] ^ 1]) + data[101:]
        if mode == "short":
            data = data[:-1]
        if mode == "long":
            data += b"x"
        first = int(start[6:-1]) if start and mode != "no range" else 0
        if first and first >= len(data):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(data)}")
            self.end_headers()
            return b""
        shown = first + 1 if mode == "other range" and first else first
        self.send_response(206 if first else 200)
        if first:
            self.send_header(
                "Content-Range", f"bytes {shown}-{len(data) - 1}/{len(data)}"
            )
        if mode != "no length":
            self.send_header("Content-Length", str(len(data) - first))
        self.end_headers()
        return data[first:]

    def write(self, mode, body):
        if mode in ("cut", "stall"):
            # Little of what is left: ten times half of it would be the whole file.
            self.wfile.write(body[: len(body) // (2 if mode == "cut" else 16)])
            self.wfile.flush()
            if mode == "stall":
                self.server.hold.wait(10)
        elif mode == "slow":
            for position in range(0, len(body), 20_000):
                self.wfile.write(body[position : position + 20_000])
                self.wfile.flush()
                time.sleep(0.05)
        else:
            self.wfile.write(body)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.modes, self.requests = {"/data": DATA}, [], []
        self.hold = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.hold.set()
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(download, "PAUSE", 0.001)
    monkeypatch.setattr(download, "TIMEOUT", 20)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "ZOO_OFFLINE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def fetch(server, tmp_path):
    def fetch(*modes, largest=SIZE):
        server.modes[:] = modes
        download.fetch_file(f"{server.url}/data", tmp_path / "data", SUM, largest)
        assert (tmp_path / "data").read_bytes() == DATA
        assert [path.name for path in tmp_path.iterdir()] == ["data"]
        return [start for _, start in server.requests]

    return fetch


class TestFetchFile:
    def test_plain(self, fetch):
        assert fetch("good") == [""]

    def test_nothing_is_fetched_twice(self, fetch):
        fetch("good")
        assert fetch("404") == [""]

    def test_cut_transfer_is_resumed_where_it_ended(self, fetch):
        half = len(DATA) // 2
        assert fetch("cut", "good") == ["", f"bytes={half}-"]

    def test_stalled_transfer_is_resumed(self, fetch, monkeypatch):
        monkeypatch.setattr(download, "TIMEOUT", 1)
        assert fetch("stall", "good")[1] == f"bytes={len(DATA) // 16}-"

    def test_slow_is_not_stalled(self, fetch):
        assert fetch("slow") == [""]

    def test_server_without_ranges_starts_again(self, fetch):
        assert len(fetch("cut", "no range")) == 2

    def test_answer_with_another_range_starts_again(self, fetch):
        assert fetch("cut", "other range", "good")[2] == ""

    def test_answer_without_length(self, fetch):
        assert fetch("no length") == [""]

    def test_server_errors_pass(self, fetch):
        assert len(fetch("500", "503", "good")) == 3

    def test_wrong_byte_is_fetched_again(self, fetch):
        assert fetch("flip", "good") == ["", ""]

    def test_part_of_another_file_is_thrown_away(self, fetch, tmp_path):
        (tmp_path / "data.part").write_bytes(b"x" * 1000)
        assert fetch() == ["bytes=1000-", ""]

    def test_complete_part_needs_no_byte(self, fetch, tmp_path):
        (tmp_path / "data.part").write_bytes(DATA)
        assert fetch() == [f"bytes={len(DATA)}-"]

    def test_too_long_part_is_thrown_away(self, fetch, tmp_path):
        (tmp_path / "data.part").write_bytes(DATA + b"x")
        assert fetch()[-1] == ""

    def test_damaged_file_is_fetched_again(self, fetch, tmp_path):
        (tmp_path / "data").write_bytes(DATA[:-1] + b"x")
        assert fetch() == [""]

    def test_progress_adds_up(self, server, tmp_path):
        server.modes[:] = ["cut", "flip", "good"]
        counts = []
        target = tmp_path / "data"
        download.fetch_file(f"{server.url}/data", target, SUM, len(DATA), counts.append)
        assert sum(counts) == len(DATA)


class TestRefused:
    @pytest.fixture
    def refused(self, server, tmp_path):
        def refused(*modes, largest=SIZE):
            server.modes[:] = modes
            url = f"{server.url}/data"
            with pytest.raises(zoo.PresetError) as caught:
                download.fetch_file(url, tmp_path / "data", SUM, largest)
            assert not (tmp_path / "data").exists()
            message = str(caught.value)
            assert url in message and "\n" not in message
            return message

        return refused

    @pytest.mark.parametrize("mode", ["404", "403"])
    def test_missing_file_is_asked_for_once(self, mode, refused, server):
        assert mode in refused(mode)
        assert len(server.requests) == 1

    def test_wrong_sum_names_both_sums(self, refused, tmp_path):
        message = refused("flip", "flip")
        assert SUM in message and message.count("sha256") == 1
        assert list(tmp_path.iterdir()) == []

    def test_short_file(self, refused):
        assert SUM in refused("short", "short")

    def test_long_file(self, refused, tmp_path):
        assert f"has {len(DATA) + 1} bytes" in refused("long")
        assert list(tmp_path.iterdir()) == []

    def test_endless_file(self, refused):
        assert "more than the expected 1000" in refused(
            *["no length"] * 5, largest=1000
        )

    def test_server_that_never_recovers(self, refused, server):
        assert "500" in refused(*["500"] * 9)
        assert len(server.requests) == download.ATTEMPTS

    def test_what_came_stays_for_the_next_call(self, refused, fetch):
        refused("cut", *["500"] * 4)
        assert fetch()[-1].startswith("bytes=")

    @pytest.mark.parametrize(
        "place", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x"]
    )
    def test_redirect_leaves_http_never(self, place, refused):
        assert place in refused(f"redirect {place}")

    def test_redirect_loop_ends(self, refused):
        refused(*["redirect /data"] * 99)

    def test_redirect_within_http_is_followed(self, fetch):
        assert len(fetch("redirect /data", "good")) == 2

    @pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "x"])
    def test_other_addresses_are_not_opened(self, url, tmp_path):
        with pytest.raises((zoo.PresetError, ValueError)):
            download.fetch_file(url, tmp_path / "data", SUM, 10)

    def test_nobody_there(self, tmp_path):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{free.getsockname()[1]}/data"
        with pytest.raises(zoo.PresetError, match="could not be downloaded"):
            download.fetch_file(url, tmp_path / "data", SUM, 10)

    def test_broken_proxy(self, refused, monkeypatch):
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        monkeypatch.setenv("no_proxy", "")
        refused("good")

    def test_full_disk_is_not_retried(self, server, tmp_path, monkeypatch):
        def full(*arguments):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(download, "_append", full)
        with pytest.raises(OSError, match="No space left"):
            download.fetch_file(f"{server.url}/data", tmp_path / "data", SUM, len(DATA))
        assert len(server.requests) == 1


@pytest.fixture
def published(server, preset_folder, tmp_path, monkeypatch):
    """A catalog of one preset on the server, and an empty cache."""
    size = 0
    for path in preset_folder.rglob("*"):
        if path.is_file():
            name = path.relative_to(preset_folder).as_posix()
            server.files[f"/toy/{name}"] = path.read_bytes()
            size += path.stat().st_size
    sums = hashlib.sha256((preset_folder / "SHA256SUMS").read_bytes()).hexdigest()
    entry = {"url": f"{server.url}/toy", "sha256": sums, "size": size, "task": "toy"}
    catalog = tmp_path / "catalog.json"
    catalog.write_text(json.dumps({"format": 1, "presets": {"toy.web": entry}}))
    monkeypatch.setattr(hub, "CATALOG", catalog)
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / f"toy.web-{sums[:12]}"


class TestPresets:
    def test_load_downloads(self, published):
        assert zoo.load("toy.web").preset.assets == {"words.txt": "one\ntwo\n"}

    def test_only_the_preset_lies_in_the_cache(self, published):
        zoo.load("toy.web")
        names = sorted(path.name for path in published.parent.iterdir())
        assert names == [f".{published.name}.lock", published.name]

    def test_second_load_opens_no_socket(self, published, monkeypatch):
        zoo.load("toy.web")

        def refuse(*arguments, **keywords):
            raise AssertionError("a socket was opened")

        monkeypatch.setattr(socket, "socket", refuse)
        monkeypatch.setenv("ZOO_OFFLINE", "1")
        assert zoo.load("toy.web")

    def test_offline_names_the_address_and_the_folder(
        self, published, server, monkeypatch
    ):
        monkeypatch.setenv("ZOO_OFFLINE", "1")
        with pytest.raises(zoo.PresetError) as caught:
            zoo.load("toy.web")
        assert str(published) in str(caught.value) and server.url in str(caught.value)
        assert server.requests == [] and not published.parent.exists()

    def test_folder_filled_by_hand_works_offline(
        self, published, preset_folder, monkeypatch
    ):
        published.parent.mkdir()
        preset_folder.rename(published)
        monkeypatch.setenv("ZOO_OFFLINE", "1")
        assert zoo.load("toy.web")

    def test_zero_means_online(self, published, monkeypatch):
        monkeypatch.setenv("ZOO_OFFLINE", "0")
        assert zoo.load("toy.web")

    def test_interrupted_preset_is_resumed(self, published, server):
        server.modes[:] = ["good", "good", "cut", *["500"] * 4]
        with pytest.raises(zoo.PresetError, match="500"):
            zoo.load("toy.web")
        assert not published.exists()
        done = len(server.requests)
        assert zoo.load("toy.web")
        again = server.requests[done:]
        assert again[0][1].startswith("bytes=") and len(again) == 4

    def test_other_sums_than_the_catalogs_are_refused(self, published, server):
        server.files["/toy/SHA256SUMS"] += b"\n"
        with pytest.raises(zoo.PresetError, match="sha256 is"):
            zoo.load("toy.web")
        assert not published.exists()

    def test_exchanged_file_is_refused(self, published, server):
        server.files["/toy/README.md"] = b"# Another model\n"
        with pytest.raises(zoo.PresetError, match=r"README\.md could not"):
            zoo.load("toy.web")
        assert not published.exists()

    @pytest.mark.parametrize("file", ["config.json", "README.md", "assets/words.txt"])
    def test_damage_in_the_cache_says_how_to_repair(self, file, published):
        zoo.load("toy.web")
        (published / file).write_text("x")
        with pytest.raises(zoo.PresetError, match=f"{file}.*repair=True"):
            zoo.load("toy.web")
        hub.download("toy.web", repair=True)
        assert zoo.load("toy.web")

    def test_repair_of_a_sound_preset_fetches_nothing(self, published, server):
        zoo.load("toy.web")
        done = len(server.requests)
        assert hub.download("toy.web", repair=True) == published
        assert len(server.requests) == done

    def test_card_and_list_download_nothing(self, published, server):
        assert zoo.list_models("*.web", task="toy") == ["toy.web"]
        assert zoo.card("toy.web").data["task"] == "toy"
        assert server.requests == []

    def test_card_of_a_downloaded_model_is_its_own(self, published):
        zoo.load("toy.web")
        assert zoo.card("toy.web").body == "# A toy\n"

    def test_folder_that_cannot_be_made_names_zoo_home(
        self, published, tmp_path, monkeypatch
    ):
        (tmp_path / "file").write_text("x")
        monkeypatch.setenv("ZOO_HOME", str(tmp_path / "file" / "home"))
        with pytest.raises(zoo.PresetError, match="set ZOO_HOME"):
            zoo.load("toy.web")

    def test_read_only_cache_with_the_preset_works(self, published):
        zoo.load("toy.web")
        folders = [published.parent, published, published / "assets"]
        for folder in folders:
            folder.chmod(0o500)
        try:
            assert zoo.load("toy.web")
        finally:
            for folder in folders:
                folder.chmod(0o700)

    def test_long_home_with_foreign_letters(self, published, tmp_path, monkeypatch):
        home = tmp_path / ("é♥ " * 20) / ("x" * 150)
        monkeypatch.setenv("ZOO_HOME", str(home))
        assert zoo.load("toy.web").preset.folder.is_relative_to(home)


class TestHome:
    def test_default(self, monkeypatch, tmp_path):
        monkeypatch.delenv("ZOO_HOME", raising=False)
        monkeypatch.setenv("HOME", str(tmp_path))
        assert cache.home() == tmp_path / ".cache" / "recurrent-zoo"

    def test_tilde(self, monkeypatch, tmp_path):
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("ZOO_HOME", "~/models")
        assert cache.home() == tmp_path / "models"

    def test_unknown_home_says_what_to_set(self, monkeypatch):
        def unknown(path):
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.delenv("ZOO_HOME", raising=False)
        monkeypatch.setattr(Path, "expanduser", unknown)
        with pytest.raises(zoo.PresetError, match="set ZOO_HOME"):
            cache.home()


LOADER = """
import os, pathlib, sys
sys.path.insert(0, sys.argv[1])
from zoo import hub
exec(open(os.path.join(sys.argv[1], "tests", "toy_preset.py")).read(), globals())
hub.CATALOG = pathlib.Path(sys.argv[2])
print("start", flush=True)
print(hub.load("toy.web").units)
"""


@pytest.fixture
def start(make_preset, published, server, tmp_path):
    """Starts a process of its own that loads the preset from the server."""
    folder = tmp_path / "toy"
    path = folder / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, "class": "__main__.Toy"}))
    make_preset.sign(folder)
    for name in ("config.json", "SHA256SUMS"):
        server.files[f"/toy/{name}"] = (folder / name).read_bytes()
    catalog = json.loads((tmp_path / "catalog.json").read_text())
    entry = catalog["presets"]["toy.web"]
    entry["sha256"] = hashlib.sha256(server.files["/toy/SHA256SUMS"]).hexdigest()
    (tmp_path / "catalog.json").write_text(json.dumps(catalog))
    command = [sys.executable, "-c", LOADER, str(ROOT), str(tmp_path / "catalog.json")]
    return lambda: subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def half_files(folder):
    """Sizes of the files that are not yet whole."""
    return [path.stat().st_size for path in folder.rglob("*/*.part")]


def kill_downloads(start, server, folder, kills):
    """Kills so many processes in mid-transfer, then lets one end."""
    for _ in range(kills):
        server.hold.clear()
        server.modes[:] = ["stall"] if server.requests else ["good", "stall"]
        seen = half_files(folder)
        process = start()
        deadline = time.monotonic() + 120
        while half_files(folder) == seen and time.monotonic() < deadline:
            time.sleep(0.01)
        process.kill()
        process.communicate(timeout=30)
        server.hold.set()
    server.modes.clear()
    done = len(server.requests)
    output, errors = start().communicate(timeout=300)
    assert output == "start\n3\n", errors
    assert server.requests[done][1].startswith("bytes=")
    names = sorted(path.name for path in folder.iterdir())
    assert len(names) == 2 and names[0].endswith(".lock"), names


def load_at_once(start, server, folder):
    server.modes[:] = ["slow"] * 6
    processes = [start() for _ in range(8)]
    for process in processes:
        output, errors = process.communicate(timeout=300)
        assert output == "start\n3\n", errors
    assert len(server.requests) == 6
    assert len(list(folder.iterdir())) == 2


class TestKilledDownloads:
    def test_they_are_completed_by_the_next(
        self, start, server, published, record_property
    ):
        kill_downloads(start, server, published.parent, 5)
        record_property("tried", 5)

    @pytest.mark.slow
    def test_whenever_they_are_killed(self, start, server, published, record_property):
        for _ in range(5):
            kill_downloads(start, server, published.parent, 10)
            shutil.rmtree(published.parent)
            server.requests.clear()
        record_property("tried", 50)


class TestProcesses:
    def test_eight_at_once_share_one_download(self, start, server, published):
        load_at_once(start, server, published.parent)

    @pytest.mark.slow
    def test_they_do_again_and_again(self, start, server, published, record_property):
        for _ in range(20):
            load_at_once(start, server, published.parent)
            shutil.rmtree(published.parent)
            server.requests.clear()
        record_property("tried", 20)
