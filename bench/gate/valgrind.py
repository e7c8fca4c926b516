"""Valgrind as a witness: whether it is here, and how a launcher is started under it."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.gate.errors import GateError
from bench.instruments.callgrind import FOLDER

LEAST: Final = (3, 15)
"""The first release that runs today's glibc and AVX2 without known gaps."""
START_DEADLINE: Final = 1200.0
"""Seconds that the imports may take under Valgrind: about 45 of processor time with torch alone, three times as many
with torchvision and transformers, and more on a busy machine."""
KERNELS: Final = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
}
"""Variables that give both arms the same kernels on one thread. Valgrind knows no AVX-512 and says so to those who ask
the processor: ONNX Runtime and glibc choose by that."""
UNKNOWN_CODE: Final = re.compile(
    r"(unhandled instruction|unrecognised instruction|Illegal instruction|SIGILL)", re.IGNORECASE
)
PREFIX: Final = re.compile(r"^==\d+==")
"""What Valgrind puts before its lines."""
NEWER: Final = "next: a newer Valgrind, or leave --witness out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Valgrind:
    """A Valgrind that works here."""

    path: str
    version: str
    start_deadline: float = START_DEADLINE

    @property
    def title(self) -> str:
        """Its name and version."""
        return f"Valgrind {self.version}"

    def prefix(self, folder: Path) -> tuple[str, ...]:
        """Return the command that runs a program under callgrind, counting nothing until it asks itself.

        Counts go to files `FOLDER/PID.NUMBER`.
        """
        return (
            self.path,
            "--quiet",
            "--tool=callgrind",
            "--instr-atstart=no",
            f"--callgrind-out-file={folder}/%p",
        )

    def variables(self, folder: Path) -> dict[str, str]:
        """Return the environment variables of a launcher under callgrind."""
        has_avx2 = "avx2" in _processor_flags()
        capability = "avx2" if has_avx2 else "default"
        return {**KERNELS, "ATEN_CPU_CAPABILITY": capability, FOLDER: str(folder)}

    def why_not_started(self, message: str) -> str:
        """Return one sentence on a launcher that did not come up under Valgrind."""
        for line in message.splitlines():
            if UNKNOWN_CODE.search(line):
                return (
                    f"{self.title} does not know an instruction that a library of this arm uses"
                    f" ({PREFIX.sub('', line).strip()}); {NEWER}"
                )
        lines = [line for line in message.strip().splitlines() if line.strip()]
        return f"the arm does not start under {self.title}: {lines[0] if lines else 'no answer'}"


def find_valgrind(
    run: Callable[..., subprocess.CompletedProcess[str]] = subprocess.run,
) -> Valgrind:
    """Return the Valgrind of this machine. Raises GateError with one sentence why there is none that helps."""
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "AMD64"):
        raise GateError(
            "instructions are counted by Valgrind on Linux with an x86-64 processor, and this is"
            f" {platform.system()} on {platform.machine()}; next: leave --witness out"
        )
    path = shutil.which("valgrind")
    if path is None:
        raise GateError(
            "instructions are counted by Valgrind, which is not installed;"
            " next: apt-get install valgrind (dnf, zypper, pacman: the same name)"
        )
    said = _asked(run, [path, "--version"], 30).stdout
    found = re.search(r"(\d+)\.(\d+)", said)
    version = said.strip().removeprefix("valgrind-")
    if found is None or (int(found[1]), int(found[2])) < LEAST:
        raise GateError(
            f"{path}: is version {version or 'unknown'}; expected Valgrind"
            f" {'.'.join(map(str, LEAST))} or newer. Next: install a newer one, or leave --witness out"
        )
    probe = [path, "--quiet", "--tool=callgrind", "--callgrind-out-file=/dev/null", "true"]
    done = _asked(run, probe, 120)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise GateError(
            f"{path}: cannot run even `true` under callgrind here ({last});"
            " next: install a newer Valgrind, or leave --witness out"
        )
    return Valgrind(path=path, version=version)


def _asked(
    run: Callable[..., subprocess.CompletedProcess[str]], command: list[str], seconds: float
) -> subprocess.CompletedProcess[str]:
    """Run a command of Valgrind's. Raises GateError if it does not answer."""
    try:
        return run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        why = getattr(error, "strerror", None) or f"no answer in {seconds:g} s"
        raise GateError(
            f"{command[0]}: cannot be run ({why}); next: install Valgrind anew, or leave --witness out"
        ) from error


def _processor_flags() -> frozenset[str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return frozenset()
    flags = re.search(r"^flags\s*:(.*)$", text, re.MULTILINE)
    return frozenset(flags[1].split()) if flags else frozenset()
