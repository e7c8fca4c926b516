"""What an install command or a file asks for, as data."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from diagnostics.finding import Level
from diagnostics.requirement import normalise, parse_requirement
from diagnostics.tables.torch_releases import Python, versions
from diagnostics.tables.version import numbers, release_of, variant_of
from diagnostics.version import allows

FAMILY = ("torch", "torchvision", "torchaudio")

CONDA = ("conda", "pixi")
"""Installers whose packages are not the wheels of the package index."""

PYTORCH_INDEX = "https://download.pytorch.org/whl/"

_EXACT = re.compile(r"\s*===?\s*([^\s,*]+)\s*")
_VARIANT = re.compile(r"pytorch\.org/whl/(?:(nightly|test)/)?(cu\d{2,4}|cpu|rocm[\d.]+|xpu)(?=/|$)")
_RANGES = re.compile(r"(\s*(===|[=!<>~]=|<|>)[^,]*,?)*\s*")
_WHEEL = re.compile(
    r"(?P<name>[A-Za-z0-9._]+)-(?P<version>[^-]+)(?:-\d[^-]*)?-(?P<python>[^-]+)-(?P<abi>[^-]+)"
    r"-(?P<platform>[^-]+)\.whl"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One requirement."""

    name: str
    """Normalised, as PEP 503 says."""
    ranges: str = ""
    """Such as `>=2.5,<3`; empty for any version."""
    marker: str = ""
    text: str = ""
    """As it was written."""
    where: str = ""
    """Such as `requirements.txt:3`."""
    index: str = ""
    """The variant of an index that belongs to this requirement alone."""
    tags: tuple[str, str] = ("", "")
    """Python tag and platform tag of a wheel that is named directly, such as `cp312`."""
    is_constraint: bool = False
    """True for a line of a constraints file: it bounds a version and installs nothing."""

    @property
    def exact(self) -> str:
        """The pinned version with its local label, empty when it is not pinned."""
        found = _EXACT.fullmatch(self.ranges)
        return found[1] if found else ""

    @property
    def release(self) -> str:
        """The pinned version without a local label."""
        return release_of(self.exact)

    @property
    def variant(self) -> str:
        """The local label of the pinned version, such as `cu118`."""
        return variant_of(self.exact)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that is to be installed together."""

    wishes: tuple[Wish, ...]
    source: str
    """What it was read from, for the evidence."""
    indexes: tuple[str, ...] = ()
    """Addresses of package indexes in the order of the command."""
    has_main_index: bool = True
    """False when the indexes replace the package index (`--index-url`) instead of joining it."""
    pages: tuple[str, ...] = ()
    """Addresses and folders of `--find-links`: pages of links to wheels."""
    backend: str = ""
    """The variant that uv's `--torch-backend` names, such as `cu126`."""
    installer: str = "pip"
    """`pip`, `uv`, `poetry`, `conda` (also mamba), or `pixi`."""
    channels: tuple[str, ...] = ()
    """conda channels."""
    is_command: bool = False
    """True when `head` and `kept` make a command line that can be corrected."""
    head: tuple[str, ...] = ()
    """The words before the requirements, such as `uv pip install`."""
    kept: tuple[str, ...] = ()
    """Options that a corrected line keeps."""
    python: Python | None = None
    """The Python that the command or file itself names."""
    requires_python: str = ""
    """The range of Pythons that a project declares."""
    resolves_for_all: bool = False
    """True for tools that need a solution for every Python in `requires_python` (uv, poetry)."""
    is_prerelease: bool = False
    """True when pre-releases are allowed."""
    present: tuple[Wish, ...] = ()
    """What is installed before, such as the torch of a base image."""

    def wish(self, name: str) -> Wish | None:
        """The requirement of that name; a pinned one before others."""
        found = [item for item in self.wishes if item.name == name]
        return next((item for item in found if item.exact), found[0] if found else None)

    @property
    def index_variant(self) -> str:
        """The variant of the PyTorch index that the plan names, empty when it names none."""
        found = [self.backend, *(index_variant(address) for address in self.indexes)]
        return next((item for item in found if item), "")

    @property
    def has_foreign_index(self) -> bool:
        """True when an index other than the package index and PyTorch's is named."""
        return any(is_foreign(address) for address in (*self.indexes, *self.pages))


