"""Worker side. The kernels of ONNX Runtime by the addresses of their code.

Wheels of ONNX Runtime have no symbols, so that callgrind knows their functions by address alone. The classes of the
kernels keep their names in the run-time type information: every class has a name, a `type_info` that points to the
name and to those of its bases, and a table of its virtual functions behind a pointer to the `type_info` (Itanium C++
ABI, sections 2.5 and 2.9). `OpKernel::Compute` is the third entry of that table, after the two destructors.
"""

from __future__ import annotations

import ctypes
import re
import struct
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Final

LIBRARY: Final = "onnxruntime_pybind11_state"
"""The library of the wheel, as a part of its file's name."""
CLASS: Final = re.compile(rb"N11onnxruntime\w+E(?=\0)")
"""Mangled name of a class in the namespace `onnxruntime`."""
KERNEL: Final = "N11onnxruntime8OpKernelE"
COMPUTE: Final = 2
"""Index of `Compute` among the virtual functions of a kernel."""
MAX_BASES: Final = 2
"""Of several bases those that are looked at: the one with virtual functions is among them."""
ONE_BASE: Final = "__si_class_type_info"
SEVERAL_BASES: Final = "__vmi_class_type_info"
SYMBOL: Final = 24
"""Bytes of an entry of `.dynsym`."""
ENTRY: Final = 24
"""Bytes of an entry of `.rela.dyn`: place, kind and symbol, addend."""
WORD: Final = 8
RELATIVE: Final = 8
"""R_X86_64_RELATIVE: the word at `offset` is `addend` past the place where the library is loaded."""
MAX_JOINED: Final = 3
"""Names of classes that share one function; of more the first ones are named."""


@cache
def kernel_names(path: str) -> Mapping[int, str]:
    """Return address in the file of the library -> kernel, e.g. `Gemm<float>`; empty if the file says nothing."""
    try:
        image = Path(path).read_bytes()
        sections = sections_of(image)
    except (OSError, ValueError, struct.error):
        return {}
    if not {".rela.dyn", ".rodata", ".text", ".dynsym", ".dynstr"} <= sections.keys():
        return {}
    _, offset, size = sections[".rela.dyn"]
    entries = list(struct.iter_unpack("<qQq", image[offset : offset + size - size % ENTRY]))
    words = {place: addend for place, info, addend in entries if info & 0xFFFFFFFF == RELATIVE}
    address, offset, size = sections[".rodata"]
    shift = address - offset
    names = {
        found.start() + shift: found[0].decode("ascii")
        for found in CLASS.finditer(image, offset, offset + size)
    }
    types = {place - WORD: names[word] for place, word in words.items() if word in names}
    kinds = _kinds(image, sections, entries, types)
    kernels = {place for place in types if _is_kernel(place, types, kinds, words)}
    begin, _, size = sections[".text"]
    classes: dict[int, set[str]] = defaultdict(set)
    for place, word in words.items():
        compute = words.get(place + WORD * (1 + COMPUTE), 0)
        if word in kernels and begin <= compute < begin + size:
            classes[compute].add(short_name(types[word]))
    return {place: _joined(found) for place, found in classes.items()}


def sections_of(image: bytes) -> dict[str, tuple[int, int, int]]:
    """Return section -> address, offset and size in bytes of a 64-bit ELF file. Raises ValueError for another file."""
    if image[:6] != b"\x7fELF\x02\x01":
        raise ValueError("no 64-bit little-endian ELF file")
    (start,) = struct.unpack_from("<Q", image, 0x28)
    each, number, strings = struct.unpack_from("<HHH", image, 0x3A)
    headers = [struct.unpack_from("<IIQQQQ", image, start + each * n) for n in range(number)]
    names = headers[strings][4]
    return {
        image[names + name : image.index(b"\0", names + name)].decode("ascii"): (
            address,
            place,
            size,
        )
        for name, _, _, address, place, size in headers
    }


def _kinds(
    image: bytes,
    sections: Mapping[str, tuple[int, int, int]],
    entries: Iterable[tuple[int, int, int]],
    types: Mapping[int, str],
) -> dict[int, str]:
    """Return address of a `type_info` -> the symbol its first word points to: how its bases are written."""
    symbols, strings = sections[".dynsym"][1], sections[".dynstr"][1]
    names = {}
    for place, info, _ in entries:
        if place not in types:
            continue
        (name,) = struct.unpack_from("<I", image, symbols + SYMBOL * (info >> 32))
        end = image.index(b"\0", strings + name)
        names[place] = image[strings + name : end].decode("ascii")
    return names


def _is_kernel(
    place: int, types: Mapping[int, str], kinds: Mapping[int, str], words: Mapping[int, int]
) -> bool:
    """True if the class of that `type_info` is OpKernel or one of its bases is.

    A class with one base points to it behind its name; one with several has flags and their number there, and the
    bases at every other word after them.
    """
    if types[place] == KERNEL:
        return True
    behind: tuple[int, ...] = ()
    if ONE_BASE in kinds.get(place, ""):
        behind = (place + 2 * WORD,)
    elif SEVERAL_BASES in kinds.get(place, ""):
        behind = tuple(place + WORD * (3 + 2 * n) for n in range(MAX_BASES))
    bases = [words[word] for word in behind if word in words]
    return any(base in types and _is_kernel(base, types, kinds, words) for base in bases)


def short_name(mangled: str) -> str:
    """Return the class as it is written in C++, without its namespaces; the mangled name if nothing can say."""
    written = _demangled(mangled)
    return re.sub(r"\b(?:\w+|\(anonymous namespace\))::", "", written)


def _demangled(mangled: str) -> str:
    """Return what libstdc++, which ONNX Runtime needs itself, makes of the name."""
    try:
        demangle = ctypes.CDLL("libstdc++.so.6").__cxa_demangle
    except (OSError, AttributeError):
        return mangled
    demangle.restype = ctypes.c_void_p
    status = ctypes.c_int()
    found = demangle(mangled.encode("ascii"), None, None, ctypes.byref(status))
    if not found or status.value:
        return mangled
    try:
        return ctypes.string_at(found).decode("ascii", "replace")
    finally:
        libc = ctypes.CDLL(None)
        libc.free.argtypes = [ctypes.c_void_p]
        libc.free(found)


def _joined(names: Iterable[str]) -> str:
    """Return one title of classes that share a function: an inherited one, or code that the linker found twice."""
    found = sorted(names, key=lambda name: (len(name), name))
    return " or ".join(found[:MAX_JOINED])
