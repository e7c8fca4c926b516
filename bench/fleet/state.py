"""The fleet's own file: which run folder belongs to which kind, so that a fleet whose driver died is finished."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from bench.fleet.errors import FleetError
from diagnostics.atomic_write import write_whole
from diagnostics.codec import decode_as, encode

FILE: Final = "fleet.json"
PAGE: Final = "fleet.html"
SUMMARY: Final = "fleet.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetFile:
    """Content of `fleet.json`."""

    name: str
    """The fleet's name: time and a short id, as of runs."""
    command: str = ""
    started_at: str = ""
    runs: Mapping[str, str] = field(default_factory=dict)
    """Kind -> name of its run folder."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Host -> why none of its nodes measured."""

    @classmethod
    def new(cls, command: str) -> Self:
        """Return the file of a fleet that begins now."""
        now = datetime.now(UTC)
        return cls(
            name=f"{now.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}",
            command=command,
            started_at=now.isoformat(timespec="seconds"),
        )

    def write(self, out: Path) -> Path:
        """Write the file and return its folder, `out`/fleets/NAME; raise OSError."""
        folder = out / "fleets" / self.name
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / FILE, json.dumps(encode(self), indent=1))
        return folder


def load_fleet(out: Path, asked: str) -> FleetFile:
    """Return the fleet of that name, or the newest for ""; raise FleetError with those that there are."""
    top = out / "fleets"
    names = sorted((p.parent.name for p in top.glob(f"*/{FILE}")), reverse=True)
    found = [name for name in names if name == asked] or [n for n in names if asked in n]
    if not asked:
        found = names[:1]
    if len(found) != 1:
        known = f"; there are {', '.join(names[:8])}" if names else f": {top} has none"
        raise FleetError(
            f"--resume {asked}: {'no fleet is called so' if not found else 'several fleets are'}{known}"
        )
    path = top / found[0] / FILE
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
        return decode_as(FleetFile, data)
    except (OSError, ValueError) as error:
        raise FleetError(
            f"--resume {asked}: {path} cannot be read ({error}); next: start a new fleet without --resume"
        ) from error