@dataclass(slots=True, kw_only=True)
class Reading:
    """What was understood of a command or file, and what was not."""

    plans: list[Plan] = field(default_factory=list)
    not_read: list[str] = field(default_factory=list)
    """One sentence per option, line or file that was not understood; never silently dropped."""
    notes: list[Problem] = field(default_factory=list)
    """What a file shows beside its requirements, such as the driver that an image needs."""

    def add(self, other: Reading) -> None:
        """Takes over what another reading holds."""
        self.plans += other.plans
        self.not_read += other.not_read
        self.notes += other.notes


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What one rule found, before the correction is added."""

    code: str
    level: Level
    summary: str
    cause: str
    wishes: tuple[Wish, ...] = ()


def index_variant(address: str) -> str:
    """`https://download.pytorch.org/whl/cu118` -> `cu118`; empty for another address.

    Nightly and test indexes hold what no table of releases knows: empty as well.
    """
    found = _VARIANT.search(address)
    return found[2] if found and not found[1] else ""


def nightly_variant(address: str) -> str:
    """`https://download.pytorch.org/whl/nightly/cu129` -> `cu129`; empty for another address."""
    found = _VARIANT.search(address)
    return found[2] if found and found[1] == "nightly" else ""


def is_foreign(address: str) -> bool:
    """True for an index or page of links that is neither the package index nor PyTorch's."""
    return not re.search(r"pytorch\.org/whl|pypi\.org|pypi\.python\.org", address)


def wish(text: str, where: str = "", index: str = "") -> Wish | None:
    """The requirement that a text says, None when it says none."""
    found = parse_requirement(text)
    if found is None:
        return None
    ranges, tags = found.ranges, ("", "")
    if found.url:
        wheel = wheel_wish(found.url)
        # A direct reference fixes the version: that of the wheel where the address shows it.
        ranges, tags = (wheel.ranges, wheel.tags) if wheel else ("", ("", ""))
    elif not _RANGES.fullmatch(ranges):
        return None
    return Wish(
        name=found.name,
        ranges=ranges,
        marker=found.marker,
        text=text.strip(),
        where=where,
        index=index,
        tags=tags,
    )


def wheel_wish(address: str, where: str = "") -> Wish | None:
    """The requirement that the path or address of a wheel stands for, None for another file."""
    name = address.partition("#")[0].partition("?")[0].rstrip("/").rpartition("/")[2]
    found = _WHEEL.fullmatch(name.replace("%2B", "+").replace("%2b", "+"))
    if found is None:
        return None
    return Wish(
        name=normalise(found["name"]),
        ranges=f"=={found['version']}",
        text=address,
        where=where,
        tags=(found["python"], found["platform"]),
    )


def marker_variables(python: Python) -> dict[str, str]:
    """Return what markers compare with, for this Python on Linux (x86-64)."""
    version = f"{python[0]}.{python[1]}"
    return {
        "python_version": version,
        "python_full_version": f"{version}.0",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
        "os_name": "posix",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }


def candidates(item: Wish) -> tuple[str, ...]:
    """The known releases that a requirement of torch, torchvision or torchaudio allows."""
    known = versions(item.name)
    if item.exact:
        same = [v for v in known if padded(v) == padded(item.release)]
        return tuple(same[:1])
    return tuple(version for version in known if allows(item.ranges, version))


def padded(version: str) -> tuple[int, ...]:
    """The release numbers with zeros behind, for comparing `2.6` with `2.6.0`."""
    return (*numbers(version), 0, 0, 0)[:4]


def is_open_ended(item: Wish) -> bool:
    """True when a version newer than the tables would satisfy the requirement too."""
    newest = versions(item.name)[-1]
    major, minor = (int(part) for part in newest.split(".")[:2])
    future = (f"{major}.{minor + 1}.0", f"{major}.{minor}.99", f"{major + 1}.0.0")
    return not item.exact and any(allows(item.ranges, version) for version in future)
