"""The checkup as Markdown for an issue, and the page of all checks."""

from __future__ import annotations

from diagnostics.checkup import Checkup
from diagnostics.environment import KEY_PACKAGES
from diagnostics.finding import Finding, Level
from diagnostics.install_commands import line
from diagnostics.overview import detail
from diagnostics.redact import Redactor
from diagnostics.registry import AREAS, Check
from diagnostics.render.terminal import MARKS, summary


def report(checkup: Checkup, redactor: Redactor | None = None) -> str:
    """An issue-ready report; redacted when a redactor is given."""
    environment = checkup.environment
    parts = ["## Environment report", "", summary(checkup), "", "| | area | |", "|---|---|---|"]
    parts += [
        f"| {MARKS[level][0]} | {title} | {_cell(detail(environment, key))} |"
        for key, title, level in checkup.areas()
    ]
    for diagnosis in checkup.diagnoses:
        parts += ["", *_section(diagnosis.finding)]
        if diagnosis.consequences:
            parts += ["", "Also explained by it:", ""]
            parts += [f"- {item.summary} (`{item.code}`)" for item in diagnosis.consequences]
    for item in checkup.results:
        if item.status is Level.CRASH:
            parts += ["", f"### The check `{item.code}` crashed", "", f"`{item.reason}`"]
    parts += ["", "<details><summary>Facts</summary>", "", "```"]
    parts += [f"{name}: {value}" for name, value in facts(checkup)]
    parts += ["```", "", "</details>", ""]
    text = "\n".join(parts)
    return redactor.text(text) if redactor else text


def facts(checkup: Checkup) -> list[tuple[str, str]]:
    """(name, value) rows that an issue's reader asks for first."""
    environment = checkup.environment
    system, python = environment.system, environment.python
    rows = [
        ("python", f"{python.version} ({python.executable})"),
        ("system", f"{system.distro or system.system}, kernel {system.kernel}, {system.machine}"),
        ("libc", python.libc),
        ("cpu", f"{system.cpu_model}, {system.num_cores} of {system.num_cpus} processors usable"),
        ("container", system.container or "none"),
    ]
    rows += [
        ("gpu", f"{gpu.name}, compute capability {gpu.capability or 'unknown'}")
        for gpu in environment.gpus
    ]
    builds = {name: build.version for name, build in environment.builds.items()}
    rows += [
        (name, builds.get(name, environment.packages[name]))
        for name in KEY_PACKAGES
        if name in environment.packages
    ]
    rows += [(f"${name}", value) for name, value in environment.variables.items() if name != "PATH"]
    rows += [(f"not gathered: {name}", why) for name, why in environment.errors.items()]
    return [*rows, ("fingerprint", environment.fingerprint())]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _section(finding: Finding) -> list[str]:
    found = [f"### {MARKS[finding.level][0]} {finding.summary} (`{finding.code}`)"]
    if finding.cause:
        found += ["", f"Cause: {finding.cause}."]
    if finding.evidence:
        found += ["", *(f"- {item.source}: `{item.value}`" for item in finding.evidence)]
    if finding.fixes:
        found += ["", "```sh"]
        for fix in finding.fixes:
            found += [f"# {fix.why}", line(fix)]
        found.append("```")
    found += [f"- {link}" for link in finding.links]
    return found


def checks_page(every: tuple[Check, ...]) -> str:
    """docs/checks.md: every check with what it looks for, why, and the cure."""
    parts = [
        "# The checks of the doctor",
        "",
        "Made from the checks' docstrings by `python -m diagnostics --list --format markdown`;",
        "a test compares this page with them. Silence one with `--ignore CODE` or in",
        '`pyproject.toml`: `[tool.vitals.doctor]`, `ignore = ["CODE"]`.',
    ]
    for key, title in AREAS.items():
        members = [item for item in every if item.area == key]
        if not members:
            continue
        parts += ["", f"## {title} (`{key}`)"]
        for item in members:
            doc = item.doc
            deep = " Needs `--deep`." if item.deep else ""
            parts += ["", f"### `{item.code}`", "", f"{item.title}.{deep}", ""]
            parts += [f"- What: {doc['what']}", f"- Why: {doc['why']}", f"- Cure: {doc['cure']}"]
    return "\n".join(parts) + "\n"
