"""Version numbers and version ranges as PEP 440 orders them, without the packaging library."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, total_ordering

_PATTERN = re.compile(
    r"v?(?:(?P<epoch>\d+)!)?(?P<release>\d+(?:\.\d+)*)"
    r"(?:[-_.]?(?P<pre>alpha|beta|preview|pre|rc|a|b|c)[-_.]?(?P<pren>\d*))?"
    r"(?P<post>(?:-\d+)|(?:[-_.]?(?:post|rev|r)[-_.]?\d*))?"
    r"(?:[-_.]?(?P<dev>dev)[-_.]?(?P<devn>\d*))?"
    r"(?:\+(?P<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?$",
    re.IGNORECASE,
)
_PRE = {"alpha": "a", "beta": "b", "c": "rc", "pre": "rc", "preview": "rc"}
_CLAUSE = re.compile(r"(===|==|!=|<=|>=|~=|<|>)\s*([^\s,]+)")


@total_ordering
class Version:
    """One version; compares by PEP 440: local labels count only among equals."""

    __slots__ = ("key", "local", "release", "text", "unstable")

    def __init__(self, text: str) -> None:
        found = _PATTERN.match(text.strip())
        if found is None:
            raise ValueError(f"not a version: {text!r}")
        self.text = text.strip()
        self.release = tuple(int(part) for part in found["release"].split("."))
        self.local = (found["local"] or "").lower().replace("-", ".").replace("_", ".")
        trimmed = self.release
        while len(trimmed) > 1 and trimmed[-1] == 0:
            trimmed = trimmed[:-1]
        pre, dev, post = found["pre"], found["dev"], found["post"]
        label = _PRE.get((pre or "").lower(), (pre or "").lower())
        digits = re.sub(r"\D", "", post or "")
        # "z" sorts a final release after its pre-releases, "" a bare dev release before them.
        stage = (label, int(found["pren"] or 0)) if pre else ("" if dev and not post else "z", 0)
        self.unstable = bool(pre or dev)
        self.key = (
            int(found["epoch"] or 0),
            trimmed,
            stage,
            int(digits or 0) if post else -1,
            (0, int(found["devn"] or 0)) if dev else (1, 0),
            tuple(
                (1, int(p), "") if p.isdigit() else (0, 0, p) for p in self.local.split(".") if p
            ),
        )

    @property
    def public(self) -> Version:
        """Return the version without its local label."""
        return parse(self.text.split("+")[0])

    @property
    def minor(self) -> str:
        """Return major and minor number, such as `2.15`."""
        return ".".join(str(part) for part in (*self.release, 0)[:2])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self.key == other.key

    def __lt__(self, other: Version) -> bool:
        return self.key < other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __str__(self) -> str:
        return self.text


@cache
def parse(text: str) -> Version:
    """Return the version in a text. Raises ValueError when there is none."""
    return Version(text)


def try_parse(text: str) -> Version | None:
    """Return the version in a text, None when there is none."""
    try:
        return parse(text)
    except ValueError:
        return None


def version_key(text: str) -> tuple[bool, object]:
    """Return what sorts versions; texts that are no version come first."""
    found = try_parse(text)
    return (True, found) if found else (False, text)


def allows(ranges: str, version: str) -> bool:
    """Return True when `version` lies in `ranges` such as `>=2.5,<3`; pre-releases count.

    A range or a version that cannot be read allows everything: unknown is not different.
    """
    found = try_parse(version)
    if found is None:
        return True
    return all(_holds(found, sign, bound) for sign, bound in _CLAUSE.findall(ranges))


def _holds(version: Version, sign: str, bound: str) -> bool:
    if sign == "===":
        return version.text == bound
    if bound.endswith(".*"):
        prefix = parse(bound[:-2]).release
        padded = version.release + (0,) * (len(prefix) - len(version.release))
        return (padded[: len(prefix)] == prefix) == (sign == "==")
    limit = try_parse(bound)
    if limit is None:
        return True
    mine = version if limit.local and sign in ("==", "!=") else version.public
    if sign == "~=":
        return mine >= limit and mine.release[: len(limit.release) - 1] == limit.release[:-1]
    if sign == "<":
        same = mine.key[1] == limit.key[1] and not limit.unstable
        return mine < limit and not (mine.unstable and same)
    if sign == ">":
        return mine > limit
    results = {"==": mine == limit, "!=": mine != limit, "<=": mine <= limit, ">=": mine >= limit}
    return results[sign]


def can_both_hold(one: str, other: str) -> bool:
    """Return True when some version lies in both ranges, as far as their own bounds can tell."""
    clauses = [*_CLAUSE.findall(one), *_CLAUSE.findall(other)]
    if not clauses:
        return True
    return any(allows(one, text) and allows(other, text) for text in _witnesses(clauses))


def _witnesses(clauses: list[tuple[str, str]]) -> Iterator[str]:
    """Versions at, just above and just below every bound."""
    for _, bound in clauses:
        found = try_parse(bound.removesuffix(".*"))
        if found is None:
            continue
        numbers = list(found.release)
        text = ".".join(map(str, numbers))
        yield from (bound.removesuffix(".*"), f"{text}.1", f"{text}.0.1", f"{text}.999")
        for position in reversed(range(len(numbers))):
            if numbers[position]:
                lower = [*numbers[:position], numbers[position] - 1, 999]
                yield ".".join(map(str, lower))
                yield ".".join(map(str, lower[:-1]))
                break
