"""Downloads, against real servers of this machine that fail in all the ways that mirrors fail."""

import gzip
import hashlib
import os
import random
import socket
import sys
import tarfile
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from conftest import ROOT, run

from robustness.data import download
from robustness.data.download import fetch_file, local_copy, pack_image_folder
from robustness.errors import UserError

NAME = "data.bin"
CONTENT = random.Random(0).randbytes(100_000)
OTHER = random.Random(1).randbytes(100_000)
BROKEN_AT = 40_000


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Answer:
    """How a server meets one request.

    status: this status instead of the file. ranges: 'yes', 'ignored' (always the whole file), 'refused' (416).
    stop: bytes of the body after which the connection ends. stall: instead of ending, it stays open in silence.
    chunked: tell no length. silent: close the connection without a word.
    """

    content: bytes = CONTENT
    status: int | None = None
    ranges: str = "yes"
    stop: int | None = None
    stall: bool = False
    chunked: bool = False
    silent: bool = False


@dataclass
class Mirror:
    """A running server: its address, its answers (the last one for all further requests) and what it was asked."""

    url: str
    answers: list[Answer]
    asked: list[str | None] = field(default_factory=list)  # the Range header of each request
    sent: list[int] = field(default_factory=list)  # bytes of the body of each answer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        mirror = self.server.mirror
        answer = mirror.answers[min(len(mirror.asked), len(mirror.answers) - 1)]
        asked = self.headers.get("Range")
        mirror.asked.append(asked)
        self.close_connection = True
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and answer.ranges != "ignored" else 0
        status = answer.status or (404 if self.path != f"/{NAME}" else 206 if start else 200)
        if start and not answer.status and (answer.ranges == "refused" or start >= len(answer.content)):
            status = 416
        if answer.silent:
            return
        body = answer.content[start:] if status in (200, 206) else b"<html>sorry</html>"
        stop = len(body) if answer.stop is None or status > 206 else answer.stop
        self.send_response(status)
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{len(answer.content) - 1}/{len(answer.content)}")
        self.send_header(*(("Transfer-Encoding", "chunked") if answer.chunked else ("Content-Length", str(len(body)))))
        self.end_headers()
        mirror.sent.append(len(body[:stop]))
        if answer.chunked:
            self.wfile.write(f"{len(body):x}\r\n".encode())
        self.wfile.write(body[:stop])
        if answer.chunked and stop >= len(body):
            self.wfile.write(b"\r\n0\r\n\r\n")
        self.wfile.flush()
        if answer.stall:
            self.server.released.wait(10)


@pytest.fixture
def serve(monkeypatch):
    """A function that starts a server on a free port, with the answers that it shall give."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(download, "PAUSE", 0.01)
    servers = []

    def start(*answers: Answer) -> Mirror:
        if any(answer.stall for answer in answers):
            monkeypatch.setattr(download, "TIMEOUT", 0.4)
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.released = threading.Event()
        server.mirror = Mirror(f"http://127.0.0.1:{server.server_port}", list(answers) or [Answer()])
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return server.mirror

    yield start
    for server in servers:
        server.released.set()
        server.shutdown()
        server.server_close()


def dead_address() -> str:
    """An address where nobody listens: the port was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture
def output(tmp_path) -> Path:
    """Where to download to: in a folder of its own, so that a test can see whatever is left in it."""
    return tmp_path / "out" / NAME


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def partial(output: Path) -> Path:
    return output.with_name(NAME + ".download")


def leave_partial(output: Path, data: bytes) -> None:
    output.parent.mkdir()
    partial(output).write_bytes(data)


def sentence(error: pytest.ExceptionInfo) -> str:
    """The text of an error, which must be one line."""
    text = str(error.value)
    assert text
    assert "\n" not in text
    return text


# --- which mirror ----------------------------------------------------------------------------------------------------


def test_first_mirror_is_used_and_the_second_is_left_in_peace(serve, output):
    first, second = serve(), serve()
    address = fetch_file(NAME, [first.url + "/", second.url], output, sha256(CONTENT))
    assert address == f"{first.url}/{NAME}"
    assert output.read_bytes() == CONTENT
    assert left_in(output.parent) == [NAME]
    assert (first.asked, second.asked) == ([None], [])


