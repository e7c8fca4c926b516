"""Describes an error that no row knows: exception, package, the user's own frame, nearest rows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from diagnostics.explain.known.catalog import ROWS
from diagnostics.explain.known.distributions import distribution_of
from diagnostics.explain.row import Row
from diagnostics.finding import Evidence, Finding, Fix, Level, Safety

CODE = "unknown-error"
"""Code of the finding for an error that no row knows."""
MAX_NEAREST = 3
"""How many rows with similar words are named."""
MAX_MESSAGE = 240
"""Characters of the exception's message that are shown."""
WINDOW = 3000
"""Characters after the exception line that still belong to the error."""

_FRAME = re.compile(
    r'^(?P<prefix>[^\n]{0,160}?)(?:  )?File "(?P<path>[^"\n]{1,400})", line (?P<line>\d{1,7})'
    r"(?:,? in (?P<name>[^\n]{1,120}))?"
    r"|^[^\n]{0,160}?File (?P<path2>[^\s\":][^\n\":]{0,300}(?::[\\/][^\n\":]{0,300})?):"
    r"(?P<line2>\d{1,7})(?:, in (?P<name2>[\w.<>]{1,120}))?"
    r"|^[^\n]{0,160}?(?P<path3>Cell In\s?\[\d+\]), line (?P<line3>\d{1,7})",
    re.MULTILINE,
)
_NAME = r"(?:[A-Za-z_]\w{0,80}\.){0,12}[A-Za-z_]\w{0,80}"
_EXCEPTION = re.compile(rf"(?P<type>{_NAME})(?:: (?P<message>[^\n]*))?$")
_BARE = re.compile(
    r"^(?:\[rank\d+\]: ?|E {1,12}|[^\n]{0,120}?\b(?:ERROR|CRITICAL|stderr F)\b[^\n]{0,60}? )?"
    r"(?P<type>(?:[A-Za-z_]\w{0,80}\.){0,12}(?:_?[A-Z]\w{0,80}(?:Error|Exception)|"
    r"(?:exc|errors?|_?exceptions?|\w{0,40}pybind11_state)\.[A-Z]\w{0,80})): (?P<message>[^\n]+)",
    re.MULTILINE,
)
_INSTALLER = re.compile(
    r"^(?P<type>error|ERROR|  ×|×)(?::| (?=[A-Z])) ?(?P<message>[A-Z`][^\n]+)(?P<causes>(?:\n\s+Caused by: [^\n]+)*)",
    re.MULTILINE,
)
"""The last word of pip (`ERROR: `) and of uv and cargo (`error: `, with its causes below)."""
_PACKAGE = re.compile(r"(?:site|dist)-packages[\\/](?P<name>\w+)")
_STANDARD = re.compile(
    r"[\\/]lib(?:64)?[\\/]python\d[\d.]*[\\/](?!(?:site|dist)-packages)"
    r"|[\\/](?:python[\d.]*|\w*conda\d*|envs[\\/][^\\/]+)[\\/]Lib[\\/](?!site-packages)"
    r"|^<frozen |^<string>$|^<__array_function__",
    re.IGNORECASE,
)
_REMOTE_CODE = re.compile(r"[\\/]modules[\\/]transformers_modules[\\/]")
_WORD = re.compile(r"[A-Za-z]{3,}")
_GROUP_NAME = re.compile(r"\(\?P<\w+>|\(\?:|\\[a-zA-Z]")
_COMMON = frozenset(
    [
        "the",
        "and",
        "for",
        "with",
        "was",
        "not",
        "has",
        "but",
        "are",
        "this",
        "that",
        "from",
        "you",
        "can",
        "must",
        "its",
        "into",
        "have",
        "been",
        "error",
        "exception",
        "got",
        "expected",
        "file",
        "line",
        "use",
        "used",
        "more",
        "than",
        "none",
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One line of a traceback."""

    path: str
    line: str
    name: str
    """The function; empty where the traceback does not tell."""
    start: int
    """Position in the text."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" + (f", in {self.name}" if self.name else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """The last exception of a text with the frames of its traceback, outermost first."""

    type: str
    message: str
    frames: tuple[Frame, ...]
    start: int
    """Where the traceback begins, or the exception's line where there is none."""
    position: int
    """Where the exception's own line begins."""


def last_raised(text: str) -> Raised | None:
    """The last exception that the text shows, or None."""
    frames = [_frame(match) for match in _FRAME.finditer(text)]
    bare = next(reversed([*_BARE.finditer(text)]), None)
    if frames:
        found = _after(text, frames)
        if found is not None and (bare is None or bare.start() <= found.position + WINDOW):
            return found
    if bare is None:
        return _from_installer(text)
    position = text.index(bare["type"], bare.start())
    # pytest shows the frames of a failure as `path:line: Type` below the exception.
    return Raised(
        type=bare["type"],
        message=bare["message"].strip(),
        frames=tuple(frame for frame in frames if bare.start() - WINDOW < frame.start),
        start=bare.start(),
        position=position,
    )


def _from_installer(text: str) -> Raised | None:
    """The error line of an installer or a build tool, with the innermost of its causes."""
    found = next(reversed([*_INSTALLER.finditer(text)]), None)
    if found is None or len(text) - found.end() > WINDOW:
        return None  # a log that went on was not ended by it
    innermost = found["causes"].rpartition("Caused by: ")[2].strip()
    message = f"{found['message'].strip()}: {innermost}" if innermost else found["message"].strip()
    return Raised(
        type="error", message=message, frames=(), start=found.start(), position=found.start()
    )


def unknown(text: str, raised: Raised, source: str, python: str) -> Finding:
    """A finding that names what can be told about an exception that no row explains.

    `source` names the exception's place in the text.
    """
    package = _package(raised)
    name = distribution_of(package) if package else ""
    version = _version(text, {package, name} - {""}) if package else ""
    frame = _own_frame(raised.frames)
    kind = raised.type.rpartition(".")[2]
    if kind == "error":
        kind = "The installer's error"
    where = f" in {name} {version}".rstrip() if name else ""
    message = f": {raised.message[:MAX_MESSAGE]}" if raised.message else ""
    evidence = [Evidence(source=source, value=f"{raised.type}{message}")]
    if frame is not None:
        evidence.append(Evidence(source="innermost frame of your code", value=str(frame)))
    if raised.frames and raised.frames[-1] != frame:
        evidence.append(Evidence(source="raised at", value=str(raised.frames[-1])))
    evidence += [
        Evidence(source="similar known message", value=f"{row.code}: {row.summary}")
        for row in nearest(f"{kind} {raised.message}")
    ]
    return Finding(
        code=CODE,
        area="unknown",
        level=Level.ERROR,
        subject=name,
        summary=f"{kind}{where} is not a known message{message}",
        cause=_cause(frame, raised, name),
        evidence=tuple(evidence),
        fixes=_next_steps(name, version, python),
    )


def nearest(message: str) -> list[Row]:
    """Up to `MAX_NEAREST` rows that share at least two words with the message, best first."""
    words = _words(message)
    weights = _weights()
    scored = []
    for row, known in zip(ROWS, _row_words(), strict=True):
        shared = words & known
        if len(shared) >= 2:
            # Rare words count more; long rows do not win by their length.
            score = sum(weights[word] for word in shared) / (6 + len(known)) ** 0.5
            scored.append((-round(score, 9), row.code, row))
    return [row for _, _, row in sorted(scored, key=lambda item: item[:2])[:MAX_NEAREST]]


def _frame(match: re.Match[str]) -> Frame:
    return Frame(
        path=match["path"] or match["path2"] or match["path3"],
        line=match["line"] or match["line2"] or match["line3"],
        name=(match["name"] or match["name2"] or "").strip(),
        start=match.start(),
    )


def _after(text: str, frames: Sequence[Frame]) -> Raised | None:
    """The exception line that follows the last frame, with the frames of that traceback."""
    last = frames[-1]
    head = text.rfind("Traceback (most recent call", 0, last.start)
    own = tuple(frame for frame in frames if frame.start > head) or tuple(frames)
    match = _FRAME.match(text, last.start)
    # A log's prefix (time, rank, process) has the same length on every line of a traceback.
    width = len(match["prefix"] or "") if match else 0
    position = text.find("\n", last.start) + 1
    limit = position + WINDOW
    while 0 < position < min(len(text), limit):
        end = text.find("\n", position)
        end = len(text) if end < 0 else end
        for skip in dict.fromkeys((width, 0)):
            content = text[position + skip : end]
            found = _EXCEPTION.match(content.rstrip())
            if found is not None and _is_exception(found):
                return Raised(
                    type=found["type"],
                    message=(found["message"] or "").strip(),
                    frames=own,
                    start=own[0].start,
                    position=position + skip,
                )
        position = end + 1
    return None


def _is_exception(match: re.Match[str]) -> bool:
    """Tell an exception's name from a word that ends a line."""
    kind = match["type"].rpartition(".")[2]
    named = kind.endswith(("Error", "Exception", "Interrupt", "Exit", "Failure", "Unsupported"))
    return named or (kind[:1].isupper() and match["message"] is not None)


def _package(raised: Raised) -> str:
    """The import name of the package that raised, or an empty string."""
    for frame in reversed(raised.frames):
        if _STANDARD.search(frame.path):
            continue
        match = _PACKAGE.search(frame.path)
        if match is not None:
            return match["name"]
        break
    root, dot, _ = raised.type.partition(".")
    return root if dot and root not in {"builtins", "subprocess", "concurrent", "json"} else ""


def _version(text: str, names: set[str]) -> str:
    """The version that the text gives for one of the names, or an empty string."""
    either = "|".join(re.escape(name).replace("_", "[-_]") for name in sorted(names))
    match = re.search(
        rf"(?i)(?<![\w.-])(?:{either})(?:==|-| {{1,40}}(?:version )?v?|: ?|=)"
        r"(?P<version>\d+\.\d+[\w.+]*)",
        text,
    )
    return match["version"].rstrip(".").removesuffix(".dist") if match else ""


def _own_frame(frames: Sequence[Frame]) -> Frame | None:
    outside = [
        frame
        for frame in frames
        if not _PACKAGE.search(frame.path) and not _STANDARD.search(frame.path)
    ]
    own = [frame for frame in outside if not _REMOTE_CODE.search(frame.path)]
    best = own or outside
    return best[-1] if best else None


def _cause(frame: Frame | None, raised: Raised, name: str) -> str:
    if frame is not None:
        return f"The call from your code that led to it: {frame}."
    if raised.frames:
        return f"All frames of the traceback are in {name or 'the standard library'}."
    if raised.type == "error":
        return (
            "The line is an installer's or a build tool's last word; lines above it may say more."
        )
    return "The text shows the exception without its traceback."


def _next_steps(name: str, version: str, python: str) -> tuple[Fix, ...]:
    search = Fix(
        argv=(),
        shell=f"search the issues of {name or 'the package that raises it'} for this message",
        why="finds whether it is a known fault of this version",
        safety=Safety.MANUAL,
    )
    doctor = Fix(argv=(python, "-m", "diagnostics"), why="checks the installation as a whole")
    if not name or version:
        return (doctor, search)
    show = Fix(argv=(python, "-m", "pip", "show", name), why=f"tells the version of {name}")
    return (show, doctor, search)


def _words(text: str) -> frozenset[str]:
    return frozenset(word.lower() for word in _WORD.findall(text)) - _COMMON


@cache
def _row_words() -> tuple[frozenset[str], ...]:
    return tuple(
        _words(" ".join((row.code, row.summary, *(_GROUP_NAME.sub(" ", p) for p in row.patterns))))
        for row in ROWS
    )


@cache
def _weights() -> dict[str, float]:
    counts = Counter(word for words in _row_words() for word in words)
    return {word: 1 / count for word, count in counts.items()}
