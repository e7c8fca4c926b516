"""What an install command or a file asks for, as data."""

from __future__ import annotations

import re
from dataclasses import dataclass

from diagnostics.requirement import parse_requirement
from diagnostics.tables.torch_releases import versions
from diagnostics.tables.version import release_of, variant_of
from diagnostics.version import allows

FAMILY = ("torch", "torchvision", "torchaudio")

_EXACT = re.compile(r"\s*===?\s*([^\s,*]+)\s*")
_INDEX = re.compile(r"/whl/(cu\d{2,4}|cpu|rocm[\d.]+|xpu)(?=/|$)")


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
    """Such as `line 3`."""
    index: str = ""
    """The variant of an index that belongs to this requirement alone."""

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
    """Index addresses in the order of the command."""
    installer: str = "pip"
    """`pip`, `uv` or `conda`."""
    channels: tuple[str, ...] = ()
    """conda channels."""
    is_command: bool = False
    """True when the words below are a command line that can be corrected."""
    words: tuple[str, ...] = ()

    def wish(self, name: str) -> Wish | None:
        """The requirement of that name; the first one when there are several."""
        return next((item for item in self.wishes if item.name == name), None)

    @property
    def index_variant(self) -> str:
        """The variant of the PyTorch index that the plan names, empty when it names none."""
        found = [index_variant(address) for address in self.indexes]
        return next((item for item in found if item), "")


def index_variant(address: str) -> str:
    """`https://download.pytorch.org/whl/cu118` -> `cu118`; empty for another address.

    Nightly and test indexes hold what no table of releases knows: empty as well.
    """
    found = _INDEX.search(address)
    return found[1] if found else ""


def wish(text: str, where: str = "", index: str = "") -> Wish | None:
    """The requirement that a text says, None when it says none."""
    found = parse_requirement(text)
    if found is None or not re.fullmatch(r"(\s*(===|[=!<>~]=|<|>)[^,]*,?)*\s*", found.ranges):
        return None
    return Wish(
        name=found.name,
        ranges=found.ranges,
        marker=found.marker,
        text=text.strip(),
        where=where,
        index=index,
    )


def candidates(item: Wish) -> tuple[str, ...]:
    """The known releases that a requirement of torch, torchvision or torchaudio allows."""
    if item.exact:
        return (item.release,) if item.release in versions(item.name) else ()
    return tuple(version for version in versions(item.name) if allows(item.ranges, version))


def is_open_ended(item: Wish) -> bool:
    """True when a version newer than the tables would satisfy the requirement too."""
    newest = versions(item.name)[-1]
    major, minor = (int(part) for part in newest.split(".")[:2])
    future = (f"{major}.{minor + 1}.0", f"{major}.{minor}.99", f"{major + 1}.0.0")
    return not item.exact and any(allows(item.ranges, version) for version in future)