# What a mirror does: its answers, the reason that the error gives, and the number of requests it is worth.
SERVER_FAILURES = {
    "404": ([Answer(status=404)], "HTTP status 404", 1),
    "403": ([Answer(status=403)], "HTTP status 403", 1),
    "500": ([Answer(status=500)], "HTTP status 500", 3),
    "503": ([Answer(status=503)], "HTTP status 503", 3),
    "416 without a range": ([Answer(status=416)], "HTTP status 416", 3),
    "no word": ([Answer(silent=True)], "Remote end closed connection", 3),
    "breaks before the first byte": ([Answer(stop=0)], "broke off after 0 of 100000 bytes", 3),
    "breaks always": ([Answer(stop=BROKEN_AT, ranges="ignored")], "broke off after 40000 of 100000 bytes", 4),
    "breaks, ranges are refused": ([Answer(stop=BROKEN_AT, ranges="refused")], "HTTP status 416", 4),
    "breaks in a chunk": ([Answer(stop=BROKEN_AT, ranges="ignored", chunked=True)], "IncompleteRead", 4),
    "stalls": ([Answer(stop=BROKEN_AT, ranges="ignored", stall=True)], "timed out", 4),
    "other content": ([Answer(OTHER)], f"its sha256 is {sha256(OTHER)}, expected {sha256(CONTENT)}", 1),
    "page instead of the file": ([Answer(b"<html>gone</html>")], "its sha256 is", 1),
    "empty": ([Answer(b"")], "its sha256 is", 1),
    "too long": ([Answer(CONTENT + b"x")], "its sha256 is", 1),
}
LOCAL_FAILURES = {
    "dead": (lambda _: dead_address(), "refused"),
    "no address": (lambda _: "http://[", "IPv6"),
    "bad port": (lambda _: "http://127.0.0.1:port", "port"),
    "no such folder": (lambda folder: str(folder / "missing"), "no such file"),
    "folder without the file": (lambda folder: str(folder), "no such file"),
    "file of other content": (lambda folder: write(folder / "other.bin", OTHER), "its sha256 is"),
}


