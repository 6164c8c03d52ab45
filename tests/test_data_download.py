"""Downloads from a real server on this machine: whole files only, in their place or not at all."""

import dataclasses
import functools
import gzip
import hashlib
import http.server
import io
import os
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time

import pytest

from bnrepro import data
from bnrepro.data import DataError, cifar10, download
from bnrepro.data.download import describe, verify
from bnrepro.data.mnist import SOURCE


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; `cut` promises more bytes of a file than it sends."""

    cut = False

    def log_message(self, *_):
        pass

    def send_header(self, keyword, value):
        if keyword == "Content-Length" and self.cut:
            value = str(int(value) + 100)
        super().send_header(keyword, value)


@pytest.fixture
def mirror(tmp_path):
    """(address, served folder) of a server that lives as long as the test."""
    served = tmp_path / "served"
    served.mkdir()
    handler = functools.partial(Handler, directory=str(served))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", served
        server.shutdown()
        thread.join()


def publish(monkeypatch, source):
    monkeypatch.setitem(download.SOURCES, source.name, source)


@pytest.fixture
def mnist(mirror, monkeypatch):
    """Four small files published as MNIST; their contents by name."""
    contents = {name: gzip.compress(name.encode(), mtime=0) for name in SOURCE.md5}
    folder = mirror[1] / "mnist"
    folder.mkdir()
    for name, content in contents.items():
        folder.joinpath(name).write_bytes(content)
    md5 = {name: hashlib.md5(content).hexdigest() for name, content in contents.items()}
    publish(monkeypatch, dataclasses.replace(SOURCE, md5=md5))
    return contents


def names(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_files_come_into_place_whole(mirror, mnist, tmp_path):
    root = tmp_path / "new/root"
    paths = download.download("mnist", root, mirror[0])
    assert [path.read_bytes() for path in paths] == list(mnist.values())
    assert names(root / "mnist") == sorted(mnist)
    assert all(row.ok and row.message == "ok" for row in verify("mnist", root))


def test_the_variable_names_the_mirror(mirror, mnist, tmp_path, monkeypatch):
    monkeypatch.setenv("BNREPRO_MIRROR", mirror[0] + "/")
    assert len(download.download("mnist", tmp_path / "root")) == 4


def test_what_is_there_is_not_fetched_again_and_what_is_damaged_is(mirror, mnist, tmp_path):
    paths = download.download("mnist", tmp_path / "root", mirror[0])
    kept = paths[0].stat().st_mtime_ns
    paths[1].write_bytes(b"damaged")
    (mirror[1] / "mnist" / paths[0].name).unlink()
    download.download("mnist", tmp_path / "root", mirror[0])
    assert paths[0].stat().st_mtime_ns == kept
    assert paths[1].read_bytes() == mnist[paths[1].name]


def test_a_wrong_file_never_reaches_its_place(mirror, mnist, tmp_path):
    first = next(iter(mnist))
    (mirror[1] / "mnist" / first).write_bytes(b"<html>sign in to this network</html>")
    with pytest.raises(DataError, match=f"mnist/{first}: 36 bytes that are not what was published"):
        download.download("mnist", tmp_path / "root", mirror[0])
    assert names(tmp_path / "root/mnist") == []


def test_a_damaged_file_stays_until_a_whole_one_has_come(mirror, mnist, tmp_path):
    first = next(iter(mnist))
    (tmp_path / "root/mnist").mkdir(parents=True)
    (tmp_path / "root/mnist" / first).write_bytes(b"mine")
    (mirror[1] / "mnist" / first).unlink()
    with pytest.raises(OSError, match="404"):
        download.download("mnist", tmp_path / "root", mirror[0])
    assert (tmp_path / "root/mnist" / first).read_bytes() == b"mine"


def network_error(mirror, tmp_path):
    with pytest.raises(OSError) as failed:
        download.download("mnist", tmp_path / "root", mirror)
    assert not isinstance(failed.value, DataError)
    assert "\n" not in str(failed.value) and "BNREPRO_MIRROR" in str(failed.value)
    assert names(tmp_path / "root/mnist") == []
    return str(failed.value)


def test_a_connection_that_ends_early_is_a_network_error(mirror, mnist, tmp_path, monkeypatch):
    monkeypatch.setattr(Handler, "cut", True)
    assert "100 bytes before the end" in network_error(mirror[0], tmp_path)


@pytest.fixture
def silent():
    """The address of a server that takes a connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_signal_leaves_nothing_that_has_arrived_in_part(silent, tmp_path):
    with subprocess.Popen(
        [sys.executable, "-m", "bnrepro", "data", "download", "mnist", f"data.root={tmp_path}"],
        env={**os.environ, "BNREPRO_MIRROR": silent},
        stderr=subprocess.DEVNULL,
    ) as process:
        while not list(tmp_path.glob("mnist/.download-*")):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 143
    assert names(tmp_path / "mnist") == []


