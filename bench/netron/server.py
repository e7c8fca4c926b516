"""Loopback HTTP server that serves an explicit list of answers and nothing else."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import unquote, urlsplit

ADDRESS: Final = "127.0.0.1"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self';"
    " style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content security policy: only the listed scripts, connections only to this server."""
CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Response to one path."""

    kind: str
    """Content type."""
    body: bytes | Path
    """Bytes, or the file that holds them."""
    headers: tuple[tuple[str, str], ...] = ()
    """Headers in addition to those of every answer."""
    policy: str = POLICY
    """Content security policy."""


class Server:
    """Server of `answers` on 127.0.0.1 and a free port, in threads; a context manager.

    Paths are looked up literally and never joined to a folder, so none can leave one. A request must name this server
    in its Host header and start with the secret first part of every path; other users of the machine and foreign pages
    cannot know it.
    """

    def __init__(self, answers: Mapping[str, Answer] | None = None) -> None:
        self.answers: dict[str, Answer] = dict(answers or {})
        """Path without its secret part -> answer; may change while serving."""
        self._secret = secrets.token_urlsafe(12)
        handler = type("Handler", (_Handler,), {"owner": self})
        self._http = ThreadingHTTPServer((ADDRESS, 0), handler)
        self._http.daemon_threads = True
        self.host = f"{ADDRESS}:{self._http.server_address[1]}"
        """Required value of the Host header."""
        self.address = f"http://{self.host}/{self._secret}/"
        """Prefix of every path."""
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving; may be called twice."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def find(self, target: str) -> Answer | None:
        """Return the answer for a request's target, or None."""
        try:
            path = unquote(urlsplit(target).path, errors="strict")
        except ValueError:
            return None
        start = f"/{self._secret}/"
        if not secrets.compare_digest(path[: len(start)].encode(), start.encode()):
            return None
        return self.answers.get(path[len(start) :])


class _Handler(BaseHTTPRequestHandler):
    owner: Server
    protocol_version = "HTTP/1.1"
    server_version = "vitals"
    sys_version = ""
    timeout = 60

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        if self.headers.get_all("Host") != [self.owner.host]:
            self._refuse(421)
            return
        answer = self.owner.find(self.path)
        if answer is None:
            self._refuse(404)
            return
        body = answer.body
        try:
            size = len(body) if isinstance(body, bytes) else body.stat().st_size
        except OSError:
            self._refuse(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(size))
        self._end_headers(answer.headers, answer.policy)
        if not with_body:
            return
        if isinstance(body, bytes):
            self.wfile.write(body)
            return
        with body.open("rb") as file:
            while chunk := file.read(min(CHUNK, size)):
                self.wfile.write(chunk)
                size -= len(chunk)

    def _refuse(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self._end_headers()

    def _end_headers(self, more: tuple[tuple[str, str], ...] = (), policy: str = POLICY) -> None:
        for name, value in (
            ("Content-Security-Policy", policy),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            *more,
        ):
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the name is the base class's
        """Log nothing: all requests come from our own pages."""

    def handle_one_request(self) -> None:
        """Handle one request; a browser that ended during one is not an error."""
        try:
            super().handle_one_request()
        except (ConnectionError, TimeoutError):
            self.close_connection = True
