"""A server of HTTP on loopback that serves a folder, as servers do and as they should not."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Answer = Callable[["Handler"], bool]
"""Answers a request, or says that it is to be answered as usual."""


class Handler(SimpleHTTPRequestHandler):
    """Serves files without heeding ranges; some requests as the server's ``answers`` will, others are counted only."""

    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # headers and body in one piece, for which nobody waits

    def do_GET(self) -> None:
        server: Server = self.server  # type: ignore[assignment]
        server.asked[self.path] += 1
        if not any(answer(self) for answer in server.answers):
            super().do_GET()

    def send_simply(self, status: int, body: bytes = b"", **headers: str) -> bool:
        """Send a whole answer."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)
        return True

    def list_directory(self, path):
        self.send_error(403)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """``answers`` come before the files; ``asked`` counts the requests by path."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self.answers: list[Answer] = []
        self.asked: Counter[str] = Counter()

    @property
    def url(self) -> str:
        """Of the folder."""
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """A server of a folder; it ends with the block."""
    server = Server(folder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def with_ranges(folder: Path) -> Answer:
    """Parts of files, as most servers send them."""

    def answer(handler: Handler) -> bool:
        asked, path = handler.headers.get("Range"), folder / handler.path.lstrip("/")
        if asked is None or not path.is_file():
            return False
        content, (start, _, stop) = path.read_bytes(), asked.removeprefix("bytes=").partition("-")
        part = content[int(start) : int(stop) + 1 if stop else None] if start else content[-int(stop) :]
        return handler.send_simply(206, part)

    return answer
