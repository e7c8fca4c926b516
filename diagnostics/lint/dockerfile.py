"""Reads a Dockerfile: its base image, the install commands of its RUN lines, and the driver it needs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from diagnostics.finding import Level
from diagnostics.lint import command
from diagnostics.lint.dependency_rules import torch_variant
from diagnostics.lint.plan import CONDA, FAMILY, Plan, Problem, Reading, Wish, candidates
from diagnostics.tables import torch_releases as table
from diagnostics.tables.drivers import cuda_of_variant, floor_of
from diagnostics.tables.torch_releases import Python

FileReader = Callable[[Path], Reading]

DISTRIBUTIONS: tuple[tuple[str, Python], ...] = (
    ("ubuntu20.04", (3, 8)),
    ("ubuntu22.04", (3, 10)),
    ("ubuntu24.04", (3, 12)),
    ("ubuntu:20.04", (3, 8)),
    ("ubuntu:focal", (3, 8)),
    ("ubuntu:22.04", (3, 10)),
    ("ubuntu:jammy", (3, 10)),
    ("ubuntu:24.04", (3, 12)),
    ("ubuntu:noble", (3, 12)),
    ("debian:11", (3, 9)),
    ("debian:bullseye", (3, 9)),
    ("debian:12", (3, 11)),
    ("debian:bookworm", (3, 11)),
    ("debian:13", (3, 13)),
    ("debian:trixie", (3, 13)),
)
"""Part of an image's name -> the `python3` of that distribution."""

_INSTRUCTION = re.compile(r"\s*([A-Za-z]+)\s+(.*)", re.DOTALL)
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::?([-+])([^}]*))?\}|(\w+))")
_HEREDOC = re.compile(r"<<-?\s*['\"]?(\w+)['\"]?")


@dataclass(slots=True, kw_only=True)
class _Stage:
    """What one FROM began."""

    image: str
    number: int
    """The line of its FROM."""
    variables: dict[str, str] = field(default_factory=dict)
    python: Python | None = None
    present: tuple[Wish, ...] = ()


def is_dockerfile(name: str) -> bool:
    """Return True for the usual names: Dockerfile, Dockerfile.gpu, gpu.dockerfile, Containerfile."""
    return bool(re.fullmatch(r"(?:dockerfile|containerfile)(?:\..+)?|.+\.(?:dockerfile)", name))


def read_dockerfile(path: Path, read_file: FileReader) -> Reading:
    """Return the plans of every stage's install commands, with the base image's Python and torch.

    Variables of ARG and ENV are put in; one without a value is noted in `not_read` where an install
    command uses it.
    """
    reading = Reading()
    stages: dict[str, _Stage] = {}
    arguments: dict[str, str] = {}
    stage: _Stage | None = None
    for number, text in _instructions(path.read_text("utf-8", "replace")):
        found = _INSTRUCTION.match(text)
        if found is None:
            reading.not_read.append(f"{path}:{number}: {text.strip()!r}")
            continue
        name, rest = found[1].upper(), found[2].strip()
        known = arguments if stage is None else stage.variables
        if name == "ARG":
            key, has_value, value = rest.partition("=")
            if has_value:
                known[key.strip()] = _filled(value.strip().strip("'\""), known)[0]
            elif stage is not None and key.strip() in arguments:
                known[key.strip()] = arguments[key.strip()]
        elif name == "ENV":
            known.update(_environment(rest, known))
        elif name == "FROM":
            stage = _stage(rest, number, arguments, stages)
            reading.notes += _base_problems(stage, path)
        elif name == "RUN" and stage is not None:
            _run(rest, number, stage, path, read_file, reading)
    return reading