def test_no_server_is_a_network_error(tmp_path):
    assert "refused" in network_error("http://127.0.0.1:9", tmp_path)


def test_an_impossible_address_is_a_network_error(tmp_path):
    assert "127.0.0.1:port" in network_error("http://127.0.0.1:port", tmp_path)


def test_other_schemes_are_refused(tmp_path):
    with pytest.raises(DataError, match="expected an address that starts with http"):
        download.download("mnist", tmp_path, "file:///etc")


def test_a_folder_in_a_files_place_is_refused(mirror, mnist, tmp_path):
    (tmp_path / "root/mnist" / next(iter(mnist))).mkdir(parents=True)
    with pytest.raises(DataError, match="a folder, expected to put a file there"):
        download.download("mnist", tmp_path / "root", mirror[0])


def archive_bytes(members):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def test_an_archive_is_checked_by_its_members_and_kept_packed(mirror, tmp_path, monkeypatch):
    md5 = {name: hashlib.md5(name.encode()).hexdigest() for name in cifar10.SOURCE.md5}
    publish(monkeypatch, dataclasses.replace(cifar10.SOURCE, md5=md5))
    members = {f"cifar-10-batches-py/{name}": name.encode() for name in md5}
    (mirror[1] / "cifar10").mkdir()
    served = mirror[1] / "cifar10/cifar-10-python.tar.gz"
    served.write_bytes(archive_bytes({**members, "../../outside": b"x"}))
    download.download("cifar10", tmp_path / "root", mirror[0])
    assert names(tmp_path / "root/cifar10") == ["cifar-10-python.tar.gz"]
    assert names(tmp_path) == ["root", "served"]

    served.write_bytes(archive_bytes({**members, "cifar-10-batches-py/test_batch": b"other"}))
    with pytest.raises(DataError, match="not what was published"):
        download.download("cifar10", tmp_path / "other", mirror[0])
    assert names(tmp_path / "other/cifar10") == []


def test_verify_names_each_file_that_is_wrong(mnist, mirror, tmp_path):
    missing, damaged, *whole = download.download("mnist", tmp_path, mirror[0])
    missing.unlink()
    damaged.write_bytes(b"")
    rows = verify("mnist", tmp_path)
    assert [row.ok for row in rows] == [False, False, True, True]
    assert [row.file for row in rows] == [f"mnist/{name}" for name in mnist]
    assert "no such file" in rows[0].message and "an empty file" in rows[1].message


def test_names_that_cannot_be_downloaded_say_what_can(tmp_path):
    with pytest.raises(DataError, match="digits comes with scikit-learn: expected one of mnist"):
        download.download("digits", tmp_path)
    with pytest.raises(DataError, match="did you mean 'cifar10'"):
        verify("cifar", tmp_path)


def test_the_list_has_every_data_set_and_where_it_is(mirror, mnist, tmp_path):
    rows = {row.name: row for row in describe(tmp_path)}
    assert rows.keys() == data._LOADERS.keys()
    assert rows["digits"].present and not rows["mnist"].present
    assert rows["cifar10"][1:4] == ("50,000 + 10,000", (32, 32, 3), 10)
    download.download("mnist", tmp_path, mirror[0])
    assert {row.name: row.present for row in describe(tmp_path)}["mnist"]
