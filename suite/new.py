"""`python -m suite new WHAT`: a complete, commented record for a name or a function of a file, to start from."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from pprint import pformat
from typing import Any

from suite.axes import OPEN, TASKS
from suite.catalog import CatalogError
from suite.origins.reference import PYTHON, Reference, parse
from suite.origins.resolve import CACHE, resolve
from suite.spec import ModelSpec

BUILDS = {
    "timm": "    import timm\n\n    return timm.create_model({target!r}, pretrained=False)\n",
    "torchvision": "    from torchvision.models import get_model\n\n    return get_model({target!r}, weights=None)\n",
    "hf": "    from transformers import AutoConfig\n    from {module} import {name}\n\n"
    "    return {name}(AutoConfig.for_model({target!r}, **settings))\n",
    PYTHON: "    from {stem} import {name}\n\n    return {name}()\n",
}
"""Kind of origin -> body of `build`."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "what", metavar="WHAT", help="timm:NAME, torchvision:NAME, hf:TYPE, my_file.py:Class"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: the terminal")


def main(arguments: argparse.Namespace) -> int:
    """Write the record; return 0, or 2 if there is no such model or the file is there already."""
    try:
        reference = parse(arguments.what)
        if reference is None or reference.is_glob or reference.kind not in BUILDS:
            raise CatalogError(
                f"{arguments.what}: expected one name of a library or my_file.py:Class, e.g. timm:resnet18"
            )
        spec = next(iter(resolve([reference], CACHE).values()))[1]
    except CatalogError as error:
        print(f"python -m suite new: {error}", file=sys.stderr)
        return 2
    text = record_text(reference, spec)
    if arguments.out is None:
        print(text, end="")
        return 0
    try:
        with arguments.out.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        print(
            f"python -m suite new: {arguments.out} is not written: {error.strerror}",
            file=sys.stderr,
        )
        return 2
    print(f"{arguments.out}: next: python -m suite check {arguments.out}")
    return 0


def record_text(reference: Reference, spec: ModelSpec) -> str:
    """Return a models file with the record of the described model."""
    module, _, name = (spec.tags or (":",))[0].partition(":")
    if reference.kind == PYTHON:
        name = reference.target.rpartition(":")[2]
    stem = reference.path.stem if reference.path else ""
    body = BUILDS[reference.kind].format(
        target=reference.target, module=module, name=name, stem=stem
    )
    settings = {s: dict(size.build.get("settings", {})) for s, size in spec.sizes.items()}
    takes = "**settings" if any(settings.values()) or reference.kind == "hf" else ""
    lines = [
        f'"""A record of {reference.kind}:{Path(reference.target).name}, to start from: docs/your-models.md."""',
        "",
        "from suite.spec import Export, ModelSpec, Size",
        "",
        "",
        f"def build({takes}):",
        body,
    ]
    is_open = spec.task == OPEN
    advice = "" if reference.kind == PYTHON else "; random ones here: give real ones"
    if is_open:
        lines += [
            "",
            f"def inputs():  # ready tensors by argument of forward{advice}",
            *(f"    {line}".rstrip() for line in _inputs_lines(reference, spec)),
            "",
        ]
    lines += [
        "",
        "MODELS = (",
        "    ModelSpec(",
        f"        name={spec.name.replace('.', '_')!r},",
        *([] if is_open else [f"        task={spec.task!r},  # metric: {TASKS[spec.task].metric}"]),
        "        build=build,",
        *(["        inputs=inputs,"] if is_open else []),
        f"        outputs={spec.outputs!r},  # one name per tensor that the model returns, in order",
        *(
            [f"        arguments={dict(spec.arguments)!r},"]
            if spec.arguments and not is_open
            else []
        ),
        *([f"        head={spec.head!r},  # never pruned"] if spec.head else []),
        f"        requires={spec.requires!r},  # imported once, not in every cell",
        "        sizes={",
    ]
    for size, held in spec.sizes.items():
        entries = {} if is_open else dict(held.inputs)
        lines.append(f"            {size!r}: Size(build={settings[size]!r}, inputs={entries!r}),")
    lines += [
        "        },",
        "        # the axes of the ONNX graph that stay open, by input",
        f"        export=Export(dynamic={_plain(spec.export.dynamic)}),",
        "    ),",
        ")",
    ]
    return "\n".join(lines) + "\n"


def _inputs_lines(reference: Reference, spec: ModelSpec) -> list[str]:
    """Return the body of `inputs` for an open task."""
    if reference.kind == PYTHON and reference.path is not None:
        return [f"from {reference.path.stem} import example_inputs", "", "return example_inputs()"]
    module = {"timm": "timm", "torchvision": "torchvision", "hf": "transformers"}[reference.kind]
    size = next(iter(spec.sizes.values()))
    given = ", ".join(f"{key}={value!r}" for key, value in size.inputs.items())
    return [
        f"from suite.origins import {module} as origin",
        "",
        f"record = origin.describe({reference.target!r})",
        f"return record.inputs({given})",
    ]


def _plain(axes: Mapping[str, Any]) -> str:
    return pformat({name: dict(held) for name, held in axes.items()}, width=80).replace(
        "\n", "\n        "
    )
