"""The server for programs: really started over standard input and output, and asked by the SDK's own client."""

from __future__ import annotations

import asyncio
import importlib.abc
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from diagnostics import mcp_server
from diagnostics.cli import main

ROOT = Path(__file__).parents[2]
SERVER = StdioServerParameters(
    command=sys.executable, args=["-m", "diagnostics", "mcp"], cwd=str(ROOT)
)
TRACEBACK = "RuntimeError: mat1 and mat2 shapes cannot be multiplied (32x256 and 512x10)"


def asked(*calls: tuple[str, dict[str, Any]]) -> tuple[dict[str, Any], list[Any]]:
    """The tools by name, and the result of every call, of one server."""

    async def talk() -> tuple[dict[str, Any], list[Any]]:
        async with Client(SERVER, read_timeout_seconds=120) as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            return tools, [await client.call_tool(name, given) for name, given in calls]

    return asyncio.run(talk())


def test_a_client_finds_five_read_only_tools_and_gets_the_commands_json(tmp_path: Path) -> None:
    broken = tmp_path / "m.onnx"
    broken.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 5\n")
    tools, results = asked(
        ("doctor", {"select": ["python", "variables"]}),
        (
            "lint",
            {"target": "pip install torch==2.6.0 torchvision==0.20.0", "python_version": "3.12"},
        ),
        ("explain", {"text": TRACEBACK}),
        ("model", {"path": str(broken)}),
        ("fit", {"model": "7B", "gpu": "8"}),
        ("lint", {"target": "torch", "python_version": "three"}),
        ("fit", {"model": "7B", "optimizer": "lion"}),
        ("doctor", {"select": ["pyhton"]}),
    )
    assert set(tools) == {"doctor", "lint", "explain", "model", "fit"}
    assert all(tool.annotations.read_only_hint for tool in tools.values())
    assert all(tool.description for tool in tools.values())
    assert tools["fit"].input_schema["required"] == ["model"]

    visit, linted, explained, inspected, fitting, *refused = results
    assert {row["area"] for row in visit.structured_content["results"]} == {"python", "variables"}
    assert visit.structured_content["tool"] == "torch-vitals doctor"
    codes = [row["code"] for row in linted.structured_content["findings"]]
    assert (codes, linted.structured_content["exit_code"]) == (["tutorial-pair"], 1)
    assert explained.structured_content["findings"][0]["code"] == "shape-mm"
    assert inspected.structured_content["findings"][0]["code"] == "lfs-pointer"
    assert fitting.structured_content["cards"][0]["verdict"] == "does not fit"
    for result in results[:5]:
        assert not result.is_error
        assert result.structured_content["schema"] == 1
        assert json.loads(result.content[0].text) == result.structured_content

    assert all(result.is_error for result in refused)
    said = [result.content[0].text for result in refused]
    assert "expected a version such as 3.12" in said[0]
    assert "--optimizer 'lion': expected one of adamw" in said[1]
    assert "did you mean python" in said[2]
    assert not any("Traceback" in text for text in said)


def test_each_tool_answers_with_the_json_of_its_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log.txt"
    log.write_text(TRACEBACK)
    assert main(["explain", str(log), "--json"]) == 1
    mine = mcp_server.explain(TRACEBACK)["findings"]
    theirs = json.loads(capsys.readouterr().out)["findings"]
    assert [row["code"] for row in mine] == [row["code"] for row in theirs]
    assert mine[0].keys() == theirs[0].keys()
    assert main(["fit", "7B", "--gpu", "8", "--json"]) == 1
    assert mcp_server.fit("7B", gpu="8") == json.loads(capsys.readouterr().out)


def test_without_the_sdk_one_sentence_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Absent(importlib.abc.MetaPathFinder):
        def find_spec(self, name: str, path: object, target: object = None) -> None:
            if name.split(".")[0] == "mcp":
                raise ModuleNotFoundError(f"No module named {name!r}", name="mcp")

    for name in [name for name in sys.modules if name.split(".")[0] == "mcp"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Absent(), *sys.meta_path])
    assert main(["mcp"]) == 2
    said = capsys.readouterr().err
    assert "the MCP SDK is not installed" in said
    assert "-m pip install 'mcp>=2'" in said
    assert said.count("\n") == 1
