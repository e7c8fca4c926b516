"""The command `mcp`: a read-only server of the doctor's checks for programs, over the Model Context Protocol.

It speaks JSON-RPC on standard input and output, through the official SDK (the extra `mcp`). Each tool returns the JSON
of the command of the same name; nothing is installed, changed or run but what that command itself asks.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

USAGE = 2
SDK = "mcp>=2"
INSTRUCTIONS = (
    "Diagnoses PyTorch environments on the machine that this server runs on. Every tool only reads: the commands in "
    "`fixes` are for the user to run. `exit_code` is that of the command line: 0 no errors, 1 errors, 2 not "
    "understood, 3 a check crashed, 4 could not look or cannot tell."
)


def doctor(
    select: list[str] | None = None, ignore: list[str] | None = None, python: str = ""
) -> dict[str, Any]:
    """What is wrong with a PyTorch environment: root causes with evidence and the commands that cure them.

    `select` and `ignore` hold codes, areas or patterns such as `ort-*`; `python` is another interpreter or the folder
    of a virtual environment, in place of the one that this server runs in.
    """
    from diagnostics.checkup import Checkup
    from diagnostics.doctor import FACTS_MISSING, chosen, run
    from diagnostics.gather import gather
    from diagnostics.redact import for_this_machine
    from diagnostics.render.document import document

    start = time.perf_counter()
    unwanted = tuple(ignore or ())
    selected = tuple(item for item in chosen(select or (), unwanted) if not item.deep)
    environment = gather(python or None)
    checkup = Checkup(
        environment=environment,
        results=tuple(run(item, environment) for item in selected),
        excused=not any(item.code == FACTS_MISSING for item in chosen((), unwanted)),
        seconds=time.perf_counter() - start,
    )
    labels = (build.version for build in environment.builds.values())
    return document(checkup, for_this_machine({*environment.packages.values(), *labels}))


def lint(target: str, python_version: str = "") -> dict[str, Any]:
    """Whether an install can work, before it is downloaded; offline, from dated tables.

    `target` is a command such as `pip install torch==2.6.0 torchvision==0.20.0`, or the path of a requirements file, a
    project, a lock file, an environment.yaml or a Dockerfile; `python_version` such as `3.12`.
    """
    from diagnostics.lint.cli import judge_target

    findings, unread, code = judge_target(target, python_version or None)
    return _found([*findings, *unread], code)


def explain(text: str) -> dict[str, Any]:
    """The cause and the cure of the errors in a text: a traceback, a log, an installer's output."""
    from diagnostics.explain.explainer import explain as findings_of
    from diagnostics.explain.output import exit_code

    findings = findings_of(text, source="text", python=sys.executable, unknown=True)
    return _found(findings, exit_code(findings))


def model(path: str, runtime: str = "") -> dict[str, Any]:
    """Why Netron or ONNX Runtime cannot load a model file, read from its bytes.

    `runtime` is a version of ONNX Runtime to judge for, in place of the installed one, which is asked as well.
    """
    from diagnostics.explain.output import exit_code
    from diagnostics.model import limits
    from diagnostics.model.inspection import inspect

    installed = limits.installed()
    version = runtime or installed
    findings = inspect(
        Path(path), runtime=version, asks=version is not None and version == installed
    )
    return _found(findings, exit_code(findings))


def fit(
    model: str,
    gpu: str = "",
    training: bool = False,
    dtype: str = "",
    cache_dtype: str = "",
    context: int = 0,
    batch: int = 1,
    attention: str = "sdpa",
    optimizer: str = "adamw",
    trainable: float = 1.0,
    checkpointing: bool = False,
) -> dict[str, Any]:
    """Whether a model fits a card: weights, activations, key-value cache and, in training, gradients and states.

    `model` is a config.json, a .safetensors or .onnx file, a folder with them, or a number of parameters such as `7B`;
    `gpu` a card such as `RTX 4090` or its GB, in place of the cards of this machine; `trainable` the share of the
    parameters that is trained.
    """
    from diagnostics.fit.cli import ask, exit_code
    from diagnostics.fit.document import document

    answers = ask(
        model,
        gpu=gpu or None,
        training=training,
        dtype=dtype or None,
        cache_dtype=cache_dtype or None,
        context=context or None,
        batch=batch,
        attention=attention,
        optimizer=optimizer,
        trainable=trainable,
        checkpointing=checkpointing,
    )
    return document(answers, exit_code(answers))


TOOLS: tuple[Callable[..., dict[str, Any]], ...] = (doctor, lint, explain, model, fit)
"""A function's name, parameters and docstring are the tool's name, schema and description."""


def _found(findings: Any, code: int) -> dict[str, Any]:
    """Return the findings in the schema of the command line's `--json`, redacted, with the exit code."""
    from diagnostics.explain.output import as_json
    from diagnostics.redact import for_this_machine

    return {**json.loads(as_json(findings, for_this_machine())), "exit_code": code}


def main(arguments: list[str]) -> int:
    """Serve until the client closes standard input: 0, or 2 for usage or a missing SDK."""
    parser = argparse.ArgumentParser(
        prog="python -m diagnostics mcp",
        description=f"Serves {', '.join(tool.__name__ for tool in TOOLS)} over the Model Context Protocol, on standard "
        "input and output; read-only.",
    )
    try:
        parser.parse_args(arguments)
    except SystemExit as stop:
        return USAGE if stop.code else 0
    try:
        from mcp.server import MCPServer
        from mcp.types import ToolAnnotations
    except ImportError as error:
        reason = "is not installed" if error.name == "mcp" else f"is too old or broken ({error})"
        print(
            f"python -m diagnostics mcp: the MCP SDK {reason}: {sys.executable} -m pip install '{SDK}'",
            file=sys.stderr,
        )
        return USAGE
    gc.enable()  # the command line turns it off for its short visits
    server = MCPServer("torch-vitals", instructions=INSTRUCTIONS, log_level="WARNING")
    for tool in TOOLS:
        server.add_tool(
            _with_plain_errors(tool),
            annotations=ToolAnnotations(
                read_only_hint=True, idempotent_hint=True, open_world_hint=False
            ),
        )
    server.run("stdio")
    return 0


def _with_plain_errors(tool: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Return the tool with the one-sentence errors of the command line, which the SDK would keep to itself."""
    import functools

    from mcp.server.mcpserver.exceptions import ToolError

    @functools.wraps(tool)
    def answer(*values: Any, **named: Any) -> dict[str, Any]:
        try:
            return tool(*values, **named)
        except (ValueError, OSError) as error:
            raise ToolError(str(error)) from None

    return answer