def _instructions(text: str) -> Iterator[tuple[int, str]]:
    """Yield (first line's number, instruction) with continuations and here-documents joined."""
    escape = re.search(r"^#\s*escape\s*=\s*(\S)", text, re.IGNORECASE)
    mark = escape[1] if escape else "\\"
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        start, whole = at + 1, ""
        while at < len(lines):
            line = lines[at]
            at += 1
            if line.lstrip().startswith("#") or (whole and not line.strip()):
                continue
            if line.rstrip().endswith(mark):
                whole += line.rstrip()[:-1] + " "
                continue
            whole += line
            break
        document = _HEREDOC.search(whole) if whole.lstrip()[:3].upper() == "RUN" else None
        if document:
            body = []
            while at < len(lines) and lines[at].strip() != document[1]:
                body.append(lines[at])
                at += 1
            at += 1
            whole = "RUN " + " ; ".join(line for line in body if line.strip())
        if whole.strip():
            yield start, whole


def _filled(text: str, variables: dict[str, str]) -> tuple[str, list[str]]:
    """Return the text with its variables put in, and the names of those without a value."""
    missing: list[str] = []

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[4]
        if name in variables:
            return found[3] if found[2] == "+" else variables[name]
        if found[2] == "-":
            return found[3]
        if found[2] != "+":
            missing.append(name)
            return found[0]
        return ""

    return _VARIABLE.sub(value, text), missing


def _environment(text: str, variables: dict[str, str]) -> dict[str, str]:
    try:
        words = shlex.split(text)
    except ValueError:
        return {}
    if words and "=" not in words[0]:
        return {words[0]: _filled(" ".join(words[1:]), variables)[0]}
    pairs = (word.partition("=") for word in words)
    return {key: _filled(value, variables)[0] for key, _, value in pairs}


def _stage(text: str, number: int, arguments: dict[str, str], stages: dict[str, _Stage]) -> _Stage:
    words = [w for w in _filled(text, arguments)[0].split() if not w.startswith("--")]
    image = words[0] if words else ""
    parent = stages.get(image.lower())
    stage = _Stage(image=parent.image if parent else image, number=number)
    if parent is not None:
        stage.variables = dict(parent.variables)
        stage.python, stage.present = parent.python, parent.present
    else:
        stage.python = _python_of(image)
        stage.present = _present_in(image)
    if len(words) > 2 and words[1].lower() == "as":
        stages[words[2].lower()] = stage
    else:
        stages[f"line {number}"] = stage
    return stage


def _python_of(image: str) -> Python | None:
    """Return the Python of an image where its name shows it."""
    found = re.search(r"(?:^|/)python:(\d)\.(\d+)", image)
    found = found or re.search(r"(?:^|[-_.:])(?:py|python)(\d)\.?(\d+)(?:$|[-_.])", image)
    if found:
        return int(found[1]), int(found[2])
    return next((python for part, python in DISTRIBUTIONS if part in image), None)


def _present_in(image: str) -> tuple[Wish, ...]:
    """Return the torch that an image of the PyTorch project brings."""
    found = re.search(r"(?:^|/)pytorch/pytorch:(\d+\.\d+\.\d+)", image)
    if found is None:
        return ()
    return (Wish(name="torch", ranges=f"=={found[1]}", text=f"torch {found[1]} of {image}"),)


def cuda_of_image(image: str) -> str:
    """Return the CUDA version in an image's name, such as `12.4`; empty where it shows none."""
    found = re.search(r"(?:^|/)cuda:(\d+\.\d+)", image)
    found = found or re.search(r"cuda-?(\d+\.\d+)", image)
    return found[1] if found else ""


def _base_problems(stage: _Stage, path: Path) -> list[Problem]:
    where = (Wish(name="", text=f"FROM {stage.image}", where=f"{path}:{stage.number}"),)
    cuda = cuda_of_image(stage.image)
    found = []
    if cuda and floor_of(cuda):
        found.append(
            Problem(
                code="image-needs-driver",
                level=Level.INFO,
                summary=f"The base image needs an NVIDIA driver >= {floor_of(cuda)} on the host.",
                cause=f"It brings CUDA {cuda}; the driver is the host's, not the image's.",
                wishes=where,
            )
        )
    return found


