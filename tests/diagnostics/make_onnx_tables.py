"""Writes the tables of ONNX operators: what ONNX Runtime declares, and which operators its CPU provider refuses.

    python tests/diagnostics/make_onnx_tables.py            (minutes; needs a package index)

Each pinned release is installed into a temporary folder of its own, asked there with one small
model per operator, opset and type, and removed again; `--releases` asks some of them and keeps the rows of the others.
It needs onnx 1.23.2, which makes the models.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RELEASES = ("1.23.2", "1.27.0", "1.30.0", "1.32.0")
TABLES = Path(__file__).parents[2] / "diagnostics" / "tables"
DOMAINS = ("", "ai.onnx.ml", "com.microsoft")
NEWEST_OPSETS = {"": 28, "ai.onnx.ml": 5, "com.microsoft": 1}
HAVE_GRAPHS = frozenset({"If", "Loop", "Scan", "SequenceMap"})
"""Operators that need a subgraph; ONNX Runtime has run them since its first release."""
MAX_COMBINATIONS = 100
VARIANTS: tuple[tuple[int | None, bool], ...] = (
    (None, False),
    (3, True),
    (4, True),
    (2, True),
    (1, True),
)
"""(rank of the inputs, whether all outputs are taken): some functions can be built only with these."""
OPTION_NAMES = {"Single": 0, "Optional": 1, "Variadic": 2}


def main() -> int:
    """Asks every release and writes `onnx_schemas.json` and `onnx_kernels.json`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ask", metavar="OUT", help="ask the ONNX Runtime of this interpreter")
    parser.add_argument("--releases", nargs="*", default=RELEASES)
    options = parser.parse_args()
    if options.ask:
        Path(options.ask).write_text(json.dumps(ask()), encoding="utf-8")
        return 0
    answers = [answer_of(release) for release in options.releases]
    dated = datetime.date.today().isoformat()
    newest = answers[-1]
    if newest["version"] == RELEASES[-1]:
        schemas = {"dated": dated, "onnxruntime": newest["version"], **newest["schemas"]}
        write(TABLES / "onnx_schemas.json", schemas, "operators")
    before = json.loads((TABLES / "onnx_kernels.json").read_text("utf-8"))
    kept, days = before["refused"], {**before["dated"], **dict.fromkeys(options.releases, dated)}
    asked = {
        answer["version"]: with_known(answer, kept.get(answer["version"], {})) for answer in answers
    }
    refused = {release: asked.get(release, kept.get(release, {})) for release in RELEASES}
    write(TABLES / "onnx_kernels.json", {"dated": days, "refused": refused}, "refused")
    return 0


