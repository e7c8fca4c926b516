"""Known weaknesses of the direct dependencies installed here, as pip-audit's database tells; no reason to fail.

    python tests/faults/audit.py [--strict]

Without pip-audit, or where its database cannot be reached, the versions are told and the exit code is 0; --strict ends
with 1 when something is known.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, requires, version

SECONDS = 120


def versions() -> dict[str, str]:
    """Name -> version of every direct dependency that is installed."""
    found = {}
    for line in requires("torch-vitals") or ():
        name = re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0]
        try:
            found[name] = version(name).partition("+")[0]  # a build's own label is in no database
        except PackageNotFoundError:
            continue
    return {name: found[name] for name in sorted(found) if name != "torch-vitals"}


def audit() -> tuple[list[str], str]:
    """What is known of the direct dependencies, a line each; and why nothing could be asked."""
    options = ["--format", "json", "--progress-spinner", "off", "--timeout", "15", "--no-deps"]
    try:
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.writelines(f"{name}=={number}\n" for name, number in versions().items())
            file.flush()
            done = subprocess.run(
                [sys.executable, "-m", "pip_audit", *options, "--disable-pip", "-r", file.name],
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
    except subprocess.TimeoutExpired:
        return [], f"no answer within {SECONDS} s"
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return [], last[:200]
    unknown = [one["name"] for one in packages if "skip_reason" in one]
    if len(unknown) == len(packages):
        return [], "its database knows none of these versions"
    if unknown:
        print(f"not in the database: {', '.join(unknown)}")
    return [
        f"{one['name']} {one['version']}: {known['id']}, cured in"
        f" {', '.join(known['fix_versions']) or 'no version yet'}"
        for one in packages
        for known in one.get("vulns", ())
    ], ""


def main() -> int:
    """Print what is known, or what is installed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strict", action="store_true")
    asked = parser.parse_args()
    known, why_not = audit()
    if why_not:
        print(f"not audited ({why_not}); installed:")
        print("\n".join(f"{name} {number}" for name, number in versions().items()))
        return 0
    print("\n".join(known) or "audited: nothing is known of these versions")
    return int(asked.strict and bool(known))


if __name__ == "__main__":
    sys.exit(main())
