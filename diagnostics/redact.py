"""Takes out of a report what tells who and where: home, user, host, addresses, credentials."""

from __future__ import annotations

import getpass
import os
import re
import socket
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from diagnostics.facts.variables import HIDDEN, SECRET

_SECRET_NAME = (
    r"token|secret|passw(?:or)?d|api[_-]?key|access[_-]?key|signature|credential|authorization|"
    r"security-token"
)
_LOGIN = re.compile(r"^(?:UV_INDEX|POETRY_HTTP_BASIC|PIP|TWINE|DOCKER|CONDA)\w*_USER(?:NAME)?$")
"""Variables whose value is half of a credential."""

_QUERY = re.compile(
    r"(?i)(?P<name>[?&;](?:[\w.-]*(?:" + _SECRET_NAME + r")[\w.-]*|sig|se|sp|sr|sv|st|spr|"
    r"policy|key-pair-id|auth|code|key|pwd|x-amz-\w[\w-]*|x-goog-\w[\w-]*|awsaccesskeyid|expires)=)"
    r"(?!<)[^&#\s'\"<>]+"
)
_LONG_QUERY = re.compile(r"(?P<name>[?&][\w.-]{1,64}=)(?!<)[A-Za-z0-9+/_%=.~-]{32,}")
"""A query value that is too long to be a word: an unknown kind of signature."""

_URL = re.compile(r"\b[a-z][a-z0-9+]{1,15}://[^\s'\"<>\\]+")
_SEGMENT = re.compile(r"(?<=/)[A-Za-z0-9_-]{16,}(?=[/\s?#]|$)")
_PUBLIC_HASH = re.compile(
    r"/(?:resolve|blob|tree|commit|commits|raw|snapshots|archive|pull|issues|releases|packages)/"
    r"(?:[0-9a-f]{2}/){0,2}$"
)
_AFTER_NAME = re.compile(
    r"(?i)(?<=/)(?P<name>tokens?|t|keys?|api[_-]?keys?|secrets?|auth|basic|services|bot)/"
    r"(?P<value>(?!<)[A-Za-z0-9_.:-]{12,})"
)
_INNER = (
    # Module names have no hyphen, and none of the suffixes below follows a digit in one.
    r"[a-zA-Z0-9-]*[0-9-][a-zA-Z0-9-]*\.(?:[\w-]+\.)*"
    r"(?:local|lan|internal|intranet|corp|cluster|svc|home|localdomain|pcluster)"
    r"|[\w-]+\.(?:[\w-]+\.)*(?:cluster\.local|ec2\.internal|compute\.internal|lan|localdomain)"
)

