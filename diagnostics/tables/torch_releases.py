"""Which torchvision, torchaudio, Python versions and CUDA variants belong to a release of torch.

Linux on x86-64. Pairs: the `Requires-Dist` lines of the wheels. Python bounds: the tags of the
wheels on the Python package index. Variants: the release matrix of PyTorch (RELEASE.md) and the
page of previous versions. Default: the CUDA runtime that the wheel on the index requires.
"""

from __future__ import annotations

from dataclasses import dataclass

from diagnostics.tables.version import is_final, numbers, release_of

DATED = "2026-11-23"
"""The day the rows were last compared with the package index."""

Python = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One release of torch and what was built for it."""

    torch: str
    torchvision: str
    """The newest torchvision for this torch."""
    torchaudio: str | None
    """The torchaudio for this torch; None where none was released."""
    python: tuple[Python, Python]
    """Oldest and newest Python with a wheel on the package index, both included."""
    variants: tuple[str, ...]
    """CUDA variants that were built; `cpu` always exists beside them."""
    default: str
    """The variant that the package index serves on Linux x86-64."""
    unsure: tuple[str, ...] = ()
    """Variants of which it is not known whether they were published."""


def _row(
    torch: str,
    torchvision: str,
    torchaudio: str | None,
    oldest: int,
    newest: int,
    variants: str,
    default: str,
    unsure: str = "",
) -> Release:
    return Release(
        torch=torch,
        torchvision=torchvision,
        torchaudio=torchaudio,
        python=((3, oldest), (3, newest)),
        variants=tuple(variants.split()),
        default=default,
        unsure=tuple(unsure.split()),
    )


RELEASES: tuple[Release, ...] = (
    _row("1.9.0", "0.10.0", "0.9.0", 6, 9, "cu102 cu111", "cu102"),
    _row("1.9.1", "0.10.1", "0.9.1", 6, 9, "cu102 cu111", "cu102"),
    _row("1.10.0", "0.11.1", "0.10.0", 6, 9, "cu102 cu111 cu113", "cu102"),
    _row("1.10.1", "0.11.2", "0.10.1", 6, 9, "cu102 cu111 cu113", "cu102"),
    _row("1.10.2", "0.11.3", "0.10.2", 6, 9, "cu102 cu111 cu113", "cu102"),
    _row("1.11.0", "0.12.0", "0.11.0", 7, 10, "cu102 cu113 cu115", "cu102"),
    _row("1.12.0", "0.13.0", "0.12.0", 7, 10, "cu102 cu113 cu116", "cu102"),
    _row("1.12.1", "0.13.1", "0.12.1", 7, 10, "cu102 cu113 cu116", "cu102"),
    _row("1.13.0", "0.14.0", "0.13.0", 7, 11, "cu116 cu117", "cu117"),
    _row("1.13.1", "0.14.1", "0.13.1", 7, 11, "cu116 cu117", "cu117"),
    _row("2.0.0", "0.15.1", "2.0.1", 8, 11, "cu117 cu118", "cu117"),
    _row("2.0.1", "0.15.2", "2.0.2", 8, 11, "cu117 cu118", "cu117"),
    _row("2.1.0", "0.16.0", "2.1.0", 8, 11, "cu118 cu121", "cu121"),
    _row("2.1.1", "0.16.1", "2.1.1", 8, 11, "cu118 cu121", "cu121"),
    _row("2.1.2", "0.16.2", "2.1.2", 8, 11, "cu118 cu121", "cu121"),
    _row("2.2.0", "0.17.0", "2.2.0", 8, 12, "cu118 cu121", "cu121"),
    _row("2.2.1", "0.17.1", "2.2.1", 8, 12, "cu118 cu121", "cu121"),
    _row("2.2.2", "0.17.2", "2.2.2", 8, 12, "cu118 cu121", "cu121"),
    _row("2.3.0", "0.18.0", "2.3.0", 8, 12, "cu118 cu121", "cu121"),
    _row("2.3.1", "0.18.1", "2.3.1", 8, 12, "cu118 cu121", "cu121"),
    _row("2.4.0", "0.19.0", "2.4.0", 8, 12, "cu118 cu121 cu124", "cu121"),
    _row("2.4.1", "0.19.1", "2.4.1", 8, 12, "cu118 cu121 cu124", "cu121"),
    _row("2.5.0", "0.20.0", "2.5.0", 9, 13, "cu118 cu121 cu124", "cu124"),
    _row("2.5.1", "0.20.1", "2.5.1", 9, 13, "cu118 cu121 cu124", "cu124"),
    _row("2.6.0", "0.21.0", "2.6.0", 9, 13, "cu118 cu124 cu126", "cu124"),
    _row("2.7.0", "0.22.0", "2.7.0", 9, 13, "cu118 cu126 cu128", "cu126"),
    _row("2.7.1", "0.22.1", "2.7.1", 9, 13, "cu118 cu126 cu128", "cu126"),
    _row("2.8.0", "0.23.0", "2.8.0", 9, 13, "cu126 cu128 cu129", "cu128"),
    _row("2.9.0", "0.24.0", "2.9.0", 10, 14, "cu126 cu128 cu130", "cu128", "cu129"),
    _row("2.9.1", "0.24.1", "2.9.1", 10, 14, "cu126 cu128 cu130", "cu128", "cu129"),
    _row("2.10.0", "0.25.0", "2.10.0", 10, 14, "cu126 cu128 cu130", "cu128", "cu129"),
    _row("2.11.0", "0.26.0", "2.11.0", 10, 14, "cu126 cu128 cu130", "cu130", "cu129"),
    _row("2.12.0", "0.27.0", None, 10, 14, "cu126 cu130 cu132", "cu130", "cu129"),
    _row("2.12.1", "0.27.1", None, 10, 14, "cu126 cu130 cu132", "cu130", "cu129"),
    _row("2.13.0", "0.28.0", None, 10, 14, "cu126 cu130 cu132", "cu130", "cu129"),
    _row("2.14.0", "0.29.0", None, 10, 14, "cu126 cu130 cu132", "cu130"),
    _row("2.14.1", "0.29.2", None, 10, 14, "cu126 cu130 cu132", "cu130"),
    # The proposal to end CUDA 12.6 with 2.15 was open when this was written (pytorch#190385).
    _row("2.15.0", "0.29.2", None, 11, 15, "cu130 cu132", "cu132", "cu126"),
)
"""Every final release of torch since 1.9, oldest first."""

AT_LEAST: dict[tuple[str, str], str] = {
    ("torchvision", "0.29.1"): "2.14.0",
    ("torchvision", "0.29.2"): "2.14.0",
}
"""Partners that declare `torch>=`; every other one pins one release with `==`."""

UNPINNED: frozenset[tuple[str, str]] = frozenset({("torchaudio", "2.11.0")})
"""Partners whose metadata ask for no torch at all."""

PARTNER_PYTHON: dict[tuple[str, str], tuple[Python, Python]] = {
    ("torchvision", "0.14"): ((3, 7), (3, 10)),
    ("torchvision", "0.20"): ((3, 9), (3, 12)),
    ("torchvision", "0.29"): ((3, 10), (3, 15)),
    ("torchaudio", "0.13"): ((3, 7), (3, 10)),
    ("torchaudio", "2.5"): ((3, 9), (3, 12)),
}
"""Python bounds of partners that differ from those of their torch, by series."""

ROCM: dict[str, str] = {
    "1.9": "4.0.1 4.1 4.2",
    "1.10": "4.0.1 4.1 4.2",
    "1.11": "4.3.1 4.5.2",
    "1.12": "5.0 5.1.1",
    "1.13": "5.1.1 5.2",
    "2.0": "5.3 5.4.2",
    "2.1": "5.5 5.6",
    "2.2": "5.6 5.7",
    "2.3": "5.7 6.0",
    "2.4": "6.0 6.1",
    "2.5": "6.1 6.2",
    "2.6": "6.1 6.2.4",
    "2.7": "6.2.4 6.3",
    "2.8": "6.3 6.4",
    "2.9": "6.3 6.4",
    "2.10": "7.0 7.1",
}
"""Series of torch -> ROCm versions on PyTorch's own index; a series that is missing is not known.

