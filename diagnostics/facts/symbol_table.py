"""Reads which symbols a shared library needs from others, and whether it exports a given one."""

# Plain os calls start faster than pathlib and take most of the second that a run may take.

from __future__ import annotations

import mmap
import os
import re
import struct
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from diagnostics.facts.elf import NotElf, offset_of, segments

_STRTAB, _SYMTAB, _HASH, _GNU_HASH = 5, 6, 4, 0x6FFFFEF5
_SHT_DYNSYM = 11
_ENTRY = struct.Struct("<IBBHQQ")
"""st_name, st_info, st_other, st_shndx, st_value, st_size of Elf64_Sym."""
_GLOBAL = 1


class SymbolTable:
    """The dynamic symbols of one library; 64-bit little endian only.

    Layout from the System V gABI; DT_GNU_HASH as the loaders of glibc and musl read it. Raises
    NotElf and OSError.
    """

    def __init__(self, path: str) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if os.fstat(descriptor).st_size < 64:
                raise NotElf("too short for an ELF header")
            self._image = mmap.mmap(descriptor, 0, prot=mmap.PROT_READ)
        finally:
            os.close(descriptor)
        try:
            self._read_layout()
        except (struct.error, IndexError, OverflowError) as error:
            self._image.close()
            raise NotElf(f"ends before its tables do ({error})") from error
        except NotElf:
            self._image.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._image.close()

    def _read_layout(self) -> None:
        image = self._image
        if image[:4] != b"\x7fELF" or image[4] != 2 or image[5] != 1:
            raise NotElf("no 64-bit little-endian ELF library")
        loads, dynamic = segments(image)
        if dynamic is None:
            raise NotElf("no dynamic section")
        start, length = dynamic
        tags = dict(struct.iter_unpack("<qQ", image[start : start + length // 16 * 16]))
        self._strings = offset_of(loads, tags.get(_STRTAB, 0))
        self._symbols = offset_of(loads, tags.get(_SYMTAB, 0))
        self._hash: tuple[int, int, int, int, int] | None = None
        if _GNU_HASH in tags:
            table = offset_of(loads, tags[_GNU_HASH])
            self._hash = (table, *struct.unpack_from("<IIII", image, table))
        self._count = self._num_symbols(loads, tags)

    def _num_symbols(self, loads: list[tuple[int, int, int]], tags: dict[int, int]) -> int:
        (table,) = struct.unpack_from("<Q", self._image, 40)
        width, number = struct.unpack_from("<HH", self._image, 58)
        for index in range(number if table and width >= 64 else 0):
            kind, _, _, _, size = struct.unpack_from(
                "<IQQQQ", self._image, table + index * width + 4
            )
            if kind == _SHT_DYNSYM:
                return int(size) // _ENTRY.size
        if _HASH in tags:
            return int(struct.unpack_from("<I", self._image, offset_of(loads, tags[_HASH]) + 4)[0])
        # What is needed from others stands before all that is hashed.
        return self._hash[2] if self._hash else 0

    def _name(self, position: int) -> bytes:
        begin = self._strings + position
        return self._image[begin : self._image.find(b"\0", begin)]

    def needed(self, pattern: re.Pattern[bytes]) -> Iterator[bytes]:
        """Yield the symbols of that pattern that another library has to define; weak ones left out."""
        for index in range(1, self._count):
            name, info, _, section, _, _ = _ENTRY.unpack_from(
                self._image, self._symbols + index * _ENTRY.size
            )
            if section == 0 and info >> 4 == _GLOBAL:
                text = self._name(name)
                if pattern.match(text):
                    yield text

    def exports(self, name: bytes) -> bool:
        """Return True when the library defines the symbol for others."""
        if self._hash is None:
            return False
        table, num_buckets, first, num_words, shift = self._hash
        if not num_buckets or not num_words:
            return False
        value = gnu_hash(name)
        image = self._image
        (word,) = struct.unpack_from("<Q", image, table + 16 + value // 64 % num_words * 8)
        if not word >> value % 64 & word >> (value >> shift) % 64 & 1:
            return False
        buckets = table + 16 + num_words * 8
        (index,) = struct.unpack_from("<I", image, buckets + value % num_buckets * 4)
        chain = buckets + num_buckets * 4
        while index >= first > 0:
            (stored,) = struct.unpack_from("<I", image, chain + (index - first) * 4)
            if (stored | 1) == (value | 1):
                text, _, _, section, _, _ = _ENTRY.unpack_from(
                    image, self._symbols + index * _ENTRY.size
                )
                if section and self._name(text) == name:
                    return True
            if stored & 1:
                return False
            index += 1
        return False


def gnu_hash(name: bytes) -> int:
    """Return the hash that DT_GNU_HASH is keyed with."""
    value = 5381
    for byte in name:
        value = (value * 33 + byte) & 0xFFFFFFFF
    return value
