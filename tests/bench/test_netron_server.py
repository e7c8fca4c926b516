"""The loopback server: what it gives, and all that it does not."""

import http.client
import socket
from urllib.parse import urlsplit

import pytest

from bench.netron.server import Answer, Server


@pytest.fixture
def server(tmp_path):
    (tmp_path / "file.bin").write_bytes(b"content" * 1000)
    (tmp_path / "secret.txt").write_text("secret")
    answers = {
        "page.html": Answer(
            kind="text/html", body=b"<p>page</p>", headers=(("Set-Cookie", "consent=1"),)
        ),
        "data/file.bin": Answer(kind="application/octet-stream", body=tmp_path / "file.bin"),
        "gone": Answer(kind="text/plain", body=tmp_path / "gone.txt"),
    }
    with Server(answers) as server:
        yield server


def ask(server, path, *, host=None, method="GET", absolute=False):
    connection = http.client.HTTPConnection(server.host, timeout=5)
    target = path if absolute else urlsplit(server.address).path + path
    connection.putrequest(method, target, skip_host=True)
    if host != "":
        connection.putheader("Host", host or server.host)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body, answer.headers


def test_what_is_listed_is_given_with_a_policy(server):
    status, body, headers = ask(server, "page.html")
    assert (status, body) == (200, b"<p>page</p>")
    assert headers["Set-Cookie"] == "consent=1"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe-eval" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert ask(server, "data/file.bin?cb=123")[:2] == (200, b"content" * 1000)


def test_it_listens_on_loopback_alone(server):
    assert server.address.startswith("http://127.0.0.1:")


def test_head_gives_the_size_without_the_content(server):
    status, body, headers = ask(server, "data/file.bin", method="HEAD")
    assert (status, body, headers["Content-Length"]) == (200, b"", "7000")


@pytest.mark.parametrize(
    "path",
    [
        "other.html",
        "secret.txt",
        "data/../secret.txt",
        "../secret.txt",
        "data/%2e%2e/secret.txt",
        "data//file.bin",
        "./page.html",
        "/etc/passwd",
        "%00",
        "data/",
        "",
        "gone",
        "%ff%fe",
    ],
)
def test_what_is_not_listed_is_not_found(server, path):
    assert ask(server, path)[0] == 404


def test_without_the_secret_part_nothing_is_found(server):
    for path in ("/page.html", "/", "/wrong/page.html"):
        assert ask(server, path, absolute=True)[0] == 404


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost", "127.0.0.1", "127.0.0.1:1", "", "{h}.evil.example"]
)
def test_another_host_is_refused(server, host):
    host = host.replace("{h}", server.host) if host else ""
    assert ask(server, "page.html", host=host)[0] == 421


def test_two_hosts_are_refused(server):
    with socket.create_connection(("127.0.0.1", int(server.host.rpartition(":")[2])), 5) as raw:
        path = urlsplit(server.address).path + "page.html"
        raw.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {server.host}\r\nHost: evil\r\nConnection: close\r\n\r\n".encode()
        )
        assert b" 421 " in raw.recv(100)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_sent_to_it(server, method):
    assert ask(server, "page.html", method=method)[0] == 501


def test_a_browser_that_goes_away_in_the_middle_is_no_error(server, capfd, tmp_path):
    (tmp_path / "file.bin").write_bytes(b"x" * 50_000_000)
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", int(server.host.rpartition(":")[2])), 5) as raw:
            path = urlsplit(server.address).path + "data/file.bin"
            raw.sendall(f"GET {path} HTTP/1.1\r\nHost: {server.host}\r\n\r\n".encode())
            raw.recv(1000)
    assert ask(server, "page.html")[0] == 200
    assert capfd.readouterr() == ("", "")


def test_it_can_be_closed_twice_and_is_then_gone():
    server = Server()
    server.close()
    server.close()
    with pytest.raises(OSError):
        ask(server, "page.html")


def test_two_servers_do_not_know_each_others_secret():
    with Server({"a": Answer(kind="text/plain", body=b"1")}) as one, Server() as other:
        assert ask(one, "a")[0] == 200
        path = urlsplit(other.address).path + "a"
        assert ask(one, path, absolute=True)[0] == 404