Source: `ROCM_ARCHES` of the release branches' build matrix, and the page of previous versions."""

FIRST_XPU = "2.6.0"
"""The first release on PyTorch's index for Intel GPUs (`xpu`)."""

NIGHTLY_VARIANTS = ("cu126", "cu130", "cu132", "cu134")
"""CUDA variants that nightly builds were made for in 2026-08 (pytorch/test-infra, build matrix)."""

METADATA_PYTHON: dict[str, Python] = {"2.5": (3, 8)}
"""Series whose metadata (`Requires-Python`) allow an older Python than their oldest wheel."""

NEWEST = RELEASES[-1]

_BY_TORCH = {row.torch: row for row in RELEASES}


def release(torch: str) -> Release | None:
    """Return the row of a torch version (`2.15.0`, `2.15.0+cu132`, `2.15`), None when it has none."""
    wanted = release_of(torch)
    exact = _BY_TORCH.get(wanted) or _BY_TORCH.get(f"{wanted}.0")
    return exact if is_final(torch) else None


def is_newer_than_table(name: str, version: str) -> bool:
    """Return True when the version of torch, torchvision or torchaudio came after the table was made."""
    known = [numbers(v) for v in versions(name)]
    return bool(known) and numbers(version) > max(known)


def is_older_than_table(name: str, version: str) -> bool:
    """Return True when the version of torch, torchvision or torchaudio came before the first row."""
    known = [numbers(v) for v in versions(name)]
    return bool(known) and () < numbers(version) < min(known)