def _run(
    text: str,
    number: int,
    stage: _Stage,
    path: Path,
    read_file: FileReader,
    reading: Reading,
) -> None:
    text = re.sub(r"^(?:--\w+(?:=\S+)?\s+)+", "", text)
    if text.startswith("["):
        text = " ".join(re.findall(r'"((?:[^"\\]|\\.)*)"', text))
    shell = re.match(r"(?:\S*/)?(?:ba|z|da)?sh\s+(?:-\w+\s+)*['\"](.*)['\"]\s*$", text, re.DOTALL)
    text = shell[1] if shell else text
    for part in re.split(r"&&|\|\||;|\n", text):
        filled, missing = _filled(part, stage.variables)
        if not command.looks_like_command(filled):
            continue
        where = f"{path}:{number}"
        if missing:
            reading.not_read.append(f"{where}: ${missing[0]} has no value in this file")
            continue
        try:
            found = command.read(_with_variables(filled, stage.variables), read_file, path.parent)
        except command.NotACommand as error:
            reading.not_read.append(f"{where}: {filled.strip()}: {error}")
            continue
        reading.not_read += [f"{where}: {reason}" for reason in found.not_read]
        for plan in found.plans:
            placed = tuple(replace(item, where=item.where or where) for item in plan.wishes)
            plan = replace(
                plan,
                wishes=placed,
                source=where,
                is_command=False,
                python=plan.python or stage.python,
                present=stage.present,
            )
            reading.plans.append(plan)
            reading.notes += _torch_driver(plan)
            if "alpine" in stage.image:
                reading.notes += _musl(plan, stage)
            reading.notes += _own_torch_replaced(plan, stage)
            stage.present = command.installed_after(stage.present, [plan])


def _own_torch_replaced(plan: Plan, stage: _Stage) -> list[Problem]:
    """Return that a package takes the place of a torch that the image's maker built."""
    family = tuple(item for item in plan.wishes if item.name in FAMILY)
    if not family or not re.search(r"nvcr\.io/nvidia/pytorch|(?:^|/)rocm/pytorch", stage.image):
        return []
    return [
        Problem(
            code="torch-replaced",
            level=Level.WARN,
            summary=f"{family[0].text} replaces the torch that {stage.image} was made with.",
            cause="That build is not on any index; torchvision and torchaudio pin another one. "
            "The image has its own torchvision: leave the line out.",
            wishes=family,
        )
    ]


def _torch_driver(plan: Plan) -> list[Problem]:
    """Return the driver that the torch of an install command needs, and where it comes from."""
    torch = plan.wish("torch")
    if torch is None or plan.installer in CONDA:
        return []
    variant = torch_variant(plan, torch)
    allowed = candidates(torch)
    row = table.release(allowed[-1]) if allowed else None
    variant = variant or (row.default if row else "")
    cuda = cuda_of_variant(variant)
    floor = floor_of(f"{cuda[0]}.{cuda[1]}") if cuda else None
    if cuda is None or floor is None:
        return []
    source = next(iter((*plan.indexes, *plan.pages)), "the package index")
    return [
        Problem(
            code="image-needs-driver",
            level=Level.INFO,
            summary=f"torch from {source} needs an NVIDIA driver >= {floor} on the host.",
            cause=f"It is the build for CUDA {cuda[0]}.{cuda[1]} ({variant}) and brings the CUDA "
            "libraries with it; without a driver it runs on the CPU.",
            wishes=(torch,),
        )
    ]


def _with_variables(text: str, variables: dict[str, str]) -> str:
    """Return the command with those variables before it that installers read."""
    wanted = [
        f"{name}={shlex.quote(value)}"
        for name, value in variables.items()
        if re.match(r"(?:PIP|UV)_", name)
    ]
    return " ".join([*wanted, text.strip()])


def _musl(plan: Plan, stage: _Stage) -> list[Problem]:
    torch = plan.wish("torch") or plan.wish("torchvision")
    if torch is None:
        return []
    return [
        Problem(
            code="no-wheel-for-musl",
            level=Level.ERROR,
            summary=f"There are no wheels of {torch.name} for Alpine Linux.",
            cause=f"{stage.image} has musl for a C library; the wheels need glibc. "
            "An image on Debian, such as python:3.12-slim, has it.",
            wishes=(torch,),
        )
    ]
