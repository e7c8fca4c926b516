"""Headless Chromium controlled over a pipe with the DevTools protocol; the process is always ended."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import sys
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from bench.netron.errors import BrowserFailed, BrowserMissing, PictureTimedOut
from suite.scratch_folder import Scratch

PROGRAMS: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""Names of the browser on PATH, in order of preference."""
INSTALL: Final = "apt-get install --no-install-recommends chromium-headless-shell"

FLAGS: Final = (
    "--headless",
    "--remote-debugging-pipe",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-pings",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
"""Chromium flags: it can reach only 127.0.0.1, and it ends when its pipe closes, even if this process is killed."""
LAST_WORDS: Final = 4000
"""Bytes of the browser's stderr quoted in an error."""


def find_browser() -> Path:
    """Return the first of PROGRAMS on PATH; raise BrowserMissing with the command that installs one."""
    for name in PROGRAMS:
        if (found := shutil.which(name)) is not None and hasattr(os, "posix_spawn"):
            return Path(found)
    raise BrowserMissing(
        f"no browser to draw pictures with: looked for {', '.join(PROGRAMS)} on PATH."
        f" Next: {INSTALL}   (Debian; another Chromium on PATH does too)"
    )


def has_browser() -> bool:
    """Return whether `find_browser` finds a browser now."""
    try:
        find_browser()
    except BrowserMissing:
        return False
    return True


class Browser:
    """One browser process and its pipe; a context manager. Raises BrowserFailed if it cannot start."""

    def __init__(self, program: Path, *, deadline: float) -> None:
        self._scratch = Scratch()
        self._profile = self._scratch.path
        self._errors = self._profile / "stderr"
        self._answers: dict[int, dict[str, Any]] = {}
        self._buffer = bytearray()
        self._number = 0
        self._pid = 0
        self._to = self._from = -1
        self.events: deque[dict[str, Any]] = deque(maxlen=10_000)
        """Events from the browser, oldest first."""
        try:
            self._start(program, no_sandbox=os.geteuid() == 0)
            try:
                self.call("Browser.getVersion", deadline=deadline)
            except BrowserFailed as failed:
                if "sandbox" not in str(failed).lower():
                    raise
                # Containers often forbid it; these pages are our own and reach only this server.
                self._end()
                self._start(program, no_sandbox=True)
                self.call("Browser.getVersion", deadline=deadline)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Process id of the browser, which leads its own process group; 0 after it has ended."""
        return self._pid

    def page(self, *, deadline: float) -> str:
        """Open an empty page and return its session, for `call`."""
        target = self.call("Target.createTarget", {"url": "about:blank"}, deadline=deadline)
        attached = self.call(
            "Target.attachToTarget",
            {"targetId": target["targetId"], "flatten": True},
            deadline=deadline,
        )
        return str(attached["sessionId"])

    def evaluate(self, session: str, script: str, *, deadline: float) -> Any:
        """Return the JSON value of a JavaScript expression, awaited; raise BrowserFailed with its error."""
        answer = self.call(
            "Runtime.evaluate",
            {"expression": script, "awaitPromise": True, "returnByValue": True},
            session=session,
            deadline=deadline,
        )
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            told = details.get("exception", {}).get("description") or details.get("text", "")
            raise BrowserFailed(f"the page's script failed: {told}")
        return answer["result"].get("value")

    def call(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        session: str = "",
        deadline: float,
    ) -> dict[str, Any]:
        """Return the answer to one command. `deadline` is a moment of time.monotonic().

        Raises PictureTimedOut if it has passed, BrowserFailed if the browser or the page ended or refused.
        """
        self._number += 1
        number = self._number
        message: dict[str, Any] = {"id": number, "method": method, "params": dict(params or {})}
        if session:
            message["sessionId"] = session
        self._write(json.dumps(message).encode() + b"\0")
        while number not in self._answers:
            self._read(deadline, method)
        answer = self._answers.pop(number)
        if "error" in answer:
            raise BrowserFailed(f"the browser refused {method}: {answer['error'].get('message')}")
        return dict(answer["result"])

    def close(self) -> None:
        """End the browser and all its processes, and delete its profile; may be called twice."""
        self._end()
        self._scratch.close()

    def _start(self, program: Path, *, no_sandbox: bool) -> None:
        # Far above 3 and 4, to which the ends move, so that neither is overwritten early.
        theirs_in, self._to = _pipe()
        self._from, theirs_out = _pipe()
        arguments = [str(program), *FLAGS, f"--user-data-dir={self._profile}"]
        arguments += ["--no-sandbox"] if no_sandbox else []
        try:
            self._pid = os.posix_spawn(
                program,
                [*arguments, "about:blank"],
                dict(os.environ),
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 2, str(self._errors), os.O_WRONLY | os.O_CREAT, 0o600),
                    (os.POSIX_SPAWN_DUP2, theirs_in, 3),
                    (os.POSIX_SPAWN_DUP2, theirs_out, 4),
                ],
                setpgroup=0,
            )
        except OSError as error:
            raise BrowserFailed(f"{program} cannot be started: {error.strerror}") from error
        finally:
            os.close(theirs_in)
            os.close(theirs_out)

    def _end(self) -> None:
        for end in (self._to, self._from):
            if end >= 0:
                os.close(end)
        self._to = self._from = -1
        self._buffer.clear()
        if self._pid:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self._pid, 0)
            self._pid = 0

    def _write(self, message: bytes) -> None:
        view = memoryview(message)
        try:
            while view:
                view = view[os.write(self._to, view) :]
        except OSError as error:
            raise BrowserFailed(f"the browser has ended{self._last_words()}") from error

    def _read(self, deadline: float, method: str) -> None:
        """Read the browser's next messages."""
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([self._from], [], [], left)[0]:
            raise PictureTimedOut(f"no answer to {method} in time")
        data = os.read(self._from, 1 << 20)
        if not data:
            raise BrowserFailed(f"the browser has ended{self._last_words()}")
        self._buffer += data
        if b"\0" not in data:
            return
        *messages, rest = self._buffer.split(b"\0")
        self._buffer = bytearray(rest)
        for raw in messages:
            message = json.loads(raw)
            if "id" in message:
                self._answers[message["id"]] = message
                continue
            self.events.append(message)
            if message.get("method") in ("Inspector.targetCrashed", "Target.targetCrashed"):
                raise BrowserFailed("the browser's page crashed, most likely out of memory")

    def _last_words(self) -> str:
        try:
            text = self._errors.read_bytes()[-LAST_WORDS:].decode("utf-8", "replace").strip()
        except OSError:
            text = ""
        return f"; its last words: {text}" if text else " without a word"


def _pipe() -> tuple[int, int]:
    """Return (read, write) descriptors of 10 or more, closed in children."""
    import fcntl

    assert sys.platform != "win32"
    moved = []
    for end in os.pipe():
        moved.append(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10))
        os.close(end)
    return moved[0], moved[1]
