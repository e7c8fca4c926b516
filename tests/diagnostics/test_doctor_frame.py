"""The frame around the checks: isolation, causes before consequences, exit codes, purity."""

from __future__ import annotations

import ast
import builtins
import json
import os
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sample_environments import healthy, with_gpu
from test_doctor_rows import CUDNN, ROWS, UNRESOLVED, damaged

import diagnostics.checks
from diagnostics import records as a
from diagnostics.checkup import Checkup
from diagnostics.doctor import UnknownCode, chosen, examine, exit_code, reduce, run
from diagnostics.environment import Environment
from diagnostics.finding import Finding, Level
from diagnostics.registry import AREAS, Check, CheckResult, checks


def found(code: str, level: Level = Level.ERROR, **fields: Any) -> CheckResult:
    finding = Finding(code=code, area="files", level=level, summary=code, **fields)
    return CheckResult(code=code, title=code, area="files", status=level, findings=(finding,))


def test_a_check_that_raises_is_a_crash_and_the_others_still_run() -> None:
    def broken(_: object) -> list[Finding]:
        raise KeyError("oops")

    item = Check(code="x", title="x", area="files", examine=broken, deep=False)
    result = run(item, healthy())
    assert result.status is Level.CRASH
    assert "KeyError: 'oops'" in result.reason
    assert "of broken" in result.reason
    assert exit_code([result, found("y")]) == 3


@pytest.mark.parametrize(
    ("levels", "strict", "code"),
    [
        ([], False, 0),
        ([Level.INFO], True, 0),
        ([Level.WARN], False, 0),
        ([Level.WARN], True, 1),
        ([Level.WARN, Level.ERROR], False, 1),
        ([Level.ERROR, Level.CRASH], False, 3),
    ],
)
def test_the_exit_code_follows_the_worst_level(
    levels: list[Level], strict: bool, code: int
) -> None:
    assert (
        exit_code([found(str(n), level) for n, level in enumerate(levels)], strict=strict) == code
    )


def test_what_could_not_be_looked_at_has_an_exit_code_of_its_own() -> None:
    late = healthy(errors={"files": "no answer within 30 s"}, files=None)
    results = tuple(examine(late))
    assert exit_code(results) == 4
    assert exit_code(results, strict=True) == 4
    assert exit_code([*results, found("x")]) == 1
    checkup = Checkup(environment=late, results=results)
    assert checkup.exit_code == 4
    some = tuple(examine(late, select=["shm-too-small"]))
    assert Checkup(environment=late, results=some).exit_code == 4
    assert Checkup(environment=late, results=some, excused=True).exit_code == 0
    assert Checkup(environment=healthy(errors={"git": "x"}), results=some).exit_code == 0


def test_a_consequence_is_folded_under_its_cause() -> None:
    results = [found("effect"), found("cause", explains=("effect",))]
    (only,) = reduce(results)
    assert only.finding.code == "cause"
    assert [item.code for item in only.consequences] == ["effect"]


def test_a_chain_of_causes_folds_under_its_first_link() -> None:
    results = [
        found("c"),
        found("b", explains=("c",)),
        found("a", explains=("b",)),
    ]
    (only,) = reduce(results)
    assert only.finding.code == "a"
    assert {item.code for item in only.consequences} == {"b", "c"}


def test_causes_that_explain_each_other_do_not_both_vanish() -> None:
    results = [found("a", explains=("b",)), found("b", explains=("a",))]
    (only,) = reduce(results)
    assert {only.finding.code, *(item.code for item in only.consequences)} == {"a", "b"}


def test_a_subject_limits_what_is_explained() -> None:
    results = [
        found("import", subject="torch"),
        found("import", subject="onnx"),
        found("cause", explains=("import:torch",)),
    ]
    roots = [(item.finding.code, item.finding.subject) for item in reduce(results)]
    assert roots == [("import", "onnx"), ("cause", "")]


def test_information_explains_nothing_away() -> None:
    results = [found("effect"), found("note", Level.INFO, explains=("effect",))]
    assert [item.finding.code for item in reduce(results)] == ["effect", "note"]


def test_errors_come_before_warnings() -> None:
    roots = reduce([found("w", Level.WARN), found("i", Level.INFO), found("e")])
    assert [item.finding.code for item in roots] == ["e", "w", "i"]


def test_a_lost_library_is_one_cause_with_everything_below_it() -> None:
    loss = damaged("missing").files
    environment = healthy(
        files=loss,
        linkage=a.Linkage(unresolved=(UNRESOLVED,)),
        trials=(a.Trial(name="import:torch", outcome="failed", detail="libcudnn.so.9"),),
    )
    roots = [d for d in reduce(examine(environment)) if d.finding.level is Level.ERROR]
    (only,) = roots
    assert (only.finding.code, only.finding.subject) == ("file-missing", CUDNN)
    assert {item.code for item in only.consequences} == {"nvidia-lib-missing", "deep-import"}


def test_an_unknown_code_is_answered_with_the_nearest_ones() -> None:
    with pytest.raises(UnknownCode, match="did you mean shm-too-small"):
        chosen(["shm-to-small"])


def test_codes_areas_and_patterns_can_be_selected() -> None:
    assert {item.code for item in chosen(["ort-*"], ["ort-both"])} >= {"ort-gutted"}
    assert all(item.area == "quiet" for item in chosen(["quiet"]))
    assert "ort-both" not in {item.code for item in chosen([], ["ort-both"])}


