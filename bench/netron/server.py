"""Loopback HTTP server that serves an explicit list of answers and nothing else."""

from __future__ import annotations

import contextlib
import secrets
import socket
import threading
import time
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
SILENCE = 60.0
"""Seconds in which a client has to take what it asked for, a piece of it at a time."""
HEAD_SECONDS = 30.0
"""Seconds in which a client has to say what it wants; an idle connection of a browser is ended by it too."""
MOST_CLIENTS: Final = 400
"""Connections at a time: far more than a page opens, and fewer than a process may have descriptors."""


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
        self._http = _Http((ADDRESS, 0), handler)
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


class _Http(ThreadingHTTPServer):
    """Threads for clients of which each has only so long to say what it wants."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *given: Any) -> None:
        self.speaking: dict[socket.socket, float] = {}
        """Connection on which a request is awaited -> the moment by which it must be whole."""
        self.clients: set[int] = set()
        super().__init__(*given)

    def service_actions(self) -> None:
        """End the connections that are overdue; called some times a second."""
        now = time.monotonic()
        for connection, until in [*self.speaking.items()]:
            if now > until:
                self.speaking.pop(connection, None)
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Return whether there is room for one more client."""
        return len(self.clients) < MOST_CLIENTS

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one client, in its thread."""
        self.clients.add(id(request))
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.clients.discard(id(request))
            self.speaking.pop(request, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: what a client does wrong is no error of the review."""


class _Handler(BaseHTTPRequestHandler):
    owner: Server
    server: _Http
    protocol_version = "HTTP/1.1"
    server_version = "vitals"
    sys_version = ""

    def setup(self) -> None:
        """Prepare the streams of one connection."""
        super().setup()
        self.connection.settimeout(SILENCE)

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
        self.server.speaking[self.connection] = time.monotonic() + HEAD_SECONDS
        try:
            super().handle_one_request()
        except OSError:  # also of a file that has just gone: half an answer is no whole one
            self.close_connection = True

    def parse_request(self) -> bool:
        """Read the head of a request; the client has then said what it wants."""
        is_valid = super().parse_request()
        self.server.speaking.pop(self.connection, None)
        return is_valid
