"""Reads what a shared library requires of the loader: NEEDED, search paths, symbol versions."""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

_NEEDED, _STRTAB, _SONAME, _RPATH, _RUNPATH = 1, 5, 14, 15, 29
_VERDEF, _VERDEFNUM, _VERNEED, _VERNEEDNUM = 0x6FFFFFFC, 0x6FFFFFFD, 0x6FFFFFFE, 0x6FFFFFFF
_PT_LOAD, _PT_DYNAMIC = 1, 2
MACHINES = {62: "x86_64", 183: "aarch64", 3: "i686", 40: "armv7l", 21: "ppc64le", 22: "s390x"}


class NotElf(ValueError):
    """The file is no ELF library, or ends before its tables do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The dynamic section of one library."""

    machine: str = ""
    soname: str = ""
    needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    demands: tuple[tuple[str, str], ...] = ()
    """(library, symbol version) that must be defined elsewhere; weak ones left out."""
    defines: frozenset[str] = frozenset()
    """Symbol versions that it defines."""


def read(path: str) -> Header:
    """Return the header of the library at `path`.

    Layout from the System V gABI and the LSB's symbol versioning; 64-bit little endian, others
    give only their machine. Raises NotElf and OSError.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(descriptor).st_size
        if size < 64:
            raise NotElf(f"{size} bytes, too short for an ELF header")
        with mmap.mmap(descriptor, 0, prot=mmap.PROT_READ) as image:
            try:
                return _parse(image)
            except (struct.error, IndexError, OverflowError, UnicodeDecodeError) as error:
                raise NotElf(f"ends before its tables do ({error})") from error
    finally:
        os.close(descriptor)


def _parse(image: mmap.mmap) -> Header:
    if image[:4] != b"\x7fELF":
        raise NotElf(f"begins with {image[:4]!r}, not with the ELF mark")
    (number,) = struct.unpack_from("<H", image, 18)
    machine = MACHINES.get(number, f"machine {number}")
    if image[4] != 2 or image[5] != 1:
        return Header(machine=machine)
    loads, dynamic = segments(image)
    if dynamic is None:
        return Header(machine=machine)
    return _dynamic(image, machine, loads, *dynamic)


def segments(image: mmap.mmap) -> tuple[list[tuple[int, int, int]], tuple[int, int] | None]:
    """Return the loaded segments as (address, offset, length), and (offset, length) of the dynamic one.

    Raises NotElf when the file ends before a segment does.
    """
    (table,) = struct.unpack_from("<Q", image, 32)
    width, count = struct.unpack_from("<HH", image, 54)
    loads, dynamic = [], None
    for index in range(count):
        kind, _, offset, address, _, length, _, _ = struct.unpack_from(
            "<IIQQQQQQ", image, table + index * width
        )
        if kind == _PT_LOAD:
            loads.append((address, offset, length))
            if offset + length > len(image):
                raise NotElf(f"a segment ends at byte {offset + length}, the file at {len(image)}")
        elif kind == _PT_DYNAMIC:
            dynamic = (offset, length)
    return loads, dynamic


def _dynamic(
    image: mmap.mmap, machine: str, loads: list[tuple[int, int, int]], start: int, length: int
) -> Header:
    needed, single = [], {}
    for tag, value in struct.iter_unpack("<qQ", image[start : start + length // 16 * 16]):
        if tag == 0:
            break
        if tag == _NEEDED:
            needed.append(value)
        else:
            single[tag] = value
    strings = offset_of(loads, single.get(_STRTAB, 0))

    def text(position: int) -> str:
        begin = strings + position
        return image[begin : image.find(b"\0", begin)].decode()

    def folders(tag: int) -> tuple[str, ...]:
        found = text(single[tag]) if tag in single else ""
        return tuple(part for part in found.split(":") if part)

    demands: tuple[tuple[str, str], ...] = ()
    if _VERNEED in single:
        entry = offset_of(loads, single[_VERNEED])
        demands = tuple(
            (text(library), text(name))
            for library, name in _needs(image, entry, single.get(_VERNEEDNUM, 0))
        )
    defines: frozenset[str] = frozenset()
    if _VERDEF in single:
        entry = offset_of(loads, single[_VERDEF])
        names = _definitions(image, entry, single.get(_VERDEFNUM, 0))
        defines = frozenset(text(name) for name in names)
    return Header(
        machine=machine,
        soname=text(single[_SONAME]) if _SONAME in single else "",
        needed=tuple(text(position) for position in needed),
        rpath=() if _RUNPATH in single else folders(_RPATH),
        runpath=folders(_RUNPATH),
        demands=demands,
        defines=defines,
    )


def offset_of(loads: list[tuple[int, int, int]], address: int) -> int:
    """Return where in the file an address is. Raises NotElf for one in no segment."""
    for base, offset, length in loads:
        if base <= address < base + length:
            return address - base + offset
    raise NotElf(f"address {address:#x} lies in no segment")


def _needs(image: mmap.mmap, entry: int, count: int) -> Iterator[tuple[int, int]]:
    for _ in range(count):
        _, num_names, library, first, step = struct.unpack_from("<HHIII", image, entry)
        name = entry + first
        for _ in range(num_names):
            _, flags, _, text, following = struct.unpack_from("<IHHII", image, name)
            if not flags & 2:  # a weak demand may stay unmet
                yield library, text
            name += following
        entry += step


def _definitions(image: mmap.mmap, entry: int, count: int) -> Iterator[int]:
    for _ in range(count):
        _, _, _, _, _, first, step = struct.unpack_from("<HHHHIII", image, entry)
        (name,) = struct.unpack_from("<I", image, entry + first)
        yield name
        entry += step
