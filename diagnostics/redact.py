"""Takes out of a report what says who and where: home, user, host, addresses, credentials."""

from __future__ import annotations

import getpass
import re
import socket
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from diagnostics.facts.variables import HIDDEN, SECRET

_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\b(?:GPU|MIG)-[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4,12})*"), "GPU-<uuid>"),
    (re.compile(r"(?<=://)[^\s/@]+@"), "<credentials>@"),
    (re.compile(r"\b(?:hf_|ghp_|gho_|github_pat_|sk-|xox[abp]-|AKIA|glpat-)[\w-]{8,}"), "<token>"),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"), "<token>"),
    (re.compile(r"\b(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}\b"), "<mac>"),
    (re.compile(r"\b[\w.+-]+@[\w-]+\.[\w.-]+\b"), "<mail>"),
    (re.compile(r"(?<![:.\w])(?:[0-9a-fA-F]{1,4}:){3,7}(?::?[0-9a-fA-F]{1,4})+(?![:.\w])"), "<ip>"),
    (re.compile(r"/(home|Users)/(?!<user>)[^/\s:'\"]+"), r"/\1/<user>"),
    (
        re.compile(
            r"(?i)\b([\w-]*(?:token|secret|passw(?:or)?d|api[_-]?key)[\w-]*\s*[=:]\s*)"
            r"(?!<)[^\s,;'\"]+"
        ),
        r"\1<hidden>",
    ),
)
_IPV4 = re.compile(r"(?<![\d.=<>~\w-])(?:\d{1,3}\.){3}\d{1,3}(?![\d.\w])")
_COMMON = frozenset({"root", "user", "admin", "runner", "ubuntu", "localhost", "python", "torch"})


class Redactor:
    """Replaces personal parts of texts; versions that look like addresses are kept."""

    def __init__(
        self,
        *,
        home: str = "",
        user: str = "",
        host: str = "",
        versions: Iterable[str] = (),
    ) -> None:
        self._words = [(home, "~")] if len(home) > 1 else []
        self._names = [
            (re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])"), mark)
            for name, mark in ((user, "<user>"), (host, "<host>"))
            if len(name) > 2 and name.lower() not in _COMMON
        ]
        self._versions = frozenset(versions)

    def text(self, value: str) -> str:
        """The text without the personal parts."""
        for word, mark in self._words:
            value = re.sub(rf"{re.escape(word)}(?![\w-])", mark, value)
        for pattern, mark in (*_RULES, *self._names):
            value = pattern.sub(mark, value)
        return _IPV4.sub(self._address, value)

    def _address(self, match: re.Match[str]) -> str:
        text = match[0]
        local = text.startswith("127.") or text == "0.0.0.0"
        return text if local or text in self._versions else "<ip>"

    def data(self, value: Any, key: str = "") -> Any:
        """The JSON-able value with every text in it redacted."""
        if isinstance(value, str):
            if key == "uuid" and value:
                return "GPU-<uuid>"
            return HIDDEN if value and key.isupper() and SECRET.search(key) else self.text(value)
        if isinstance(value, dict):
            return {self.text(str(k)): self.data(v, str(k)) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.data(item, key) for item in value]
        return value


def for_this_machine(versions: Iterable[str] = ()) -> Redactor:
    """A redactor that knows this machine's home, user and host."""
    user = host = ""
    with suppress(Exception):
        user = getpass.getuser()
    with suppress(OSError):
        host = socket.gethostname()
    return Redactor(home=str(Path.home()), user=user, host=host, versions=versions)


def without_password(text: str) -> str:
    """The text with the passwords of its database addresses left out."""
    return re.sub(r"(\w://[^\s:/@]*):[^\s@]+@", r"\1:***@", text)
