"""Checks that the packages that torch.onnx.export needs are installed and compatible."""

from __future__ import annotations

from collections.abc import Iterator

from diagnostics.environment import Environment
from diagnostics.finding import Finding, Level
from diagnostics.finding_builders import finding, listing
from diagnostics.install_commands import install
from diagnostics.registry import Skipped, check, need
from diagnostics.requirement import parse_requirement
from diagnostics.version import allows

PROTOBUF_USERS = ("onnx", "onnxruntime", "onnxruntime-gpu", "onnxscript", "tensorboard")


@check("onnxscript-missing", "The exporter has onnxscript", "onnx")
def onnxscript(environment: Environment) -> Iterator[Finding]:
    """Torch's default exporter needs onnxscript, which is not installed.

    Why: since torch 2.9: `No module named 'onnxscript'` from torch.onnx.export.
    Cure: install it beside onnx.
    """
    torch = need(environment.torch, "torch is not installed")
    if "onnx" not in environment.packages:
        raise Skipped("onnx is not installed")
    if "onnxscript" in environment.packages:
        return
    new = allows(">=2.9", torch.version.partition("+")[0])
    yield finding(
        Level.WARN if new else Level.INFO,
        f"onnxscript is missing: torch.onnx.export of torch {torch.version} needs it"
        + ("" if new else " with dynamo=True"),
        cause="it is no dependency of torch",
        evidence={"onnxscript": "not installed", "torch": torch.version},
        fixes=(install(environment, "onnxscript", why="brings the default exporter's library"),),
        explains=("deep-export", "deep-onnxruntime*"),
    )


@check("onnx-missing", "The exporter has onnx", "onnx")
def onnx(environment: Environment) -> Iterator[Finding]:
    """onnx is not installed although an installed package works with ONNX files.

    Why: `Module onnx is not installed!` from torch.onnx.export. Cure: install it with onnxscript.
    """
    need(environment.torch, "torch is not installed")
    if "onnx" in environment.packages:
        return
    partners = {"onnxscript", "onnxruntime", "onnxruntime-gpu", "netron"} & set(
        environment.packages
    )
    yield finding(
        Level.WARN if partners else Level.INFO,
        "onnx is not installed: torch.onnx.export will not work",
        cause="it is no dependency of torch",
        evidence={"onnx": "not installed"},
        fixes=(install(environment, "onnx", "onnxscript", why="brings both libraries"),),
        explains=("deep-export", "deep-onnxruntime*", "deep-import:onnx"),
    )


@check("protobuf-too-old", "protobuf fits onnx", "onnx")
def protobuf(environment: Environment) -> Iterator[Finding]:
    """Protobuf is older than what onnx's generated code asks for.

    Why: another package required an older version: `cannot import name 'runtime_version'`,
    `Descriptors cannot be created directly`. Cure: the range that onnx declares.
    """
    have = environment.packages.get("protobuf")
    if not have or "onnx" not in environment.packages:
        raise Skipped("onnx and protobuf are not both installed")
    asked: dict[str, str] = {}
    for item in environment.distributions:
        for line in item.requires if item.name in PROTOBUF_USERS else ():
            wanted = parse_requirement(line)
            if wanted and wanted.name == "protobuf" and "extra" not in wanted.marker:
                asked[f"{item.name} {item.version}"] = wanted.ranges.replace(" ", "")
    refusing = {name: ranges for name, ranges in asked.items() if not allows(ranges, have)}
    if not refusing:
        return
    names = [name.partition(" ")[0] for name in refusing]
    every = ",".join(dict.fromkeys(ranges for ranges in asked.values() if ranges))
    yield finding(
        Level.ERROR,
        f"protobuf {have} does not fit {listing(list(refusing))}",
        subject=names[0],
        cause="; ".join(f"{name} asks for protobuf{ranges}" for name, ranges in refusing.items()),
        evidence={"protobuf": have, **refusing},
        fixes=(
            install(environment, f"protobuf{every}", why="brings a version that all of them take"),
        ),
        explains=(
            "dependency-unmet:protobuf",
            "deep-import:onnx*",
            "deep-export",
            "deep-onnxruntime*",
        ),
    )


@check("netron-port", "Netron's usual port is free", "netron")
def netron_port(environment: Environment) -> Iterator[Finding]:
    """Another program uses port 8080.

    Why: Netron fails with `Address already in use` when that address is requested; otherwise it
    chooses another port. Cure: `--port`.
    """
    if "netron" not in environment.packages:
        raise Skipped("netron is not installed")
    port = need(environment.ports).taken.get("netron")
    if port:
        yield finding(
            Level.INFO,
            f"port {port} is taken by another program; Netron will pick another one",
            evidence={f"bind 127.0.0.1:{port}": "in use"},
            fixes=(),
        )