def with_known(answer: dict[str, Any], known: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """What the release refuses; of operators that ended the process that asked, what was known of them before."""
    whole = {key: row for key, row in answer["refused"].items() if key not in answer["ended"]}
    return {**whole, **{key: known[key] for key in answer["ended"] if key in known}}


def answer_of(release: str) -> Any:
    """What one release says, installed into a folder of its own, beside this interpreter's packages, and removed."""
    with tempfile.TemporaryDirectory(prefix=f"onnxruntime-{release}-") as folder:
        install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", folder]
        subprocess.run([*install, f"onnxruntime=={release}"], check=True)
        out = Path(folder) / "answer.json"
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": folder}
        command = [sys.executable, __file__, "--ask", str(out)]
        subprocess.run(command, check=True, env=environment)
        answer = json.loads(out.read_text("utf-8"))
    if answer["version"] != release:
        raise SystemExit(f"asked for onnxruntime {release}, and {answer['version']} answered")
    return answer


def write(path: Path, data: dict[str, Any], long: str) -> None:
    """Writes JSON with one line per entry below `long`, so that differences can be read."""
    head = {key: value for key, value in data.items() if key != long}
    lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    parts = []
    for key, entries in data[long].items():
        rows = [
            f"   {json.dumps(name)}: {json.dumps(row, separators=(',', ':'))}"
            for name, row in sorted(entries.items())
        ]
        parts.append(f"  {json.dumps(key)}: {{\n" + ",\n".join(rows) + "\n  }")
    lines.append(f' "{long}": {{\n' + ",\n".join(parts) + "\n }")
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def ask() -> dict[str, Any]:
    """The schemas of this interpreter's ONNX Runtime, and what its CPU provider refuses."""
    import onnxruntime

    schemas = declared()
    refused, ended = refusals(schemas)
    return {
        "version": onnxruntime.__version__,
        "schemas": schemas,
        "refused": refused,
        "ended": ended,
    }


def declared() -> dict[str, Any]:
    """Inputs, outputs, types and attributes of every version of every operator."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    sets: list[str] = []
    operators: dict[str, dict[str, list[Any]]] = {domain: {} for domain in DOMAINS}
    for schema in state.get_all_operator_schema():
        if schema.domain not in operators:
            continue
        constraints = {}
        for item in schema.type_constraints:
            text = " ".join(sorted(item.allowed_type_strs))
            if text not in sets:
                sets.append(text)
            constraints[item.type_param_str] = sets.index(text)
        attributes = {
            name: [str(value.type).rpartition(".")[2].lower(), int(value.required)]
            for name, value in sorted(schema.attributes.items())
        }
        row = [
            schema.since_version,
            [formal(item) for item in schema.inputs],
            [formal(item) for item in schema.outputs],
            constraints,
            attributes,
            [limit(schema.min_input), limit(schema.max_input)],
            [limit(schema.min_output), limit(schema.max_output)],
            int(schema.deprecated),
        ]
        operators[schema.domain].setdefault(schema.name, []).append(row)
    for table in operators.values():
        for rows in table.values():
            rows.sort(key=lambda row: row[0])
    return {"type_sets": sets, "operators": operators}


def formal(item: Any) -> list[Any]:
    """Name, type or type parameter, 0 single 1 optional 2 variadic, 1 when all have one type."""
    option = OPTION_NAMES[str(item.option).rpartition(".")[2]]
    return [item.name, item.typeStr, option, int(item.isHomogeneous)]


def limit(count: int) -> int:
    """A number of inputs or outputs; -1 for any number."""
    return -1 if count > 1000 else count


def refusals(schemas: dict[str, Any]) -> tuple[dict[str, list[Any]], list[str]]:
    """`domain:operator` -> [first opset, last opset, type parameter, types], "*" for every type; and the operators that
    ended the process that asked, whose rows are not whole.
    """
    found: dict[str, list[Any]] = {}
    ended: list[str] = []
    for domain, operators in schemas["operators"].items():
        for name, rows in operators.items():
            if name in HAVE_GRAPHS:
                continue
            kept, has_ended = in_a_child(domain, name, rows, schemas["type_sets"])
            if kept:
                found[f"{domain}:{name}"] = merged(kept)
            if has_ended:
                ended.append(f"{domain}:{name}")
    return found, ended


def in_a_child(domain: str, name: str, rows: list[Any], sets: list[str]) -> tuple[list[Any], bool]:
    """The refusals of one operator, and whether the forked process that asks ended: some attributes abort it."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        with os.fdopen(write_end, "w", encoding="utf-8") as pipe:
            for first, last, row in spans(rows, NEWEST_OPSETS[domain]):
                for refusal in refused_in(domain, name, row, first, last, sets):
                    pipe.write(json.dumps(refusal) + "\n")
                    pipe.flush()
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, encoding="utf-8") as pipe:
        kept = [json.loads(line) for line in pipe]
    _, status = os.waitpid(child, 0)
    if status:
        print(f"{domain}:{name} ended the process that asked ({status})", file=sys.stderr)
    return kept, bool(status)


def spans(rows: list[Any], newest: int) -> Iterator[tuple[int, int, Any]]:
    """(first opset, last opset, schema) per opset: a function's body may change with the opset."""
    for index, row in enumerate(rows):
        end = rows[index + 1][0] - 1 if index + 1 < len(rows) else newest
        if row[7]:
            continue
        for opset in range(row[0], min(end, newest) + 1):
            yield opset, opset, row


def refused_in(
    domain: str, name: str, row: Any, first: int, last: int, sets: list[str]
) -> Iterator[list[Any]]:
    """Rows for the types that the CPU provider refuses at one opset."""
    choices = {param: sets[index].split() for param, index in row[3].items()}
    usual = {param: preferred(types) for param, types in choices.items()}
    if is_refused(domain, name, row, usual, first) and all(
        is_refused(domain, name, row, {**usual, param: kind}, first) is not False
        for param, types in choices.items()
        for kind in types
    ):
        yield [first, last, "", "*"]
        return
    for param, types in choices.items():
        is_input = any(formal[1] == param for formal in row[1])
        if not is_input and not (name in ("Cast", "BitCast") and param == "T2"):
            continue
        bad = [
            kind
            for kind in types
            if is_refused(domain, name, row, {**usual, param: kind}, first)
            and not is_taken_with_others(domain, name, row, param, kind, choices, first)
        ]
        if bad and len(bad) < len(types):
            yield [first, last, param, " ".join(bad)]


def is_taken_with_others(
    domain: str,
    name: str,
    row: Any,
    param: str,
    kind: str,
    choices: dict[str, list[str]],
    opset: int,
) -> bool:
    """True when the type has a kernel beside some types of the other parameters.

    Tries up to MAX_COMBINATIONS of them; beyond that the type counts as taken: unknown is no refusal.
    """
    others = [key for key in choices if key != param]
    combinations = itertools.product(*(choices[key] for key in others))
    for tried, chosen in enumerate(combinations):
        types = {**dict(zip(others, chosen, strict=True)), param: kind}
        if tried >= MAX_COMBINATIONS:
            return True
        if is_refused(domain, name, row, types, opset, variants=VARIANTS[:1]) is False:
            return True
    return False


def preferred(types: list[str]) -> str:
    """The type that is most likely to have a kernel."""
    order = ("tensor(float)", "tensor(int64)", "tensor(uint8)", "tensor(string)", "tensor(bool)")
    return next((kind for kind in order if kind in types), types[0])


