"""The fleet's options of `pytest bench`."""

from __future__ import annotations

from typing import Any

from bench.fleet.errors import FleetError
from bench.fleet.kinds import ALL
from suite.import_root import PREFIX


def add_options(parser: Any) -> None:
    """Add `--fleet` and `--fleet-kinds` to pytest's parser."""
    add = parser.getgroup("torch-vitals").addoption
    add(
        "--fleet",
        default="",
        metavar="WHERE",
        help="measure on the nodes of a Ray cluster: ray://HOST:PORT, HOST:PORT, or auto for the one of this machine",
    )
    add(
        "--fleet-kinds",
        dest="fleet_kinds",
        default=ALL,
        metavar="NAMES",
        help="kinds of machine of the fleet that each measure every cell, e.g. xeon-amx,epyc (default: all)",
    )


def check_options(option: Any) -> None:
    """Raise FleetError if the fleet's options do not go with the others."""
    if option.fleet_kinds != ALL and not option.fleet:
        raise FleetError(f"--fleet-kinds {option.fleet_kinds}: goes with --fleet ray://HOST:PORT")
    if option.fleet and (option.against_python or option.selftest):
        what = "--selftest" if option.selftest else "--against-python"
        raise FleetError(
            f"{what} with --fleet: is about one machine and what is installed there; next: run it on a node itself,"
            " without --fleet"
        )
    is_own = option.models_from or any(":" in text or "/" in text for text in option.models or ())
    if option.fleet and option.against and (is_own or PREFIX):
        raise FleetError(
            "--against with --fleet: compares the built-in models of two source trees of torch-vitals; next: for models"
            " of your own run the gate on a node itself, without --fleet"
        )