def write(path: Path, data: bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return str(path)


@pytest.mark.parametrize("kind", SERVER_FAILURES)
def test_next_mirror_after_a_server_that_fails(serve, output, kind):
    answers, reason, n_requests = SERVER_FAILURES[kind]
    bad, good = serve(*answers), serve()
    with pytest.raises(UserError) as error:
        fetch_file(NAME, [bad.url], output, sha256(CONTENT))
    text = sentence(error)
    assert text.startswith(f"{NAME} can't be had from any mirror ({bad.url}/{NAME}: ")
    assert reason in text
    assert len(bad.asked) == n_requests
    assert not output.exists()
    assert fetch_file(NAME, [bad.url, good.url], output, sha256(CONTENT)) == f"{good.url}/{NAME}"
    assert output.read_bytes() == CONTENT
    assert left_in(output.parent) == [NAME]


@pytest.mark.parametrize("kind", LOCAL_FAILURES)
def test_next_mirror_after_one_that_is_not_there(serve, output, tmp_path, kind):
    make, reason = LOCAL_FAILURES[kind]
    bad, good = make(tmp_path), serve()
    with pytest.raises(UserError) as error:
        fetch_file(NAME, [bad], output, sha256(CONTENT))
    assert bad in sentence(error)
    assert reason in sentence(error)
    assert left_in(output.parent) == []
    assert fetch_file(NAME, [bad, good.url], output, sha256(CONTENT)) == f"{good.url}/{NAME}"
    assert output.read_bytes() == CONTENT
    assert left_in(output.parent) == [NAME]


def test_the_error_names_every_mirror_with_its_reason(serve, output, tmp_path):
    mirrors, reasons = [], []
    for answers, reason, _ in SERVER_FAILURES.values():
        if not answers[0].stall:  # slow, and no other text
            mirrors.append(serve(*answers).url)
            reasons.append(reason)
    for make, reason in LOCAL_FAILURES.values():
        mirrors.append(make(tmp_path))
        reasons.append(reason)
    with pytest.raises(UserError) as error:
        fetch_file(NAME, mirrors, output, sha256(CONTENT))
    text = sentence(error)
    assert text.endswith("mend the source's mirrors or checksum.")
    parts = text.split("; ")
    assert len(parts) == len(mirrors)
    for part, mirror, reason in zip(parts, mirrors, reasons, strict=True):
        assert mirror in part
        assert reason in part
    assert not output.exists()


# --- going on after a break ------------------------------------------------------------------------------------------

# The server's answers, then what it must have been asked and have sent.
RESUMED = {
    "closed": ([Answer(stop=BROKEN_AT), Answer()], [None, "bytes=40000-"], [40_000, 60_000]),
    "stalled": ([Answer(stop=BROKEN_AT, stall=True), Answer()], [None, "bytes=40000-"], [40_000, 60_000]),
    "chunk cut": ([Answer(stop=BROKEN_AT, chunked=True), Answer()], [None, "bytes=40000-"], [40_000, 60_000]),
    "chunked to the end": ([Answer(chunked=True)], [None], [100_000]),
    "again and again": (
        [Answer(stop=30_000)],
        [None, "bytes=30000-", "bytes=60000-", "bytes=90000-"],
        [30_000, 30_000, 30_000, 10_000],
    ),
    "errors between": (
        [Answer(stop=BROKEN_AT), Answer(status=503), Answer(silent=True), Answer()],
        [None, "bytes=40000-", "bytes=40000-", "bytes=40000-"],
        [40_000, 18, 60_000],
    ),
    "no ranges": ([Answer(stop=BROKEN_AT), Answer(ranges="ignored")], [None, "bytes=40000-"], [40_000, 100_000]),
    "ranges refused": (
        [Answer(stop=BROKEN_AT), Answer(ranges="refused"), Answer()],
        [None, "bytes=40000-", None],
        [40_000, 18, 100_000],
    ),
}


@pytest.mark.parametrize("checksum", [sha256(CONTENT), None], ids=["checksum", "no checksum"])
@pytest.mark.parametrize("kind", RESUMED)
def test_a_break_is_mended_within_the_call(serve, output, kind, checksum):
    answers, asked, sent = RESUMED[kind]
    mirror = serve(*answers)
    fetch_file(NAME, [mirror.url], output, checksum)
    assert output.read_bytes() == CONTENT
    assert left_in(output.parent) == [NAME]
    assert mirror.asked == asked
    assert mirror.sent == sent


def test_a_later_call_asks_only_for_what_is_missing(serve, output):
    breaking, whole = serve(Answer(stop=BROKEN_AT), Answer(status=500)), serve()
    with pytest.raises(UserError, match="HTTP status 500"):
        fetch_file(NAME, [breaking.url], output, sha256(CONTENT))
    assert left_in(output.parent) == [partial(output).name]
    assert partial(output).read_bytes() == CONTENT[:BROKEN_AT]
    fetch_file(NAME, [whole.url], output, sha256(CONTENT))
    assert output.read_bytes() == CONTENT
    assert left_in(output.parent) == [NAME]
    assert (whole.asked, whole.sent) == (["bytes=40000-"], [60_000])


def test_the_next_mirror_goes_on_where_the_first_broke_off(serve, output):
    breaking, whole = serve(Answer(stop=BROKEN_AT), Answer(status=404)), serve()
    fetch_file(NAME, [breaking.url, whole.url], output, sha256(CONTENT))
    assert output.read_bytes() == CONTENT
    assert (whole.asked, whole.sent) == (["bytes=40000-"], [60_000])


@pytest.mark.parametrize(
    ("stale", "asked"),
    [
        (OTHER[:BROKEN_AT], ["bytes=40000-", None]),
        (OTHER, ["bytes=100000-", None]),
        (OTHER + b"more", ["bytes=100004-", None]),
        (CONTENT, ["bytes=100000-", None]),
        (b"", [None]),
    ],
    ids=["other start", "other file", "longer file", "the whole file", "nothing"],
)
def test_what_an_older_call_left_never_spoils_the_file(serve, output, stale, asked):
    leave_partial(output, stale)
    mirror = serve()
    fetch_file(NAME, [mirror.url], output, sha256(CONTENT))
    assert output.read_bytes() == CONTENT
    assert left_in(output.parent) == [NAME]
    assert mirror.asked == asked


def test_without_a_checksum_no_bytes_of_another_call_or_mirror_are_used(serve, output):
    leave_partial(output, OTHER[:BROKEN_AT])
    breaking, whole = serve(Answer(OTHER, stop=BROKEN_AT), Answer(status=500)), serve()
    fetch_file(NAME, [breaking.url, whole.url], output)
    assert output.read_bytes() == CONTENT
    assert breaking.asked[0] is None
    assert whole.asked == [None]


def test_without_a_checksum_a_failure_leaves_nothing(serve, output):
    mirror = serve(Answer(stop=BROKEN_AT), Answer(status=500))
    with pytest.raises(UserError, match="HTTP status 500"):
        fetch_file(NAME, [mirror.url], output)
    assert left_in(output.parent) == []


# --- checksums -------------------------------------------------------------------------------------------------------


def pack(data: bytes, name: str, level: int) -> bytes:
    """A gzip file as a publisher may make it: with a file name and a time in its header."""
    body = gzip.compress(data, level, mtime=level)
    return body[:3] + b"\x08" + body[4:10] + name.encode() + b"\0" + body[10:]


PLAIN = b"the same data, " * 500
PACKED = [pack(PLAIN, "a.bin", 9), pack(PLAIN, "another.bin", 1)]


def test_the_packings_differ():
    assert PACKED[0][4:] != PACKED[1][4:]
    assert [gzip.decompress(packed) for packed in PACKED] == [PLAIN, PLAIN]


@pytest.mark.parametrize("packed", PACKED, ids=["first", "second"])
@pytest.mark.parametrize("local", [True, False], ids=["file", "server"])
def test_any_packing_of_the_unpacked_bytes_will_do(serve, output, tmp_path, packed, local):
    mirror = write(tmp_path / "mirror" / NAME, packed) if local else serve(Answer(packed)).url
    fetch_file(NAME, [mirror], output, sha256_unpacked=sha256(PLAIN))
    assert output.read_bytes() == packed


def test_two_packings_are_not_pasted_together(serve, output):
    cut = len(PACKED[0]) // 2
    first, second = serve(Answer(PACKED[0], stop=cut), Answer(status=500)), serve(Answer(PACKED[1]))
    fetch_file(NAME, [first.url, second.url], output, sha256_unpacked=sha256(PLAIN))
    assert output.read_bytes() == PACKED[1]
    assert left_in(output.parent) == [NAME]
    assert second.asked == [f"bytes={cut}-", None]


DAMAGED = gzip.compress(PLAIN)[:10] + b"\x07" + PACKED[0]  # a block of a kind that deflate does not know
WRONG = {
    "other bytes": (OTHER, {"sha256": sha256(CONTENT)}, "its sha256 is"),
    "other bytes unpacked": (gzip.compress(OTHER), {"sha256_unpacked": sha256(PLAIN)}, "its sha256 (unpacked) is"),
    "right packed, wrong unpacked": (
        PACKED[0],
        {"sha256": sha256(PACKED[0]), "sha256_unpacked": sha256(OTHER)},
        "its sha256 (unpacked) is",
    ),
    "right unpacked, wrong packed": (
        PACKED[0],
        {"sha256": sha256(PACKED[1]), "sha256_unpacked": sha256(PLAIN)},
        "its sha256 is",
    ),
    "no gzip file": (PLAIN, {"sha256_unpacked": sha256(PLAIN)}, "it does not unpack"),
    "gzip cut off": (PACKED[0][:-10], {"sha256_unpacked": sha256(PLAIN)}, "it does not unpack"),
    "gzip damaged": (DAMAGED, {"sha256_unpacked": sha256(PLAIN)}, "it does not unpack"),
    "gzip with a wrong check value": (
        PACKED[0][:-8] + bytes(8),
        {"sha256_unpacked": sha256(PLAIN)},
        "it does not unpack",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("local", [True, False], ids=["file", "server"])
def test_a_wrong_file_leaves_nothing_behind(serve, output, tmp_path, kind, local):
    data, checksums, reason = WRONG[kind]
    mirror = write(tmp_path / "mirror" / NAME, data) if local else serve(Answer(data)).url
    with pytest.raises(UserError) as error:
        fetch_file(NAME, [mirror], output, **checksums)
    assert mirror in sentence(error)
    assert reason in sentence(error)
    assert left_in(output.parent) == []


# --- mirrors on this machine -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mirror_is", ["folder", "file"])
@pytest.mark.parametrize("checksum", [sha256(CONTENT), None], ids=["checksum", "no checksum"])
def test_a_path_can_be_a_mirror(output, tmp_path, mirror_is, checksum):
    path = tmp_path / "mirror" / (NAME if mirror_is == "folder" else "named otherwise")
    write(path, CONTENT)
    leave_partial(output, b"of no use any more")
    assert fetch_file(NAME, [str(path.parent if mirror_is == "folder" else path)], output, checksum) == str(path)
    assert output.read_bytes() == path.read_bytes() == CONTENT
    assert left_in(output.parent) == [NAME]


# --- folders of images -----------------------------------------------------------------------------------------------

NAMES = ["b.png", "a.PNG", "c.jpeg"]
LONG = ["x" * 150 + ".png", "größe.png"]  # a name that old tar formats can't hold, one beyond ASCII


def image_folder(folder: Path, names=NAMES, backwards: bool = False) -> Path:
    """An image folder of two classes; packing opens no image, so any bytes will do."""
    places = [(part, label, name) for part in ("train", "test") for label in ("cat", "dog") for name in names]
    for part, label, name in reversed(places) if backwards else places:
        write(folder / part / label / name, f"{part} {label} {name}".encode())
    return folder


@pytest.mark.parametrize("names", [NAMES, LONG], ids=["plain", "long"])
def test_the_same_images_give_the_same_tar(tmp_path, names):
    one, two = image_folder(tmp_path / "one", names), image_folder(tmp_path / "two", names, backwards=True)
    for path in two.rglob("*"):
        os.utime(path, (1e9, 1e9))
        path.chmod(0o700)
    assert [pack_image_folder(folder, folder / "images.tar") for folder in (one, two)] == [4 * len(names)] * 2
    packed = (one / "images.tar").read_bytes()
    assert packed == (two / "images.tar").read_bytes()
    assert pack_image_folder(one, tmp_path / "again.tar", sha256(packed)) == 4 * len(names)
    with tarfile.open(one / "images.tar") as tar:
        members = tar.getmembers()
        assert [member.name for member in members] == [
            f"{part}/{label}/{name}" for part in ("train", "test") for label in ("cat", "dog") for name in sorted(names)
        ]
        for member in members:
            assert tar.extractfile(member).read().decode() == member.name.replace("/", " ")
            assert (member.mtime, member.uid, member.gid, member.mode) == (0, 0, 0, 0o644)


def test_only_images_are_packed(tmp_path):
    plain, cluttered = image_folder(tmp_path / "plain"), image_folder(tmp_path / "cluttered")
    for name in ("readme.txt", "train/notes.md", "train/cat/Thumbs.db", "test/dog/labels.csv", "test/dog/png"):
        write(cluttered / name, b"no image")
    (cluttered / "train/cat/folder.png").mkdir()
    (cluttered / "extra").mkdir()
    for folder in (plain, cluttered):
        pack_image_folder(folder, tmp_path / f"{folder.name}.tar")
    assert (tmp_path / "plain.tar").read_bytes() == (tmp_path / "cluttered.tar").read_bytes()


def test_links_are_followed_and_those_that_lead_nowhere_passed_over(tmp_path):
    plain, linked = image_folder(tmp_path / "plain"), image_folder(tmp_path / "linked")
    (linked / "train/cat").rename(tmp_path / "cats")
    (linked / "train/cat").symlink_to(tmp_path / "cats")
    (linked / "test/dog/b.png").rename(tmp_path / "b.png")
    (linked / "test/dog/b.png").symlink_to("../../../b.png")
    (linked / "test/dog/gone.png").symlink_to("nowhere")
    (linked / "test/dog/round.png").symlink_to("round.png")
    (linked / "test/gone").symlink_to("nowhere")
    for folder in (plain, linked):
        pack_image_folder(folder, tmp_path / f"{folder.name}.tar")
    assert (tmp_path / "plain.tar").read_bytes() == (tmp_path / "linked.tar").read_bytes()


@pytest.mark.parametrize(
    ("mirrors", "image_folder", "expected"),
    [
        (["gone", "photos", "other"], True, "photos"),
        (["https://a.example", "photos"], True, "photos"),
        (["file", "photos"], True, "photos"),
        (["gone"], True, None),
        (["gone", "photos", "file"], False, "file"),
        (["gone", "kept"], False, "kept/x.gz"),
        (["gone", "https://a.example", "kept"], False, None),
        (["gone"], False, None),
    ],
)
def test_what_is_taken_from_this_machine(tmp_path, monkeypatch, mirrors, image_folder, expected):
    monkeypatch.chdir(tmp_path)
    for name in ("file", "kept/x.gz", "photos/y.gz", "other/y.gz"):
        write(tmp_path / name, b"1")
    found = local_copy("x.gz", mirrors, image_folder)
    assert found == (expected and Path(expected))


def remove(path: Path) -> None:
    for child in path.iterdir():
        remove(child) if child.is_dir() else child.unlink()
    path.rmdir()


FOLDER_FAULTS = {
    "no train": (lambda folder: remove(folder / "train"), "no folder 'train'"),
    "no test": (lambda folder: remove(folder / "test"), "no folder 'test'"),
    "train is a file": (lambda folder: (remove(folder / "train"), write(folder / "train", b"")), "no folder 'train'"),
    "class only in test": (lambda folder: remove(folder / "train" / "cat"), "class 'cat' stands in only one of"),
    "class only in train": (
        lambda folder: write(folder / "train" / "owl" / "a.png", b""),
        "class 'owl' stands in only",
    ),
    "one class": (lambda folder: [remove(folder / part / "cat") for part in ("train", "test")], "has 1 class folders"),
    "empty class": (
        lambda folder: [path.unlink() for path in (folder / "test" / "dog").iterdir()],
        "test/dog holds no image",
    ),
    "class without images": (
        lambda folder: [path.rename(path.with_suffix(".txt")) for path in (folder / "test" / "dog").iterdir()],
        "test/dog holds no image",
    ),
}


@pytest.mark.parametrize("fault", FOLDER_FAULTS)
def test_a_faulty_image_folder_is_named(tmp_path, fault):
    spoil, reason = FOLDER_FAULTS[fault]
    folder = image_folder(tmp_path / "images")
    spoil(folder)
    with pytest.raises(UserError) as error:
        pack_image_folder(folder, tmp_path / "out" / "images.tar")
    assert str(folder) in sentence(error)
    assert reason in sentence(error)
    assert left_in(tmp_path / "out") == []


def test_an_image_folder_with_another_checksum(tmp_path):
    with pytest.raises(UserError) as error:
        pack_image_folder(image_folder(tmp_path / "images"), tmp_path / "out" / "images.tar", sha256(b""))
    assert f"expected {sha256(b'')}" in sentence(error)
    assert "not the expected image folder" in sentence(error)
    assert left_in(tmp_path / "out") == []


# --- the program -----------------------------------------------------------------------------------------------------


def program(folder: Path, *words: str):
    script = str(ROOT / "workflow_scripts" / "download_dataset.py")
    return run(folder, sys.executable, script, "--output", f"out/{NAME}", *words, check=False)


def test_program_downloads_a_file(serve, output, tmp_path):
    mirror = serve(Answer(stop=BROKEN_AT), Answer())
    done = program(tmp_path, "--name", NAME, "--mirror", "missing", "--mirror", mirror.url, "--sha256", sha256(CONTENT))
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == f"{NAME} from {mirror.url}/{NAME}"
    assert "broke off after 40000 of 100000 bytes; trying again" in done.stdout
    assert output.read_bytes() == CONTENT
    assert left_in(output.parent) == [NAME]


def test_program_packs_the_first_image_folder_that_there_is(output, tmp_path):
    image_folder(tmp_path / "images")
    done = program(tmp_path, "--name", NAME, "--image-folder", "--mirror", "missing", "--mirror", "images")
    assert (done.returncode, done.stdout) == (0, "12 images from images\n")
    assert tarfile.is_tarfile(output)


PROGRAM_FAULTS = {
    "no mirror there": (["--mirror", "missing", "--mirror", "images"], "images/data.bin: no such file"),
    "wrong checksum": (["--mirror", "file", "--sha256", sha256(OTHER)], f"expected {sha256(OTHER)}"),
    "no gzip file": (["--mirror", "file", "--sha256-unpacked", sha256(OTHER)], "does not unpack"),
    "no image folder": (["--mirror", "missing", "--mirror", "http://a.invalid", "--image-folder"], "none of missing"),
    "faulty image folder": (["--mirror", ".", "--image-folder"], "has no folder 'train'"),
}


@pytest.mark.parametrize("fault", PROGRAM_FAULTS)
def test_program_names_the_fault_in_one_line(tmp_path, fault):
    words, reason = PROGRAM_FAULTS[fault]
    image_folder(tmp_path / "images")
    write(tmp_path / "file", CONTENT)
    done = program(tmp_path, "--name", NAME, *words)
    assert done.returncode == 1
    assert done.stdout.startswith("Error: ")
    assert done.stdout.count("\n") == 1
    assert reason in done.stdout
    assert left_in(tmp_path / "out") == []


def test_program_ends_its_log_with_the_fault(serve, tmp_path):
    begun = time.monotonic()
    done = program(tmp_path, "--name", NAME, "--mirror", serve(Answer(status=500)).url, "--mirror", dead_address())
    lines = done.stdout.splitlines()
    assert done.returncode == 1
    assert [line.startswith("Error: ") for line in lines] == [False] * (len(lines) - 1) + [True]
    assert "HTTP status 500" in lines[-1]
    assert "refused" in lines[-1]
    assert "Traceback" not in done.stdout
    assert left_in(tmp_path / "out") == []
    assert time.monotonic() - begun < 25  # dead mirrors cost seconds, not minutes