_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\b(?:GPU|MIG)-[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4,12})*"), "GPU-<uuid>"),
    (re.compile(r"(?<=://)[^\s/@]+@"), "<credentials>@"),
    (re.compile(r"\b(?:hf_|ghp_|gho_|github_pat_|sk-|xox[abp]-|AKIA|glpat-)[\w-]{8,}"), "<token>"),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"), "<token>"),
    (re.compile(r"\b(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}\b"), "<mac>"),
    (re.compile(r"\b[\w.+-]+@[\w-]+\.[\w.-]+\b"), "<mail>"),
    # A shell's prompt: name@machine:~/folder$
    (re.compile(r"(?<![\w<>.+-])[\w.-]{1,32}@[\w-]{1,63}(?=[:\s][~/\w])"), "<user>@<host>"),
    (re.compile(r"(?<![:.\w])(?:[0-9a-fA-F]{1,4}:){3,7}(?::?[0-9a-fA-F]{1,4})+(?![:.\w])"), "<ip>"),
    (
        re.compile(
            r"/(home\d*|homes|Users|users|scratch|people|staff|students)/(?!<user>)"
            r"(?!runner\b|shared\b|Shared\b|Public\b|tmp\b)[^/\s:'\"\\]+"
        ),
        r"/\1/<user>",
    ),
    (
        re.compile(r"(?i)(\\{1,2}(?:users|documents and settings)\\{1,2})(?!<user>)[^\\/\s:'\"]+"),
        r"\1<user>",
    ),
    (
        re.compile(
            r"\b((?:USER|LOGNAME|USERNAME|SUDO_USER|SLURM_JOB_USER)\s?=\s?)(?!<)[^\s,;'\"]+"
        ),
        r"\1<user>",
    ),
    (re.compile(r"\b(uid=\d+|gid=\d+|groups=\d+)\([^)\s]+\)"), r"\1(<user>)"),
    (
        re.compile(
            r"\b((?:UV_INDEX|POETRY_HTTP_BASIC|PIP|TWINE|DOCKER|CONDA)\w*_USER(?:NAME)?\s?[=:]\s?)"
            r"(?!<)[^\s,;'\"]+"
        ),
        r"\1<hidden>",
    ),
    (
        re.compile(
            r"(?i)\b((?:hostname|nodename|host name|computername|master_addr|slurmd_nodename|"
            r"slurm_\w*nodelist|node list|machine name)\s?[=:]\s?)(?!<|localhost|127\.|\[?::1)"
            r"[^\s,;'\"]+"
        ),
        r"\1<host>",
    ),
    # NCCL and torchrun begin their lines with the machine's name.
    (re.compile(r"(?m)^[\w.-]{2,253}(?=:\d+:\d+ \[\d+\] )"), "<host>"),
    (re.compile(r"(?<=network address of \()[A-Za-z][\w.-]*(?=, \d)"), "<host>"),
    (re.compile(r"(?<=network addresses of \()[A-Za-z][\w.-]*(?=, \d)"), "<host>"),
    (re.compile(rf"(?<![\w.@/-])(?:{_INNER})(?![\w(.-])"), "<host>"),
    (
        re.compile(
            rf"(?i)\b([\w-]*(?:{_SECRET_NAME})[\w-]*\s*[=:]\s*)(?:bearer |basic )?(?!<)"
            r"[^\s,;&'\"]+"
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
        # A machine is known by its full name and by the first part of it.
        names = [(host, "<host>"), (host.partition(".")[0], "<host>"), (user, "<user>")]
        self._names = [
            (re.compile(rf"(?<![A-Za-z0-9-]){re.escape(name)}(?![A-Za-z0-9-])"), mark)
            for name, mark in dict.fromkeys(names)
            if len(name) > 2 and name.lower() not in _COMMON
        ]
        self._versions = frozenset(versions)

    def text(self, value: str) -> str:
        """Return the text without the personal parts."""
        for word, mark in self._words:
            value = re.sub(rf"{re.escape(word)}(?![\w-])", mark, value)
        if "://" in value:
            value = _URL.sub(_without_secrets, value)
        for pattern, mark in (*_RULES, *self._names):
            value = pattern.sub(mark, value)
        return _IPV4.sub(self._address, value)

    def _address(self, match: re.Match[str]) -> str:
        text = match[0]
        local = text.startswith("127.") or text == "0.0.0.0"
        return text if local or text in self._versions else "<ip>"

    def data(self, value: Any, key: str = "") -> Any:
        """Return the JSON-able value with every text in it redacted."""
        if isinstance(value, str):
            if key == "uuid" and value:
                return "GPU-<uuid>"
            hidden = key.isupper() and (SECRET.search(key) or _LOGIN.search(key))
            return HIDDEN if value and hidden else self.text(value)
        if isinstance(value, dict):
            return {self.text(str(k)): self.data(v, str(k)) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.data(item, key) for item in value]
        return value


def _without_secrets(match: re.Match[str]) -> str:
    """An address without signatures in its query and without tokens in its path."""
    path, mark, query = match[0].partition("?")
    path = _AFTER_NAME.sub(r"\g<name>/<token>", path)
    path = _SEGMENT.sub(lambda found: _segment(path, found), path)
    query = _QUERY.sub(r"\g<name><hidden>", mark + query)
    return path + _LONG_QUERY.sub(r"\g<name><hidden>", query)


def _segment(path: str, found: re.Match[str]) -> str:
    """`<token>` for a part of a path that looks random; words and public hashes are kept."""
    text = found[0]
    if _PUBLIC_HASH.search(path[: found.start()]):
        return text
    parts = re.split(r"[-_]", text)
    looks_random = any(
        len(part) >= 12 and re.search(r"\d", part) and re.search(r"[A-Za-z]", part)
        for part in parts
    )
    return "<token>" if looks_random else text


def for_this_machine(versions: Iterable[str] = ()) -> Redactor:
    """Return a redactor that knows this machine's home, user and host."""
    user = host = ""
    with suppress(Exception):
        user = getpass.getuser()
    with suppress(OSError):
        host = socket.gethostname()
    home = str(Path.home())
    return Redactor(
        home=home, user=user, host=host or os.environ.get("HOSTNAME", ""), versions=versions
    )


def without_password(text: str) -> str:
    """The text with the passwords of its database addresses left out."""
    return re.sub(r"(\w://[^\s:/@]*):[^\s@]+@", r"\1:***@", text)
