"""Reads an install command: pip, uv, or conda."""

from __future__ import annotations

import re
import shlex

from diagnostics.lint.plan import Plan, Wish, wish

INDEX_OPTIONS = frozenset(
    {"-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--index"}
)
VALUE_OPTIONS = frozenset(
    {"-t", "--target", "--python", "-p", "--python-version", "--platform", "--prefix", "--root"}
    | {"--cache-dir", "--proxy", "--timeout", "--retries", "--trusted-host", "--only-binary"}
    | {"--no-binary", "--progress-bar", "--upgrade-strategy", "--abi", "--implementation", "-n"}
    | {"--name", "--log", "--report", "--src", "--config-settings", "-C", "--torch-backend"}
    | {"--index-strategy", "--group", "--extra", "-e", "--editable"}
)
FILE_OPTIONS = frozenset({"-r", "--requirement", "--requirements"})
CONSTRAINT_OPTIONS = frozenset({"-c", "--constraint", "--constraints", "--override"})

_COMMAND = re.compile(
    r"(?:\S*/)?(?:pip[\d.]*|uv|conda|mamba|micromamba|poetry|python[\d.]*)\b.*\b(?:install|add|sync)\b"
)
_CONDA_PIN = re.compile(r"([\w.-]+)\s*(={1,2}|>=|<=|<|>)\s*([\w.*]+)(?:=[\w*]+)?")
_CONDA_NAMES = {"pytorch": "torch"}


class NotACommand(ValueError):
    """The text is no install command and no requirement."""


def looks_like_command(text: str) -> bool:
    """True for `pip install ...` and its relatives, also after `!`, `%`, `sudo` or `RUN`."""
    return _COMMAND.match(_bare(text)) is not None


def read(text: str) -> tuple[Plan, tuple[str, ...]]:
    """The plan of a command or of bare requirements, and the requirement files it names.

    Raises NotACommand when a word is no requirement, or when quotes do not match.
    """
    try:
        words = shlex.split(_bare(text).replace("\\\n", " "), comments=True)
    except ValueError as error:
        raise NotACommand(f"the quotes in the command do not match: {error}") from None
    start = _start(words)
    installer = (
        "conda" if (words and "conda" in words[0]) or "mamba" in (words or [""])[0] else "pip"
    )
    installer = "uv" if words and words[0].endswith("uv") and start else installer
    wishes: list[Wish] = []
    indexes: list[str] = []
    channels: list[str] = []
    files: list[str] = []
    rest = iter(words[start:])
    for word in rest:
        if word in ("&&", ";", "||", "|"):
            break
        option, has_value, value = word.partition("=")
        if not word.startswith("-"):
            wishes.append(_wish(word, installer))
            continue
        takes = {*INDEX_OPTIONS, *VALUE_OPTIONS, *FILE_OPTIONS, *CONSTRAINT_OPTIONS, "--channel"}
        given = value if has_value else next(rest, "") if option in takes else ""
        if installer == "conda" and option in ("-c", "--channel"):
            channels.append(given)
        elif option in INDEX_OPTIONS:
            indexes.append(given)
        elif option in FILE_OPTIONS:
            files.append(given)
    if not wishes and not files:
        raise NotACommand("there is no requirement in it")
    plan = Plan(
        wishes=tuple(wishes),
        source="command",
        indexes=tuple(indexes),
        installer=installer,
        channels=tuple(channels),
        is_command=True,
        words=tuple(words),
    )
    return plan, tuple(files)


def _bare(text: str) -> str:
    bare = re.sub(r"^\s*(?:[!%$]|>>>)\s*", "", text.strip())
    return re.sub(r"^(?:RUN|sudo|-\s+run:|run:)\s+(?:-\w\s+)*", "", bare)


def _start(words: list[str]) -> int:
    """Where the arguments begin: after `install` or `add`, or at once for bare requirements."""
    if not words or not looks_like_command(shlex.join(words)):
        return 0
    places = [words.index(verb) for verb in ("install", "add", "sync") if verb in words]
    return min(places) + 1


def _wish(word: str, installer: str) -> Wish:
    if installer == "conda":
        found = _CONDA_PIN.fullmatch(word)
        name = (found[1] if found else word).rpartition("::")[2].lower()
        sign = "==" if found and found[2] == "=" else found[2] if found else ""
        version = found[3] if found else ""
        # conda's single `=` means a prefix.
        loose = found is not None and found[2] == "=" and version.count(".") < 2
        ranges = f"{sign}{version}{'.*' if loose and '*' not in version else ''}"
        return Wish(name=_CONDA_NAMES.get(name, name), ranges=ranges, text=word)
    if re.search(r"^\.{0,2}/|\.whl$|^git\+|^https?://|^file:", word) or word == ".":
        return Wish(name="", text=word)
    found_wish = wish(word)
    if found_wish is None:
        raise NotACommand(f"{word!r} is no requirement (expected a name and a version, name==1.2)")
    return found_wish
