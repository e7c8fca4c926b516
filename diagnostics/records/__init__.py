"""The facts about one machine: collectors fill them in, checks read them."""

from __future__ import annotations

from diagnostics.records.gpu import Driver, Gpu
from diagnostics.records.linkage import (
    Detour,
    ForeignSymbols,
    Linkage,
    Misbuilt,
    Unresolved,
    VersionMiss,
)
from diagnostics.records.machine import Disk, Ports, Quiet, System
from diagnostics.records.packages import (
    Build,
    CondaPackage,
    Damage,
    Distribution,
    Files,
    Loss,
    Overlap,
)
from diagnostics.records.python import Frame, Interpreter, Script, Shadow
from diagnostics.records.tools import Hub, Repository, Toolchain
from diagnostics.records.trial import Trial

__all__ = [
    "Build",
    "CondaPackage",
    "Damage",
    "Detour",
    "Disk",
    "Distribution",
    "Driver",
    "Files",
    "ForeignSymbols",
    "Frame",
    "Gpu",
    "Hub",
    "Interpreter",
    "Linkage",
    "Loss",
    "Misbuilt",
    "Overlap",
    "Ports",
    "Quiet",
    "Repository",
    "Script",
    "Shadow",
    "System",
    "Toolchain",
    "Trial",
    "Unresolved",
    "VersionMiss",
]