def versions(name: str) -> tuple[str, ...]:
    """Return all known versions of `torch`, `torchvision` or `torchaudio`, oldest first."""
    if name == "torch":
        return tuple(row.torch for row in RELEASES)
    own = [row.torchvision if name == "torchvision" else row.torchaudio for row in RELEASES]
    extra = [version for partner, version in AT_LEAST if partner == name]
    return tuple(sorted({v for v in [*own, *extra] if v}, key=numbers))


def partner(torch: str, name: str) -> str | None:
    """Return the torchvision or torchaudio version built for this torch; None when unknown or none."""
    row = release(torch)
    if row is None:
        return None
    return row.torchvision if name == "torchvision" else row.torchaudio


def torch_for(name: str, version: str) -> Release | None:
    """Return the newest torch that a torchvision or torchaudio version was built for, None if unknown."""
    wanted = numbers(release_of(version))
    rows = [row for row in RELEASES if numbers(partner(row.torch, name) or "") == wanted]
    floor = AT_LEAST.get((name, release_of(version)))
    if not rows and floor:
        rows = [row for row in RELEASES if numbers(row.torch) >= numbers(floor)]
    return rows[-1] if rows else None


def is_pair(torch: str, name: str, version: str) -> bool | None:
    """Return True when both belong together, False when not, None when the table cannot know."""
    if not is_final(torch) or not is_final(version):
        return None
    key = (name, release_of(version))
    if key in UNPINNED:
        return None if numbers(torch) >= numbers(release_of(version)) else False
    floor = AT_LEAST.get(key)
    if floor is not None:
        return numbers(torch) >= numbers(floor)
    row = torch_for(name, version)
    if row is None and is_older_than_table(name, version):
        # Every one of them pins a torch that is older than the table as well.
        return False if release(torch) is not None else None
    if row is None or (release(torch) is None and is_newer_than_table("torch", torch)):
        # A partner with an exact pin still cannot go with a torch that came later.
        return False if row is not None else None
    return numbers(row.torch) == numbers(_padded(torch))


def has_variant(torch: str, variant: str) -> bool | None:
    """Return whether a variant (`cu126`, `rocm6.4`, `cpu`) was built for this torch; None when not known."""
    row = release(torch)
    if variant == "cpu":
        return True
    if row is None or variant in row.unsure:
        return None
    if variant.startswith("rocm"):
        built = rocm_variants(row.torch)
        return variant in built if built else None
    if variant == "xpu":
        return True if numbers(row.torch) >= numbers(FIRST_XPU) else None
    return variant in row.variants if variant.startswith("cu") else None


def rocm_variants(torch: str) -> tuple[str, ...]:
    """Return the ROCm variants of a release such as `rocm6.4`; empty when they are not known."""
    series = ".".join(str(part) for part in numbers(torch)[:2])
    return tuple(f"rocm{version}" for version in ROCM.get(series, "").split())


def oldest_python(torch: str) -> Python | None:
    """Return the oldest Python that the metadata of a release allow (`Requires-Python`), None if unknown."""
    row = release(torch)
    if row is None:
        return None
    series = ".".join(str(part) for part in numbers(row.torch)[:2])
    return METADATA_PYTHON.get(series, row.python[0])


def has_wheel(name: str, version: str, python: Python) -> bool | None:
    """Return whether the package index has a wheel of `name` for this Python; None when not known."""
    bounds = python_bounds(name, version)
    return None if bounds is None else bounds[0] <= python <= bounds[1]


def python_bounds(name: str, version: str) -> tuple[Python, Python] | None:
    """Oldest and newest Python with a wheel of `torch`, `torchvision` or `torchaudio`."""
    if not is_final(version):
        return None
    series = ".".join(str(part) for part in numbers(version)[:2])
    own = PARTNER_PYTHON.get((name, series))
    row = release(version) if name == "torch" else torch_for(name, version)
    if row is None:
        return None
    return own or row.python


def newest_for(python: Python) -> Release | None:
    """Return the newest release whose torch and torchvision have wheels for this Python."""
    rows = [
        row
        for row in RELEASES
        if has_wheel("torch", row.torch, python)
        and has_wheel("torchvision", row.torchvision, python)
    ]
    return rows[-1] if rows else None


def newest_with(variant: str) -> Release | None:
    """Return the newest release that was certainly built in this variant, None if there is none."""
    rows = [row for row in RELEASES if has_variant(row.torch, variant)]
    return rows[-1] if rows else None


def _padded(version: str) -> str:
    parts = numbers(version)
    return ".".join(str(part) for part in (*parts, 0, 0, 0)[: max(3, len(parts))])
