"""The review's server among slow, broken and hostile clients: it answers its own page, tells nobody else anything."""

from __future__ import annotations

import contextlib
import http.client
import random
import re
import socket
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bench.netron import server as serving
from bench.netron.server import Answer, Server

NUMBER = 200
SECRET = b"what only the page may have"


@pytest.fixture
def site(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"\x08" * 3_000_000)
    (tmp_path / "secret.txt").write_bytes(SECRET)
    answers = {
        "index.html": Answer(kind="text/html", body=b"<p>" + SECRET),
        "netron/model.onnx": Answer(kind="x/y", body=tmp_path / "model.onnx"),
        "gone": Answer(kind="x/y", body=tmp_path / "gone"),
    }
    with Server(answers) as server:
        yield server


def connected(server):
    host, _, port = server.host.partition(":")
    return socket.create_connection((host, int(port)), timeout=60)


def ask(server, path="index.html"):
    parts = urlsplit(server.address)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    try:
        connection.request("GET", parts.path + path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def said(connection):
    """All that comes until the end of the connection, or none of it comes any more."""
    found = b""
    connection.settimeout(20)
    with contextlib.suppress(OSError):
        while data := connection.recv(1 << 16):
            found += data
    return found


HOSTILE = {
    "another host": "GET {path}index.html HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "two hosts": "GET {path}index.html HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\n\r\n",
    "no host": "GET {path}index.html HTTP/1.0\r\n\r\n",
    "no secret": "GET /index.html HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "part of the secret": "GET {half}/index.html HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "up": "GET {path}../../../etc/passwd HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "up, in percent": "GET {path}%2e%2e%2fsecret.txt HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "up, twice in percent": "GET {path}%252e%252e%252fsecret.txt HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "a whole path": "GET {path}{folder}/secret.txt HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "another scheme": "GET file:///etc/passwd HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "an empty address": "GET http://[::1 HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "no text": "GET {path}\x00\xff\xfe HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "a deed": "DELETE {path}index.html HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "a body": "POST {path}index.html HTTP/1.1\r\nHost: {host}\r\nContent-Length: 9\r\n\r\n123456789",
    "a version": "GET {path}index.html HTTP/9.9\r\nHost: {host}\r\n\r\n",
    "no version": "GET {path}index.html\r\n\r\n",
    "no request": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "a long line": "GET /{long} HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "many headers": "GET {path}index.html HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n",
    "a split answer": "GET {path}%0d%0aSet-Cookie:%20a=b HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "a file that is gone": "GET {path}gone HTTP/1.1\r\nHost: {host}\r\n\r\n",
}


def filled(text, server, folder):
    path = urlsplit(server.address).path
    found = text.format(
        path=path,
        half=path[: len(path) // 2],
        host=server.host,
        folder=folder,
        long="x" * 70_000,
        headers="".join(f"X-{number}: 1\r\n" for number in range(150)),
    )
    return found.encode("latin-1")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_request_is_refused_and_the_next_client_is_served(site, tmp_path, capfd, name):
    with connected(site) as connection:
        connection.sendall(filled(HOSTILE[name], site, tmp_path))
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
        answer = said(connection)
    assert SECRET not in answer
    assert b"root:" not in answer
    assert not re.search(rb"(?im)^set-cookie", answer)
    assert not answer.startswith(b"HTTP/1.1 200")
    assert b"BaseHTTP" not in answer  # nor which library it is
    assert ask(site) == (200, b"<p>" + SECRET)
    assert "Traceback" not in capfd.readouterr().err


def slow(server, draw):
    """A head that never ends, a byte at a time."""
    connection = connected(server)
    with contextlib.suppress(OSError):
        for byte in b"GET / HTTP/1.1\r\nX: " + b"y" * 10_000:
            connection.sendall(bytes([byte]))
            time.sleep(draw.uniform(0.05, 0.2))
    connection.close()


def silent(server, draw):
    """Says nothing at all, until the server ends it."""
    with connected(server) as connection:
        said(connection)


def broken(server, draw):
    """Asks for a large file and hangs up in the middle of it, with a reset."""
    with connected(server) as connection:
        path = urlsplit(server.address).path
        connection.sendall(
            f"GET {path}netron/model.onnx HTTP/1.1\r\nHost: {server.host}\r\n\r\n".encode()
        )
        connection.recv(draw.randint(1, 5000))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def deaf(server, draw):
    """Asks for a large file and never reads it."""
    connection = connected(server)
    path = urlsplit(server.address).path
    with contextlib.suppress(OSError):
        for _ in range(20):
            connection.sendall(
                f"GET {path}netron/model.onnx HTTP/1.1\r\nHost: {server.host}\r\n\r\n".encode()
            )
    time.sleep(3)
    connection.close()


def hostile(server, draw):
    with connected(server) as connection:
        text = HOSTILE[draw.choice(sorted(HOSTILE))]
        with contextlib.suppress(OSError):
            connection.sendall(filled(text, server, Path("/tmp")))
            connection.shutdown(socket.SHUT_WR)
            assert SECRET not in said(connection)


def test_among_two_hundred_such_clients_a_page_is_served_and_nothing_of_them_stays(
    site, capfd, monkeypatch
):
    monkeypatch.setattr(serving, "HEAD_SECONDS", 2.0)
    monkeypatch.setattr(serving, "SILENCE", 2.0)
    before = threading.active_count()
    kinds = (slow, silent, broken, deaf, hostile)
    errors = []

    def run(number):
        try:
            kinds[number % len(kinds)](site, random.Random(number))
        except OSError:
            pass  # refused or ended by the server
        except BaseException as error:
            errors.append(error)

    clients = [threading.Thread(target=run, args=(number,)) for number in range(NUMBER)]
    for client in clients:
        client.start()
    for _ in range(20):
        assert ask(site) == (200, b"<p>" + SECRET)
        status, body = ask(site, "netron/model.onnx")
        assert (status, len(body)) == (200, 3_000_000)
    for client in clients:
        client.join(timeout=120)
    assert not any(client.is_alive() for client in clients), "the server keeps a client waiting"
    assert errors == []
    until = time.monotonic() + 60
    while threading.active_count() > before:
        assert time.monotonic() < until, "threads of clients that have gone"
        time.sleep(0.05)
    assert ask(site) == (200, b"<p>" + SECRET)
    assert "Traceback" not in capfd.readouterr().err
