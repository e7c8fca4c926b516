"""What the user sees: terminal, JSON, Markdown, redaction, the page of checks, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sample_environments import healthy, system, variables, with_gpu
from test_doctor_rows import damaged

from diagnostics import registry
from diagnostics.checkup import Checkup
from diagnostics.cli import main
from diagnostics.doctor import examine
from diagnostics.environment import Environment
from diagnostics.facts.variables import HIDDEN, watched
from diagnostics.finding import Finding
from diagnostics.redact import Redactor
from diagnostics.registry import Check, checks
from diagnostics.render.document import document
from diagnostics.render.markdown import checks_page, report
from diagnostics.render.terminal import lines

ROOT = Path(__file__).parents[2]
ANN = Redactor(home="/home/ann", user="ann", host="tower", versions={"13.4.1.3"})


def checkup(environment: Environment) -> Checkup:
    return Checkup(environment=environment, results=tuple(examine(environment)), seconds=0.4)


def save(environment: Environment, folder: Path) -> str:
    path = folder / "facts.json"
    path.write_text(json.dumps(environment.as_dict()))
    return str(path)


def test_a_healthy_machine_gets_one_line_per_area_and_a_clean_bill() -> None:
    shown = lines(checkup(healthy()))
    assert shown[-1].startswith("No issues found")
    assert all(row.startswith("[✓]") or "--deep" in row for row in shown[:-2])
    assert any("torch 2.15.0+cu132" in row for row in shown)


def test_a_fault_is_shown_with_cause_evidence_fix_and_how_to_look_again() -> None:
    text = "\n".join(lines(checkup(damaged("missing"))))
    assert "[✗] Installed files" in text
    assert "cause: deleted after the install" in text
    assert "libcudnn.so.9: missing" in text
    assert "fix: /home/ann/.venv/bin/python -m pip install --force-reinstall --no-deps" in text
    assert "then: python -m diagnostics --select file-missing" in text
    assert text.endswith("1 error in 1 area (" + text.rpartition("(")[2])


def test_another_interpreter_is_named_in_the_command_that_looks_again() -> None:
    import dataclasses

    sick = damaged("missing")
    sick = dataclasses.replace(sick, python=dataclasses.replace(sick.python, is_self=False))
    assert "--python /home/ann/.venv/bin/python --select" in "\n".join(lines(checkup(sick)))


def test_without_unicode_no_sign_is_lost() -> None:
    text = "\n".join(lines(checkup(damaged("missing")), unicode=False))
    assert "[x] Installed files" in text
    assert "✗" not in text


def test_the_json_report_holds_what_the_terminal_says() -> None:
    data = json.loads(json.dumps(document(checkup(damaged("missing")))))
    assert set(data) == {
        "schema", "tool", "exit_code", "seconds", "counts", "fingerprint", "areas", "diagnoses",
        "results", "environment",
    }  # fmt: skip
    (error,) = [item for item in data["diagnoses"] if item["level"] == "error"]
    assert set(error) == {
        "code", "area", "level", "summary", "subject", "cause", "evidence", "fixes", "explains",
        "links", "consequences",
    }  # fmt: skip
    assert error["fixes"][0]["argv"][1:4] == ["-m", "pip", "install"]
    assert error["fixes"][0]["line"].startswith("/home/ann/.venv/bin/python -m pip install")
    assert data["exit_code"] == 1
    assert data["counts"] == {"error": 1, "warn": 0, "info": 1, "crash": 0}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("/home/ann/.venv/bin/python", "~/.venv/bin/python"),
        ("/home/bob/x and /Users/eve/y", "/home/<user>/x and /Users/<user>/y"),
        ("made by ann on tower", "made by <user> on <host>"),
        ("annotation towering", "annotation towering"),
        ("https://joe:pw@host.org/simple", "https://<credentials>@host.org/simple"),
        ("10.1.2.3:29500", "<ip>:29500"),
        ("nvidia-cublas==13.4.1.3", "nvidia-cublas==13.4.1.3"),
        ("found 13.4.1.3 here", "found 13.4.1.3 here"),
        ("127.0.0.1", "127.0.0.1"),
        ("fe80:0:0:0:1:2:3:4", "<ip>"),
        ("00:1A:2b:3c:4d:5e", "<mac>"),
        ("GPU-11111111-2222-3333-4444-555555555555", "GPU-<uuid>"),
        ("hf_abcdefghijklmnop", "<token>"),
        ("--password=hunter2", "--password=<hidden>"),
        ("ann@example.org", "<mail>"),
        ("12:30:45", "12:30:45"),
    ],
)
def test_personal_parts_are_taken_out_and_nothing_else(text: str, kept: str) -> None:
    assert ANN.text(text) == kept


def test_the_value_of_a_secret_variable_is_never_read() -> None:
    shown = watched({"HF_TOKEN": "hf_1234", "PIP_INDEX_URL": "x", "HOME": "/h", "RANK": "1"})
    assert shown == {"HF_TOKEN": HIDDEN, "PIP_INDEX_URL": "x", "RANK": "1"}


def test_a_report_names_no_one() -> None:
    environment = with_gpu(
        variables=variables(
            PIP_INDEX_URL="https://joe:secret@10.0.0.5/simple", HF_HOME="/home/ann/hf"
        ),
        system=system(load=0.2),
    )
    for text in (
        report(checkup(environment), ANN),
        json.dumps(document(checkup(environment), ANN)),
    ):
        for word in ("ann/", "secret", "10.0.0.5", "11111111-2222"):
            assert word not in text
    assert "joe:secret" in report(checkup(environment))


def test_the_markdown_report_has_fixes_and_facts() -> None:
    text = report(checkup(damaged("missing")), ANN)
    assert "### ✗ nvidia-cudnn-cu13 has lost" in text
    assert "```sh" in text
    assert "--no-deps nvidia-cudnn-cu13==9.26.0.51" in text
    assert "fingerprint: " in text


def test_the_page_of_checks_is_the_one_that_the_docstrings_make() -> None:
    page = (ROOT / "docs" / "checks.md").read_text()
    assert page == checks_page(checks()), (
        "make it again: python -m diagnostics --list --format markdown > docs/checks.md"
    )


def test_a_saved_machine_is_replayed_with_the_same_exit_code_in_every_format(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sick, well = save(damaged("missing"), tmp_path), ""
    for form in ("text", "json", "markdown"):
        assert main(["--facts", sick, "--format", form]) == 1
    well = save(healthy(), tmp_path)
    assert main(["--facts", well, "--strict"]) == 0
    warned = save(healthy(system=system(load=7.5)), tmp_path)
    assert main(["--facts", warned]) == 0
    assert main(["--facts", warned, "--strict"]) == 1
    assert "quiet-load" in capsys.readouterr().out


def test_the_json_report_can_itself_be_replayed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--facts", save(damaged("missing"), tmp_path), "--json"])
    path = tmp_path / "report.json"
    path.write_text(capsys.readouterr().out)
    assert main(["--facts", str(path)]) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--nonsense"], "unrecognized arguments"),
        (["explian", "error.log"], "explian: no such command; did you mean explain"),
        (["lnt", "pip install torch", "--python-version", "3.12"], "did you mean lint"),
        (["--select", "nope"], "no check has the code 'nope'"),
        (["--facts", "/does/not/exist"], "--save-facts"),
        (["--python", "/does/not/exist"], "no Python interpreter"),
        (["--facts", "x", "--deep"], "cannot go with it"),
    ],
)
def test_misuse_is_answered_with_two_lines_and_exit_code_2(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert says in error
    assert "Traceback" not in error


@pytest.mark.parametrize("content", ["{}", "[]", "not json", '{"python": 3}', '{"schema": 99}'])
def test_a_file_that_holds_no_facts_is_misuse(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "f.json"
    path.write_text(content)
    assert main(["--facts", str(path)]) == 2
    assert "holds no facts" in capsys.readouterr().err


def test_codes_are_silenced_on_the_command_line_and_in_pyproject(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = save(damaged("missing"), tmp_path)
    assert main(["--facts", facts, "--ignore", "file-missing"]) == 0
    monkeypatch.chdir(tmp_path)
    settings = tmp_path / "pyproject.toml"
    settings.write_text('[tool.vitals.doctor]\nignore = ["file-missing"]\n')
    assert main(["--facts", facts]) == 0
    settings.write_text('[tool.vitals.doctor]\nignore = "file-missing"\n')
    assert main(["--facts", facts]) == 2
    settings.write_text("broken = [")
    assert main(["--facts", facts]) == 1
    # Tables can be cut in many ways.
    for text in (
        '[tool.vitals]\ndoctor = {ignore = ["file-missing"]}',
        '[tool]\nvitals.doctor.ignore = ["file-missing"]',
        '[tool."vitals".doctor]\nignore = ["file-missing"]',
        'tool = {vitals = {doctor = {ignore = ["file-missing"]}}}',
    ):
        settings.write_text(text)
        assert main(["--facts", facts]) == 0, text
    capsys.readouterr()


def test_a_check_that_crashes_gives_exit_code_3_and_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def examine(_: Environment) -> list[Finding]:
        raise ZeroDivisionError("no idea")

    broken = Check(code="ort-both", title="t", area="onnxruntime", examine=examine, deep=False)
    checks()
    monkeypatch.setitem(registry._CHECKS, "ort-both", broken)
    assert main(["--facts", save(healthy(), tmp_path)]) == 3
    shown = capsys.readouterr().out
    assert "the check ort-both crashed: ZeroDivisionError: no idea" in shown
    assert "1 crashed check" in shown
    assert main(["--facts", save(healthy(), tmp_path), "--json"]) == 3
    capsys.readouterr()


def test_the_list_names_every_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    text = capsys.readouterr().out
    assert all(item.code in text for item in checks())
    assert main(["--list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {"code", "title", "area", "deep", "what", "why", "cure"} == set(rows[0])
