"""Delivery of a site: served from loopback until Ctrl-C, or written as a folder."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import webbrowser
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from threading import Event, current_thread, main_thread
from typing import Any, Final

from bench.netron.server import Answer, Server

MARK: Final = ".vitals-review"
"""File in every bundle that marks it as replaceable."""
ONNX: Final = frozenset(
    {
        *("base", "boot", "browser", "dagre", "favicon", "flatbuffers", "flexbuffers", "grapher"),
        *("hdf5", "icon", "index", "json", "message", "mlnet", "onnx", "protobuf", "python"),
        *("pytorch", "tar", "text", "tflite", "view", "worker", "xml", "zip"),
    }
)
"""Stems of Netron's files that are needed to open an ONNX graph."""


def serve(site: Mapping[str, Answer], *, browse: bool) -> None:
    """Print the address and serve until Ctrl-C or a SIGTERM. Raises OSError if no port can be bound."""
    ended = Event()

    def end(*_: Any) -> None:
        ended.set()

    before = {}
    if current_thread() is main_thread():
        before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with Server({**site, "": site["index.html"]}) as server:
            print(f"Review: {server.address}   (Ctrl-C ends it)", flush=True)
            if browse and not _opened(server.address):
                print("no browser was opened; copy the address into one", file=sys.stderr)
            while not ended.wait(3600):
                pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    print("ended")


def for_bundle(site: Mapping[str, Answer]) -> dict[str, Answer]:
    """Return the site without the files of Netron that only formats other than ONNX need, if none are present."""
    if any(path.endswith(".pt2") for path in site):
        return dict(site)
    return {
        path: answer
        for path, answer in site.items()
        if path.count("/") != 1
        or not path.startswith("netron/")
        or path.endswith((".html", "LICENSE"))
        or Path(path).stem.removesuffix("-metadata").removesuffix("-proto").removesuffix("-schema")
        in ONNX
    }


def write_bundle(site: Mapping[str, Answer], folder: Path) -> int:
    """Write every answer as a file below `folder`; return the bytes written. Raises OSError, and ValueError for a
    folder in use.

    An earlier bundle is replaced; a folder that holds anything else is not changed.
    """
    mark = folder / MARK
    if folder.exists() and any(folder.iterdir()) and not mark.is_file():
        raise ValueError(
            f"{folder} is not empty and no bundle; name another folder, or empty it first"
        )
    if folder.exists():
        shutil.rmtree(folder)
    total = 0
    for path, answer in site.items():
        target = folder / PurePosixPath(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(answer.body, bytes):
            target.write_bytes(answer.body)
        else:
            shutil.copyfile(answer.body, target)
        total += target.stat().st_size
    mark.write_text("made by: python -m bench review --bundle\n", encoding="utf-8")
    return total


def _opened(address: str) -> bool:
    """Return whether a browser was opened: only with a graphical display; one inside a terminal would hide the
    address.
    """
    has_screen = sys.platform in ("darwin", "win32") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    return has_screen and webbrowser.open(address)
