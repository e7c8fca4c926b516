"""The GitHub Action: what its steps do with the gate's verdict, run with stand-ins for GitHub's programs."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}

GH = """#!/usr/bin/env bash
echo "$*" >> "$CALLS"
case "$*" in *--paginate*) printf '%s' "$KNOWN" ;; *body=*) [ -z "$REFUSED" ] || exit 1 ;; esac
"""
VITALS = """#!/usr/bin/env bash
printf '%s\\n' "$@" > "$CALLS"
[ -z "$LEAVES" ] || { mkdir -p ".vitals/gates/$LEAVES"; echo "$LEAVES" > .vitals/gates/latest.txt; }
exit "$CODE"
"""


@pytest.fixture
def step(tmp_path):
    """Return `step(name, **variables)`: the finished script of that step."""

    def run(name, **variables):
        folder = tmp_path / "vitals" / "bin"
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in ((folder / "vitals", VITALS), (folder / "gh", GH)):
            file.write_text(text)
            file.chmod(0o755)
        own = {"RUNNER_TEMP": str(tmp_path), "CALLS": str(tmp_path / "calls"), "KNOWN": ""}
        own |= {"GITHUB_OUTPUT": str(tmp_path / "output"), "GITHUB_REPOSITORY": "me/mine"}
        own |= {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "REFUSED": "", "LEAVES": ""}
        return subprocess.run(
            ["bash", "-eo", "pipefail", "-c", STEPS[name]["run"]],
            cwd=tmp_path,
            env={**own, **variables},
            capture_output=True,
            text=True,
        )

    return run


def calls(folder):
    return (folder / "calls").read_text().splitlines()


def test_no_script_has_an_expression_in_it_so_that_no_input_becomes_code():
    assert not [name for name, step in STEPS.items() if "${{" in step["run"]]


def test_every_variable_of_a_script_is_given_by_its_step():
    for name, step in STEPS.items():
        used = set(re.findall(r"\$\{?([A-Z][A-Z_]+)", step["run"]))
        assert used - {"RUNNER_TEMP", "GITHUB_OUTPUT", "GITHUB_REPOSITORY"} <= set(step["env"]), (
            name
        )


def test_the_gate_gets_its_inputs_as_single_arguments_and_tells_code_and_folder(step, tmp_path):
    done = step(
        "gate",
        AGAINST="origin/main",
        MODELS_FROM="my models.py",
        MODELS="a*,b*",
        PLAN="quick",
        OPTIONS="--backend eager",
        CODE="1",
        LEAVES="20261130-1",
    )
    assert done.returncode == 0, done.stderr
    expected = (
        "gate|origin/main|--models-from|my models.py|--models|a*,b*|--plan|quick|-q|--backend|eager"
    )
    assert calls(tmp_path) == expected.split("|")
    output = (tmp_path / "output").read_text().splitlines()
    assert output == ["exit-code=1", "verdict=.vitals/gates/20261130-1"]


def test_functions_and_graphs_need_no_file_of_records(step, tmp_path):
    given = dict.fromkeys(("MODELS_FROM", "OPTIONS"), "")
    assert step("gate", AGAINST="HEAD", MODELS="net.onnx", PLAN="quick", CODE="0", **given)
    assert calls(tmp_path) == "gate|HEAD|--models|net.onnx|--plan|quick|-q".split("|")


def test_it_is_installed_from_its_own_source_with_small_wheels_first(step, tmp_path):
    script = '#!/usr/bin/env bash\necho "$*" >> "$CALLS"\n'
    python = tmp_path / "vitals" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(script)
    python.chmod(0o755)
    given = {"INDEX": "https://wheels", "EXTRAS": "vision,text", "REQUIREMENTS": "needs.txt"}
    done = step("install", SOURCE="/the/action", **given)
    assert done.returncode == 0, done.stderr
    pip = "-m pip --disable-pip-version-check --quiet install"
    assert calls(tmp_path) == [
        f"-m venv {tmp_path}/vitals",
        f"{pip} torch torchvision --index-url https://wheels",
        f"{pip} /the/action[vision,text]",
        f"{pip} --requirement needs.txt",
    ]


def test_its_form_is_that_of_a_composite_action():
    """https://docs.github.com/en/actions/reference/workflows-and-actions/metadata-syntax"""
    assert ACTION["runs"]["using"] == "composite"
    assert {"name", "description", "inputs", "outputs", "runs"} <= set(ACTION)
    assert all({"name", "shell", "run", "env"} <= set(step) for step in STEPS.values())
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"\binputs\.([\w-]+)", text)) == set(ACTION["inputs"])
    named = {step["id"] for step in STEPS.values() if "id" in step}
    assert set(re.findall(r"\bsteps\.(\w+)", text)) <= named
    written = set(re.findall(r'echo "([\w-]+)=', STEPS["gate"]["run"]))
    assert set(re.findall(r"\bsteps\.gate\.outputs\.([\w-]+)", text)) == written


def test_a_gate_without_a_verdict_names_no_folder_of_an_earlier_run(step, tmp_path):
    (tmp_path / ".vitals" / "gates").mkdir(parents=True)
    (tmp_path / ".vitals" / "gates" / "latest.txt").write_text("old\n")
    given = dict.fromkeys(("AGAINST", "MODELS_FROM", "MODELS", "PLAN", "OPTIONS"), "")
    assert step("gate", CODE="4", **given).returncode == 0
    assert (tmp_path / "output").read_text() == "exit-code=4\n"


@pytest.mark.parametrize(
    "known, asked",
    [
        ("", "--method POST repos/me/mine/issues/7/comments"),
        ("41\n42\n", "--method PATCH repos/me/mine/issues/comments/41"),
    ],
)
def test_one_comment_is_made_and_then_kept_up_to_date(step, tmp_path, known, asked):
    (tmp_path / "verdict.md").write_text("## Gate: passed\n")
    done = step("comment", MARK="<!-- v -->", NUMBER="7", VERDICT=str(tmp_path), KNOWN=known)
    assert done.returncode == 0, done.stderr
    assert calls(tmp_path)[-1] == f"api --silent {asked} -F body=@{tmp_path}/vitals-comment.md"
    assert (tmp_path / "vitals-comment.md").read_text() == "<!-- v -->\n## Gate: passed\n"


def test_a_comment_that_is_refused_warns_and_leaves_the_verdict_to_the_next_step(step, tmp_path):
    (tmp_path / "verdict.md").write_text("## Gate: passed\n")
    done = step("comment", MARK="<!-- v -->", NUMBER="7", VERDICT=str(tmp_path), REFUSED="1")
    assert done.returncode == 0
    assert done.stdout.startswith("::warning::the verdict could not be commented")


@pytest.mark.parametrize("code, expected", [(0, 0), (1, 1), (2, 2), (3, 0), (4, 4)])
def test_the_job_fails_where_the_gate_did_and_an_uneven_machine_warns(step, code, expected):
    done = step("result", CODE=str(code), VERDICT="gates/1")
    assert done.returncode == expected
    assert ("::warning::" in done.stdout) == (code == 3)


def test_an_uneven_machine_is_forgiven_only_where_a_verdict_says_so(step):
    assert step("result", CODE="3", VERDICT="").returncode == 3
