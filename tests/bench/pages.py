"""A real headless Chromium looking at a page of ours: what it shows, says, asks for; for tests and for screenshots."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.netron.devtools import Browser, find_browser

SECONDS = 60.0
DRAWN = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"
"""After the second frame."""


@dataclass(slots=True)
class Page:
    """One page in one browser."""

    browser: Browser
    session: str
    said: list[str] = field(default_factory=list)
    """Errors and warnings of the console, exceptions, and what the browser refused."""
    asked: list[str] = field(default_factory=list)
    """Addresses of every request."""

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        return self.browser.call(
            method, params, session=self.session, deadline=time.monotonic() + SECONDS
        )

    def open(self, url: str, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Goes there and waits until it is loaded and drawn: before its first frame `innerText` leaves out sections
        whose content is drawn when it comes into view.
        """
        self.resize(width, height)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.said.clear()
        self.asked.clear()
        self.browser.events.clear()
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")
        self.run(DRAWN)

    def resize(self, width: int, height: int) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip

    def run(self, script: str) -> Any:
        """The JSON value of a JavaScript expression."""
        value = self.browser.evaluate(self.session, script, deadline=time.monotonic() + SECONDS)
        self._listen()
        return value

    def wait(self, condition: str, seconds: float = SECONDS) -> None:
        """Until the expression is true; raises AssertionError at the end of the time."""
        until = time.monotonic() + seconds
        while not self.run(f"!!({condition})"):
            assert time.monotonic() < until, f"never true: {condition}; the page said {self.said}"
            time.sleep(0.05)

    def picture(self, path: Path, *, whole: bool = False, scale: float = 1.0) -> None:
        """A PNG of what is seen, or of the whole page."""
        more: dict[str, Any] = {}
        if whole or scale != 1.0:
            height = "document.documentElement.scrollHeight" if whole else "innerHeight"
            width, high = self.run(f"[innerWidth, {height}]")
            box = {"x": 0, "y": 0, "width": width, "height": min(high, 12000), "scale": scale}
            more = {"captureBeyondViewport": True, "clip": box}
        answer = self.call("Page.captureScreenshot", format="png", **more)
        path.write_bytes(base64.b64decode(answer["data"]))

    def _listen(self) -> None:
        while self.browser.events:
            event = self.browser.events.popleft()
            params = event.get("params", {})
            match event.get("method"):
                case "Network.requestWillBeSent":
                    self.asked.append(params["request"]["url"])
                case "Runtime.exceptionThrown":
                    self.said.append(str(params["exceptionDetails"])[:500])
                case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning"):
                    self.said.append(str(params["args"])[:500])
                case "Log.entryAdded" if params["entry"]["level"] in ("error", "warning"):
                    self.said.append(str(params["entry"])[:500])


@contextmanager
def page() -> Iterator[Page]:
    """A page that has opened nothing yet."""
    until = time.monotonic() + SECONDS
    with Browser(find_browser(), deadline=until) as browser:
        found = Page(browser, browser.page(deadline=until))
        for domain in ("Page", "Runtime", "Network", "Log"):
            found.call(f"{domain}.enable")
        yield found
