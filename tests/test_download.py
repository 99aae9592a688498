"""Downloads against a server of our own: resumed, verified, never half there."""

from __future__ import annotations

import hashlib
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from avzsl.sources.download import SUMS_NAME, fetch_source
from avzsl.sources.table import Source, SourceFile

CONTENT = bytes(range(256)) * 4000
SHA = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Server:
    """Serves ``files``; ``cut`` ends the next answers after so many bytes."""

    files: dict[str, bytes] = field(default_factory=lambda: {"/net.pth": CONTENT})
    ranges: bool = True
    cut: list[int] = field(default_factory=list)
    status: list[int] = field(default_factory=list)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    address: str = ""


class Handler(BaseHTTPRequestHandler):
    state: Server

    def do_GET(self) -> None:
        state, span = self.state, self.headers.get("Range")
        state.asked.append((self.path, span))
        if state.status:
            return self.send_error(state.status.pop(0))
        content = state.files.get(self.path)
        if content is None:
            return self.send_error(404)
        start = int(span.removeprefix("bytes=").rstrip("-")) if span and state.ranges else 0
        if start >= len(content):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = start + state.cut.pop(0) if state.cut else len(content)
        self.wfile.write(content[start:end])

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()
    handler = type("Own", (Handler,), {"state": state})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    state.address = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield state
    http.shutdown()
    http.server_close()
    thread.join()


def source(*files: SourceFile, how: str = "") -> Source:
    return Source(
        name="net",
        title="a network",
        page="",
        licence="MIT",
        commercial=True,
        megabytes=1,
        layout="original",
        files=files,
        how=how,
    )


def one_file(server: Server, **more: str) -> Source:
    return source(SourceFile(name="net.pth", url=f"{server.address}/net.pth", **more))


def test_a_file_comes_whole_and_its_hash_is_recorded(server: Server, tmp_path: Path) -> None:
    place = fetch_source(one_file(server), tmp_path)
    assert (place / "net.pth").read_bytes() == CONTENT
    assert (place / SUMS_NAME).read_text() == f"{SHA}  net.pth\n"
    assert sorted(p.name for p in place.iterdir()) == [SUMS_NAME, "net.pth"]


def test_what_is_there_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    fetch_source(one_file(server), tmp_path)
    fetch_source(one_file(server), tmp_path)
    assert len(server.asked) == 1


def test_goes_on_where_the_connection_ended(server: Server, tmp_path: Path) -> None:
    server.cut = [1000, 2000]
    place = fetch_source(one_file(server), tmp_path, pause_seconds=0.01)
    assert (place / "net.pth").read_bytes() == CONTENT
    assert [span for _, span in server.asked] == [None, "bytes=1000-", "bytes=3000-"]


def test_goes_on_after_an_interrupted_command(server: Server, tmp_path: Path) -> None:
    partial = tmp_path / "net" / ".net.pth.partial"
    partial.parent.mkdir()
    partial.write_bytes(CONTENT[:5000])
    place = fetch_source(one_file(server), tmp_path)
    assert (place / "net.pth").read_bytes() == CONTENT
    assert server.asked == [("/net.pth", "bytes=5000-")]


def test_a_partial_file_that_is_whole_needs_no_more(server: Server, tmp_path: Path) -> None:
    partial = tmp_path / "net" / ".net.pth.partial"
    partial.parent.mkdir()
    partial.write_bytes(CONTENT)
    assert (fetch_source(one_file(server), tmp_path) / "net.pth").read_bytes() == CONTENT


def test_a_server_that_cannot_resume_starts_anew(server: Server, tmp_path: Path) -> None:
    server.ranges, server.cut = False, [1000]
    place = fetch_source(one_file(server), tmp_path, pause_seconds=0.01)
    assert (place / "net.pth").read_bytes() == CONTENT


def test_tries_again_when_the_server_is_busy(server: Server, tmp_path: Path) -> None:
    server.status = [503, 429]
    fetch_source(one_file(server), tmp_path, pause_seconds=0.01)
    assert len(server.asked) == 3


def test_gives_up_with_the_address_and_keeps_what_came(server: Server, tmp_path: Path) -> None:
    server.cut = [10] * 5
    with pytest.raises(OSError, match=r"net\.pth.*the same command goes on there"):
        fetch_source(one_file(server), tmp_path, pause_seconds=0.001)
    assert (tmp_path / "net" / ".net.pth.partial").read_bytes() == CONTENT[:50]
    assert not (tmp_path / "net" / "net.pth").exists()


@pytest.mark.parametrize(("status", "words"), [(404, "404"), (401, "HF_TOKEN"), (403, "licence")])
def test_a_refusal_is_not_tried_again(
    server: Server, tmp_path: Path, status: int, words: str
) -> None:
    server.status = [status] * 5
    with pytest.raises(OSError, match=words):
        fetch_source(one_file(server), tmp_path, pause_seconds=0.01)
    assert len(server.asked) == 1


def test_a_documented_hash_is_enforced(server: Server, tmp_path: Path) -> None:
    fetch_source(one_file(server, sha256=SHA), tmp_path)
    with pytest.raises(ValueError, match=f"SHA-256 is {SHA}, documented is {'0' * 64}"):
        fetch_source(one_file(server, sha256="0" * 64), tmp_path)


def test_a_recorded_hash_is_enforced(server: Server, tmp_path: Path) -> None:
    place = fetch_source(one_file(server), tmp_path)
    (place / "net.pth").write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(ValueError, match="recorded when it was first fetched"):
        fetch_source(one_file(server), tmp_path)


def test_a_member_of_an_archive_is_unpacked(server: Server, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("wiki.bin", CONTENT)
        archive.writestr("readme", "x")
    server.files["/a.zip"] = (tmp_path / "a.zip").read_bytes()
    file = SourceFile(name="wiki.bin", url=f"{server.address}/a.zip", member="wiki.bin")
    place = fetch_source(source(file), tmp_path / "weights")
    assert (place / "wiki.bin").read_bytes() == CONTENT
    assert sorted(p.name for p in place.iterdir()) == [SUMS_NAME, "wiki.bin"]


def test_an_archive_that_is_none_is_named(server: Server, tmp_path: Path) -> None:
    file = SourceFile(name="wiki.bin", url=f"{server.address}/net.pth", member="wiki.bin")
    with pytest.raises(ValueError, match=r"wiki\.bin: the archive is damaged"):
        fetch_source(source(file), tmp_path)


def test_what_no_program_can_fetch_is_said(server: Server, tmp_path: Path) -> None:
    by_hand = source(SourceFile(name="net.pth", url=""), how="Ask the authors.")
    with pytest.raises(FileNotFoundError, match=r"net\.pth cannot be fetched.*Ask the authors\."):
        fetch_source(by_hand, tmp_path)
    (tmp_path / "net" / "net.pth").write_bytes(CONTENT)
    assert fetch_source(by_hand, tmp_path) == tmp_path / "net"


def test_the_token_goes_to_its_own_host_only(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str | None] = []
    monkeypatch.setattr(
        Handler, "log_message", lambda self, *_: seen.append(self.headers.get("Authorization"))
    )
    monkeypatch.setenv("HF_TOKEN", "secret")
    fetch_source(one_file(server), tmp_path)
    assert seen == [None]
