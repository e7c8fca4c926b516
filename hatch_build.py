"""The wheel's build hook: everything that is installed lies under one import name, `vitals`.

A checkout has the packages `suite`, `bench` and `diagnostics` side by side. Names that general would collide with a
user's own, so the wheel has them as `vitals.suite`, `vitals.bench` and `vitals.diagnostics`: imports, references in
strings (`"suite.stages.build:run"`, `-m suite.worker.launcher`) and the commands that messages advise are rewritten
while the wheel is built. An editable install leaves the checkout as it is.
"""

from __future__ import annotations

import ast
import io
import re
import shutil
import sys
import tempfile
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NAME: Final = "vitals"
PACKAGES: Final = ("bench", "diagnostics", "suite")
ANY: Final = "|".join(PACKAGES)

LEFT_OUT: Final = (
    "bench/docs_page.py",
    "suite/docs_page.py",
    "diagnostics/explain/docs_page.py",
    "diagnostics/pytest_plugin.py",
    "diagnostics/test_environment.py",
)
"""Files that only a checkout needs: they write its docs and are its `pytest diagnostics`."""

KINDS: Final = (".py", ".j2", ".css", ".js", ".svg", ".json", ".ini", ".typed")
"""Endings of the files that are installed; another one comes in here, and with its licence into the tests."""

COMMANDS: Final = (
    (re.compile(r"(?<![\w/])python -m (?:bench|suite)\b(?!\.)"), NAME),
    (re.compile(r"(?<![\w/])python -m diagnostics\b(?!\.)"), f"{NAME} doctor"),
    (re.compile(r"-m diagnostics\b(?!\.)"), f"-m {NAME} doctor"),
    (re.compile(r"\bpytest (bench|suite)\b"), rf"{NAME} \1"),
    (re.compile(r"\bfrom suite\.spec import\b"), f"from {NAME}.spec import"),
)
"""What messages advise in a checkout -> the same for who has installed the wheel."""


MENTION: Final = re.compile(rf"\b(?:{ANY})\b")


class BuildError(SystemExit):
    """A source that cannot be rewritten; the message names its line."""


def rewrite(source: str, file: str, modules: dict[str, frozenset[str]]) -> str:
    """Return the source with its packages under `vitals`.

    `modules`: package -> names of what lies in it; only `suite.axes` with such a name is a reference, not `suite.now`.
    Raises BuildError for an import that would bind a package's bare name, and if the result still imports one.
    """
    lines = io.StringIO(source).readlines()
    edits = [*_imports(ast.parse(source), file)]
    if len(MENTION.findall(source)) > len(
        edits
    ):  # others only import; splitting into tokens is slow
        edits += _strings(source, modules)
    for line, start, end, text in sorted(edits, reverse=True):
        lines[line - 1] = lines[line - 1][:start] + text + lines[line - 1][end:]
    result = "".join(lines)
    for node in ast.walk(compile(result, file, "exec", ast.PyCF_ONLY_AST)):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
        if bare := [name for name in names if name.partition(".")[0] in PACKAGES]:
            raise BuildError(f"{file}: still imports {bare[0]} after rewriting")
    return result


Edit = tuple[int, int, int, str]
"""Line from 1, first and last column in characters, replacement."""


def _imports(tree: ast.AST, file: str) -> Iterator[Edit]:
    """Yield `from suite.x import y` with the new name; the columns of `import` statements are in ASCII lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] in PACKAGES:
                    raise BuildError(
                        f"{file}:{node.lineno}: `import {alias.name}` binds a bare name;"
                        f" write `from {alias.name.rpartition('.')[0] or alias.name} import ...`"
                    )
        elif isinstance(node, ast.ImportFrom) and _is_ours(node):
            start = node.col_offset + len("from ")
            yield node.lineno, start, start, f"{NAME}."


def _is_ours(node: ast.ImportFrom) -> bool:
    return not node.level and (node.module or "").partition(".")[0] in PACKAGES


def _strings(source: str, modules: dict[str, frozenset[str]]) -> Iterator[Edit]:
    """Yield string literals whose text names a module or a command of a checkout, line by line."""
    lines = io.StringIO(source).readlines()
    literal = (tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING))  # since 3.12
    before = ["", ""]
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        (first, start), (last, end) = token.start, token.end
        argument = before == ['"-m"', ","] and token.string == '"diagnostics"'
        for number in range(first, last + 1) if token.type in literal else ():
            begin = start if number == first else 0
            stop = end if number == last else sys.maxsize
            text = lines[number - 1][begin:stop]
            new = f'"{NAME}", "doctor"' if argument else in_text(text, modules)
            if new != text:
                yield number, begin, stop, new
        before = [before[1], token.string]


def in_text(text: str, modules: dict[str, frozenset[str]]) -> str:
    """Return the text with commands and dotted module names as they are in the wheel."""
    for pattern, replacement in COMMANDS:
        text = pattern.sub(replacement, text)

    def named(found: re.Match[str]) -> str:
        known = found[2] in modules[found[1]] or found[2] == "{"
        return f"{NAME}.{found[0]}" if known else found[0]

    if re.fullmatch(rf"[\"']({ANY})\.[\"']", text):  # the beginning of a name, for startswith
        return f"{text[0]}{NAME}.{text[1:]}"
    return re.sub(rf"(?<![\w./-])({ANY})\.(\w+|\{{)", named, text)


def is_needed(name: Path) -> bool:
    """Return whether the file is a part of the packages, and not what an editor or a run has left beside them."""
    is_hidden = any(part.startswith(".") or part == "__pycache__" for part in name.parts)
    is_known = name.suffix in KINDS or name.name.endswith("LICENSE")
    return is_known and not is_hidden and name.as_posix() not in LEFT_OUT


def contents(root: Path) -> Iterator[tuple[Path, Path]]:
    """Yield file, and its place in the wheel, of everything that is installed, in a fixed order."""
    for package in (NAME, *PACKAGES):
        inside = Path() if package == NAME else Path(NAME)
        for path in sorted((root / package).rglob("*")):
            name = path.relative_to(root)
            if path.is_file() and is_needed(name):
                yield path, inside / name


def assemble(root: Path, target: Path) -> None:
    """Write the package `vitals` into `target`, from the checkout at `root`."""
    modules = {
        package: frozenset(
            path.stem
            for path in (root / package).iterdir()
            if path.suffix == ".py" or path.is_dir()
        )
        for package in PACKAGES
    }
    for path, place in contents(root):
        made = target / place
        made.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".py":
            text = path.read_text(encoding="utf-8")
            made.write_text(rewrite(text, str(path.relative_to(root)), modules), encoding="utf-8")
        elif path.suffix == ".j2":
            text = path.read_text(encoding="utf-8")
            made.write_text(in_text(text, modules), encoding="utf-8")
        else:
            shutil.copyfile(path, made)


class VitalsHook(BuildHookInterface[Any]):
    """Places the rewritten packages into the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Assemble the package in a temporary folder; an editable install needs none."""
        self.folder = None
        if self.target_name == "wheel" and version != "editable":
            self.folder = tempfile.mkdtemp(prefix="vitals-wheel-")
            assemble(Path(self.root), Path(self.folder))
            build_data["force_include"][str(Path(self.folder, NAME))] = NAME

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the temporary folder."""
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