def test_no_check_touches_files_network_or_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    every = checks()

    def banned(*_: object, **__: object) -> Any:
        raise AssertionError("a check did input or output")

    for module, names in (
        (builtins, ("open",)),
        (socket, ("socket", "getaddrinfo")),
        (subprocess, ("Popen", "run")),
        (os, ("open", "stat", "listdir", "scandir", "access", "system", "statvfs")),
    ):
        for name in names:
            monkeypatch.setattr(module, name, banned)
    results = [run(item, row.environment) for row in ROWS for item in every if not item.deep]
    results += [run(item, with_gpu()) for item in every]
    monkeypatch.undo()
    assert [result.reason for result in results if result.status is Level.CRASH] == []


def test_no_check_imports_what_could_do_so() -> None:
    banned = {"os", "subprocess", "socket", "torch", "pathlib", "shutil", "ctypes", "io"}
    for path in Path(diagnostics.checks.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in getattr(node, "names", [])]
            module = getattr(node, "module", None) or ""
            if isinstance(node, ast.Import):
                assert not banned & {name.split(".")[0] for name in names}, path.name
            elif isinstance(node, ast.ImportFrom):
                assert module.split(".")[0] not in banned, path.name


def test_one_accident_in_many_packages_is_one_finding_with_one_command() -> None:
    names = ("nvidia-cublas", "nvidia-cudnn-cu13", "onnx", "netron")
    losses = tuple(
        a.Loss(distribution=name, num_files=9, num_missing=1, num_changed=0) for name in names
    )
    damages = tuple(
        a.Damage(distribution=name, path=f"/s/{name}/lib.so", kind="missing") for name in names
    )
    environment = healthy(files=a.Files(losses=losses, damages=damages))
    (result,) = examine(environment, select=["file-missing"])
    (only,) = result.findings
    assert only.summary.startswith("4 packages have lost files")
    assert only.fixes[0].argv[-2:] == ("onnx==1.23.2", "netron==9.3.3")


def test_a_package_that_many_ask_for_is_named_once() -> None:
    from sample_environments import VERSIONS, installed

    fields = installed({name: v for name, v in VERSIONS.items() if name != "numpy"})
    (result,) = examine(healthy(**fields), select=["dependency-unmet"])
    (only,) = result.findings
    assert only.fixes[0].argv[-1] == "numpy>=1.17,>=1.23.2"
    assert only.subject == "numpy"


def test_every_machine_survives_being_saved_and_replayed() -> None:
    for row in ROWS:
        text = json.dumps(row.environment.as_dict())
        assert Environment.from_dict(json.loads(text)) == row.environment


def test_facts_of_another_version_are_read_as_far_as_they_go() -> None:
    data = healthy().as_dict()
    data["unheard_of"] = 1
    del data["hub"]
    assert Environment.from_dict(data).hub is None
    with pytest.raises(ValueError, match="schema 99"):
        Environment.from_dict(data | {"schema": 99})
    with pytest.raises(ValueError, match=r"Environment\.system: System\.load: expected float"):
        Environment.from_dict(data | {"system": {"load": "high"}})


def test_labels_interpreter_checkout_and_gpus_are_attributes_of_a_document() -> None:
    there = with_gpu(git=a.Repository(commit="4be1c0ffee7d", dirty=True))
    document = json.loads(json.dumps({**there.as_dict(), "findings": [], "fingerprint": "x"}))
    found = Environment.from_dict(document)
    assert (found.versions["torch"], found.versions["onnx"]) == ("2.15.0+cu132", "1.23.2")
    assert (found.python.version, found.gpus[0].name) == ("3.11.7", "NVIDIA H100")
    assert (found.git.commit, found.git.dirty) == ("4be1c0ffee7d", True)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"schema": "one"}, "Environment.schema: expected int, got str"),
        ({"python": "3.12.1"}, "Environment.python: expected an object for Interpreter, got str"),
        ({"gpus": 5}, "Environment.gpus: expected a list, got int"),
        ({"gpus": [{"index": "0"}]}, r"Environment.gpus: \[0\]: Gpu.index: expected int, got str"),
        ({"builds": [1]}, "Environment.builds: expected an object, got list"),
        ({"builds": {"torch": {}}}, r"Environment.builds: \['torch'\]: Build.package is missing"),
        ({"driver": 1}, "Environment.driver: expected an object for Driver, got int"),
    ],
)
def test_a_document_of_another_shape_is_refused_with_its_field(
    change: dict[str, Any], field: str
) -> None:
    with pytest.raises(ValueError, match=field):
        Environment.from_dict(healthy().as_dict() | change)


@settings(suppress_health_check=[HealthCheck.too_slow])  # a busy machine draws slowly
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from([*healthy().as_dict(), "schema", "index"]), inner, max_size=4
            )
        ),
        max_leaves=12,
    )
)
def test_no_document_makes_the_reader_raise_anything_but_a_value_error(document: object) -> None:
    base = healthy().as_dict()
    try:
        Environment.from_dict(base | document if isinstance(document, dict) else document)
    except ValueError:
        return


def test_the_fingerprint_ignores_load_and_sees_versions() -> None:
    calm, busy = healthy(), healthy(gathered_at="later", system=with_load(9.0))
    assert calm.fingerprint() == busy.fingerprint()
    assert calm.fingerprint() != healthy(packages={"torch": "2.14.0"}).fingerprint()
    assert calm.fingerprint() != with_gpu().fingerprint()


def with_load(load: float) -> a.System:
    from sample_environments import system

    return system(load=load, memory_available=1)


def test_every_check_says_what_why_and_cure() -> None:
    for item in checks():
        assert all(item.doc.values()), item.code
        assert item.area in AREAS
        assert "`" not in item.code
