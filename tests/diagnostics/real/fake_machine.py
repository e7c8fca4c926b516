"""Breaks real environments on purpose: clones by hard links, fake drivers, namespaces, looks."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diagnostics.dependencies import wanted_by
from diagnostics.gather import gather

ROOT = Path(__file__).parents[3]
PREFIX = Path(sys.prefix)
LOOK_SECONDS = 60


@dataclass(frozen=True)
class Report:
    """What the doctor said, as JSON and as an exit code."""

    data: dict[str, Any]
    code: int

    def root(self, code: str, subject: str = "") -> dict[str, Any]:
        """The one root finding of that code."""
        found = [
            item
            for item in self.data["diagnoses"]
            if item["code"] == code and subject in ("", item["subject"])
        ]
        assert len(found) == 1, f"{code}: {len(found)} findings; there are {self.roots()}"
        return dict(found[0])

    def roots(self, *levels: str) -> list[str]:
        """Codes of root findings of these levels (all when none is named)."""
        return [d["code"] for d in self.data["diagnoses"] if not levels or d["level"] in levels]

    def folded(self, code: str) -> set[str]:
        """Codes that are explained by that finding."""
        return {
            item["code"]
            for d in self.data["diagnoses"]
            if d["code"] == code
            for item in d["consequences"]
        }

    def all_codes(self) -> set[str]:
        """Codes of every finding, folded ones too."""
        return {*self.roots(), *(c for root in self.roots() for c in self.folded(root))}


def look(
    python: Path | None = None,
    *arguments: str,
    cwd: Path | None = None,
    before: str = "",
    limits: str = "",
    **variables: str,
) -> Report:
    """Runs the doctor as a user would; `before` is shell run first in a mount namespace."""
    command = [sys.executable, "-m", "diagnostics", "--json", "--no-redact", *arguments]
    if python is not None:
        command += ["--python", str(python)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    if before or limits:
        quoted = " ".join(f"'{word}'" for word in command)
        script = f"set -e; {before or 'true'}; {limits or 'true'}; exec {quoted}"
        wrapper = ["unshare", "-m", "sh", "-c", script] if before else ["sh", "-c", script]
        command = wrapper
    done = subprocess.run(
        command,
        cwd=cwd or "/",
        env=environment,
        capture_output=True,
        text=True,
        timeout=LOOK_SECONDS,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert done.stdout.startswith("{"), f"exit {done.returncode}: {done.stdout}{done.stderr}"
    report = Report(json.loads(done.stdout), done.returncode)
    assert report.data["exit_code"] == report.code
    return report


def apply(finding: dict[str, Any], number: int = 0, *, cwd: Path | None = None) -> None:
    """Runs the command that the finding prints, exactly as printed."""
    line = finding["fixes"][number]["line"]
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=cwd or "/",
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{line}\n{done.stdout[-1500:]}{done.stderr[-1500:]}"


START = (
    "torch",
    "torchvision",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "tqdm",
    "markupsafe",
    "pip",
    "idna",
)
"""What a clone holds, with all that these depend on."""


class Clone:
    """A copy of this environment by hard links: cheap, and broken without harm to the original."""

    def __init__(self, folder: Path) -> None:
        self.prefix = folder / "venv"
        self.python = self.prefix / "bin" / "python"
        self.python.parent.mkdir(parents=True)
        self.python.symlink_to(os.path.realpath(sys.executable))
        shutil.copy(PREFIX / "pyvenv.cfg", self.prefix)
        source = Path(sysconfig.get_path("purelib"))
        self.site = self.prefix / source.relative_to(PREFIX)
        made: set[Path] = set()
        for info in _closure():
            rows = (Path(info) / "RECORD").read_text().splitlines()
            for row in rows:
                path = row.rsplit(",", 2)[0].strip('"')
                if path.endswith(".pyc") or path.startswith(("../", "/")):
                    continue
                target = self.site / path
                if target.parent not in made:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    made.add(target.parent)
                os.link(source / path, target, follow_symlinks=False)

    def write(self, path: str, content: bytes | str) -> Path:
        """Replaces a file; a new inode, for the old one belongs to the original as well."""
        target = self.site / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_symlink() or target.exists():
            target.unlink()
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        return target

    def edit(self, path: str, old: str, new: str) -> None:
        """Replaces text in a file."""
        text = (self.site / path).read_text()
        assert old in text
        self.write(path, text.replace(old, new))

    def find(self, pattern: str) -> Path:
        """The first file that fits the pattern."""
        found = sorted(self.site.glob(pattern))
        assert found, f"nothing fits {pattern}"
        return found[0]

    def pip(self, *arguments: str) -> None:
        """Runs the clone's pip."""
        subprocess.run(
            [str(self.python), "-m", "pip", "--disable-pip-version-check", *arguments],
            check=True,
            capture_output=True,
            timeout=300,
        )

    def run(self, code: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Runs a line of Python in the clone."""
        return subprocess.run(
            [str(self.python), "-c", code],
            cwd="/",
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1", **variables},
        )

    def look(self, *arguments: str, **options: Any) -> Report:
        """What the doctor of the healthy environment says about the clone."""
        return look(self.python, *arguments, **options)


@functools.cache
def _closure() -> tuple[str, ...]:
    """Metadata folders of the packages of a clone and of all that they ask for."""
    here = gather()
    by_name = {item.name: item for item in here.distributions}
    found: dict[str, str] = {}
    queue = [(name, "") for name in START]
    seen: set[tuple[str, str]] = set()
    while queue:
        name, extra = queue.pop()
        if (name, extra) in seen or name not in by_name:
            continue
        seen.add((name, extra))
        found[name] = by_name[name].directory
        for wanted in wanted_by(by_name[name], extra, here):
            queue += [(wanted.name, item) for item in ("", *wanted.extras)]
    return tuple(found.values())


def wheel(
    folder: Path, name: str, version: str, files: dict[str, bytes], requires: str = ""
) -> Path:
    """A small wheel with these files, as an index would serve it."""
    stem = name.replace("-", "_")
    info = f"{stem}-{version}.dist-info"
    needs = f"Requires-Dist: {requires}\n" if requires else ""
    content = dict(files)
    content[f"{info}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}\n".encode()
    )
    content[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    rows = []
    for path, data in content.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(data)}\n")
    content[f"{info}/RECORD"] = "".join([*rows, f"{info}/RECORD,,\n"]).encode()
    path = folder / f"{stem}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name_, data in content.items():
            archive.writestr(name_, data)
    return path


def compile_library(target: Path, source: str, *flags: str) -> Path:
    """Builds a shared library with gcc."""
    target.parent.mkdir(parents=True, exist_ok=True)
    code = target.parent / (target.name + ".c")
    code.write_text(source)
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-o", str(target), str(code), *flags],
        check=True,
        capture_output=True,
    )
    return target
