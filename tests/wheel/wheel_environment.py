"""Building the wheel of this tree, and an environment that has it."""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]


def build(folder):
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=300)
    (wheel,) = folder.glob("*.whl")
    return wheel


def environment(folder, wheel, *, libraries):
    """Return the `bin` of an environment with the wheel, that sees this interpreter's libraries or none."""
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    if libraries:
        (site,) = folder.glob("lib/python*/site-packages")
        # A folder that a .pth names is searched, but the .pth files in it are not read: no checkout gets in.
        (site / "libraries.pth").write_text(sysconfig.get_paths()["purelib"])
    install = ["-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index", wheel]
    subprocess.run(
        [sys.executable, *map(str, install)], check=True, capture_output=True, timeout=300
    )
    return folder / "bin"
