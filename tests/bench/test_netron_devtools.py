"""The browser process: found, spoken to, and always ended. Stand-ins play the browser here."""

import os
import stat
import sys
import time

import pytest

from bench.netron.devtools import INSTALL, Browser, find_browser
from bench.netron.errors import BrowserFailed, BrowserMissing, PictureTimedOut

STAND_IN = """#!{python}
import json, os, sys, time
def send(message):
    os.write(4, json.dumps(message).encode() + b"\\0")
buffer = b""
while True:
    data = os.read(3, 65536)
    if not data:
        break
    buffer += data
    *messages, buffer = buffer.split(b"\\0")
    for raw in messages:
        message = json.loads(raw)
        method, answer = message["method"], {{"id": message["id"], "result": {{}}}}
{body}
        send(answer)
"""


def program(tmp_path, text, name="chromium-headless-shell"):
    path = tmp_path / name
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def stand_in(tmp_path, body="        pass"):
    return program(tmp_path, STAND_IN.format(python=sys.executable, body=body))


def soon(seconds=10.0):
    return time.monotonic() + seconds


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_without_a_browser_the_error_has_debians_command(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BrowserMissing) as caught:
        find_browser()
    assert INSTALL in str(caught.value)
    assert "chromium-headless-shell" in str(caught.value)


def test_the_first_browser_on_path_is_taken(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    program(tmp_path, "", "chromium")
    assert find_browser().name == "chromium"
    program(tmp_path, "", "chromium-headless-shell")
    assert find_browser().name == "chromium-headless-shell"


def test_commands_are_answered_and_the_process_is_ended(tmp_path):
    body = '        if method == "Echo": answer["result"] = message["params"]'
    with Browser(stand_in(tmp_path, body), deadline=soon()) as browser:
        pid = browser.pid
        assert browser.call("Echo", {"text": "ü" * 100_000}, deadline=soon()) == {
            "text": "ü" * 100_000
        }
        assert is_running(pid)
    assert not is_running(pid)


def test_events_do_not_hide_the_answer(tmp_path):
    body = '        send({"method": "Page.loaded", "params": {}})'
    with Browser(stand_in(tmp_path, body), deadline=soon()) as browser:
        browser.call("Anything", deadline=soon())
        assert {e["method"] for e in browser.events} == {"Page.loaded"}


def test_a_refusal_is_told(tmp_path):
    body = '        if method == "Bad": answer = {"id": message["id"], "error": {"message": "no such thing"}}'
    with Browser(stand_in(tmp_path, body), deadline=soon()) as browser:
        with pytest.raises(BrowserFailed, match="no such thing"):
            browser.call("Bad", deadline=soon())
        assert browser.call("Good", deadline=soon()) == {}


def test_a_browser_that_does_not_answer_is_given_up_at_the_deadline_and_ended(tmp_path):
    body = '        if method == "Hang": time.sleep(600)'
    began = time.monotonic()
    with Browser(stand_in(tmp_path, body), deadline=soon()) as browser:
        pid = browser.pid
        with pytest.raises(PictureTimedOut, match="Hang"):
            browser.call("Hang", deadline=soon(0.3))
    assert time.monotonic() - began < 8
    assert not is_running(pid)


def test_a_browser_that_ends_at_once_is_told_with_its_last_words(tmp_path):
    path = program(tmp_path, "#!/bin/sh\necho 'no libnss3.so here' >&2\nexit 3\n")
    with pytest.raises(BrowserFailed, match=r"no libnss3\.so here"):
        Browser(path, deadline=soon())


def test_a_browser_that_crashes_in_the_middle_is_told(tmp_path):
    body = '        if method == "Crash": os._exit(1)'
    with (
        Browser(stand_in(tmp_path, body), deadline=soon()) as browser,
        pytest.raises(BrowserFailed, match="the browser has ended"),
    ):
        browser.call("Crash", deadline=soon())


def test_a_page_that_runs_out_of_memory_is_told(tmp_path):
    body = (
        '        if method == "Draw": answer = {"method": "Inspector.targetCrashed", "params": {}}'
    )
    with (
        Browser(stand_in(tmp_path, body), deadline=soon()) as browser,
        pytest.raises(BrowserFailed, match="out of memory"),
    ):
        browser.call("Draw", deadline=soon())


def test_where_the_sandbox_is_forbidden_the_browser_is_started_without(tmp_path, monkeypatch):
    monkeypatch.setattr("bench.netron.devtools.os.geteuid", lambda: 1000)
    text = STAND_IN.format(python=sys.executable, body="        pass").replace(
        "buffer = b",
        "if '--no-sandbox' not in sys.argv:\n    sys.exit('No usable sandbox!')\nbuffer = b",
        1,
    )
    with Browser(program(tmp_path, text), deadline=soon()) as browser:
        assert browser.call("Anything", deadline=soon()) == {}


def test_a_script_that_fails_in_the_page_is_told(tmp_path):
    body = (
        '        if method == "Runtime.evaluate": answer["result"] = '
        '{"exceptionDetails": {"exception": {"description": "TypeError: x is undefined"}}}'
    )
    with (
        Browser(stand_in(tmp_path, body), deadline=soon()) as browser,
        pytest.raises(BrowserFailed, match="TypeError: x is undefined"),
    ):
        browser.evaluate("session", "x.y", deadline=soon())


def test_what_cannot_be_started_is_named(tmp_path):
    with pytest.raises(BrowserFailed, match=r"nothing cannot be started"):
        Browser(tmp_path / "nothing", deadline=soon())


def test_nothing_is_left_open_or_lying_around(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    path = stand_in(tmp_path)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with Browser(path, deadline=soon()):
            pass
    assert len(os.listdir("/proc/self/fd")) == before
    assert [p.name for p in tmp_path.iterdir()] == ["chromium-headless-shell"]
