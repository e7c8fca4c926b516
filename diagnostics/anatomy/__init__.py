"""The facts about one machine as data: what collectors fill in and checks read."""

from __future__ import annotations

from diagnostics.anatomy.gpu import Driver, Gpu
from diagnostics.anatomy.linkage import Detour, Linkage, Misbuilt, Unresolved, VersionMiss
from diagnostics.anatomy.machine import Disk, Ports, Quiet, System
from diagnostics.anatomy.packages import (
    Build,
    CondaPackage,
    Damage,
    Distribution,
    Files,
    Loss,
    Overlap,
)
from diagnostics.anatomy.python import Interpreter, Shadow
from diagnostics.anatomy.tools import Hub, Repository, Toolchain
from diagnostics.anatomy.trial import Trial

__all__ = [
    "Build",
    "CondaPackage",
    "Damage",
    "Detour",
    "Disk",
    "Distribution",
    "Driver",
    "Files",
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
    "Shadow",
    "System",
    "Toolchain",
    "Trial",
    "Unresolved",
    "VersionMiss",
]