def is_refused(
    domain: str,
    name: str,
    row: Any,
    types: dict[str, str],
    opset: int,
    variants: tuple[tuple[int | None, bool], ...] = VARIANTS,
) -> bool | None:
    """True for "not implemented", False when a session could be made, None for any other error."""
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    answer: bool | None = None
    for rank, has_all_outputs in variants:
        try:
            model = one_node(domain, name, row, types, opset, rank, has_all_outputs)
        except (KeyError, ValueError, TypeError, onnx.onnx_cpp2py_export.checker.ValidationError):
            return None
        try:
            onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            answer = True if "NOT_IMPLEMENTED" in str(error) else answer
        else:
            return False
        if answer is None:
            # Refused for another reason, which ranks will not change.
            return None
    return answer


def one_node(
    domain: str,
    name: str,
    row: Any,
    types: dict[str, str],
    opset: int,
    rank: int | None,
    has_all_outputs: bool,
) -> bytes:
    """A model of this operator and its required inputs, without shapes where `rank` is None, else of ones."""
    import onnx
    from onnx import TensorProto, helper

    names, inputs = [], []
    for position, (_, kind, option, _) in enumerate(row[1]):
        if option == 1 and position >= row[5][0]:
            break
        names.append(f"x{position}")
        proto = type_of(types.get(kind, kind))
        if rank is not None and proto.HasField("tensor_type"):
            for _ in range(rank):
                proto.tensor_type.shape.dim.add().dim_value = 1
        inputs.append(helper.make_value_info(f"x{position}", proto))
    outputs = [
        helper.make_value_info(f"y{position}", type_of(types.get(kind, kind)))
        for position, (_, kind, _, _) in enumerate(
            row[2][: None if has_all_outputs else max(1, row[6][0])]
        )
    ]
    # A domain as old as the operator is enough for the functions that are made of standard ones.
    values = {key: value_of(kind) for key, (kind, required) in row[4].items() if required}
    values.update(FIXED.get(name, {}))
    if name in ("Cast", "BitCast") and "T2" in types:
        values["to"] = TensorProto.DataType.Value(NAMES[types["T2"][7:-1]])
    output_names = [item.name for item in outputs]
    node = helper.make_node(name, names, output_names, domain=domain, **values)
    graph = helper.make_graph([node], "g", inputs, outputs)
    opsets = [helper.make_opsetid("", opset if domain == "" else 20)]
    opsets += [helper.make_opsetid(domain, opset)] if domain else []
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()


FIXED: dict[str, dict[str, Any]] = {
    "EyeLike": {"dtype": 1},
    "RandomUniform": {"shape": [1]},
    "RandomNormal": {"shape": [1]},
    "Einsum": {"equation": "i->i"},
    "Constant": {"value_float": 1.0},
}
"""Attributes that have to hold more than any value of their type."""


def value_of(kind: str) -> Any:
    """Some value of an attribute type."""
    return {"int": 1, "float": 1.0, "string": "x", "ints": [1], "floats": [1.0], "strings": ["x"]}[
        kind
    ]


def type_of(text: str) -> Any:
    """The TypeProto of a text such as `seq(tensor(float))`, without shapes."""
    from onnx import TensorProto, helper

    kind, _, inner = text.rstrip(" ").partition("(")
    inner = inner[:-1]
    if kind == "tensor":
        return helper.make_tensor_type_proto(TensorProto.DataType.Value(NAMES[inner]), None)
    if kind == "seq":
        return helper.make_sequence_type_proto(type_of(inner))
    if kind == "optional":
        return helper.make_optional_type_proto(type_of(inner))
    raise ValueError(text)


NAMES = {
    "float": "FLOAT", "uint8": "UINT8", "int8": "INT8", "uint16": "UINT16", "int16": "INT16",
    "int32": "INT32", "int64": "INT64", "string": "STRING", "bool": "BOOL", "float16": "FLOAT16",
    "double": "DOUBLE", "uint32": "UINT32", "uint64": "UINT64", "complex64": "COMPLEX64",
    "complex128": "COMPLEX128", "bfloat16": "BFLOAT16", "float8e4m3fn": "FLOAT8E4M3FN",
    "float8e4m3fnuz": "FLOAT8E4M3FNUZ", "float8e5m2": "FLOAT8E5M2",
    "float8e5m2fnuz": "FLOAT8E5M2FNUZ", "uint4": "UINT4", "int4": "INT4",
    "float4e2m1": "FLOAT4E2M1", "float8e8m0": "FLOAT8E8M0", "uint2": "UINT2", "int2": "INT2",
}  # fmt: skip


def merged(rows: list[Any]) -> list[Any]:
    """The rows with neighbouring opsets joined where they refuse the same."""
    found: list[Any] = []
    for row in sorted(rows, key=lambda item: (item[2], item[3], item[0])):
        last = found[-1] if found else None
        if last and last[2:] == row[2:] and last[1] + 1 == row[0]:
            last[1] = row[1]
        else:
            found.append(list(row))
    return found


if __name__ == "__main__":
    sys.exit(main())
