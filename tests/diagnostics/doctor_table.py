"""Print the table of `docs/doctor.md`: what the doctor finds in broken and in healthy environments.

    python tests/diagnostics/doctor_table.py          # print it
    python tests/diagnostics/doctor_table.py --write  # put it into docs/doctor.md and README.md

The environments are the rows of the tests, made of the product's own records. `test_doctor_table.py`
compares the pages with it.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from environment_rows import BROKEN, HEALTHY  # noqa: E402
from test_doctor_controls import CONTROLS  # noqa: E402
from test_doctor_rows import ROWS  # noqa: E402

from diagnostics.doctor import Diagnosis, examine, exit_code, reduce  # noqa: E402
from diagnostics.environment import Environment  # noqa: E402
from diagnostics.finding import Level  # noqa: E402
from diagnostics.install_commands import line  # noqa: E402
from diagnostics.registry import AREAS, checks  # noqa: E402
from diagnostics.simulation import newly_broken  # noqa: E402

START, END = "<!-- doctor table: begin -->", "<!-- doctor table: end -->"
PLACES = {ROOT / "docs" / "doctor.md": "page", ROOT / "README.md": "line"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One broken environment with the root that is right."""

    name: str
    environment: Environment
    root: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one broken environment."""

    case: Case
    on_top: bool
    """The right root stands first."""
    alone: bool
    """No other root of its level stands beside it."""
    sound: bool
    """Its first command breaks nothing else that is installed."""


def broken_cases() -> tuple[Case, ...]:
    """Every row whose finding is a warning or an error."""
    titles = {item.code: item.title for item in checks()}
    rows = [
        Case(
            name=f"not: {titles[row.code]}", environment=row.environment, root=row.root or row.code
        )
        for row in ROWS
        if row.level is not Level.INFO
    ]
    rows += [Case(name=r.name, environment=r.environment, root=r.root) for r in BROKEN]
    return tuple(rows)


def healthy_cases() -> dict[str, Environment]:
    return {**CONTROLS, **HEALTHY}


def judged(case: Case) -> Result:
    roots: tuple[Diagnosis, ...] = reduce(examine(case.environment))
    first = roots[0].finding
    level = next((d.finding.level for d in roots if d.finding.code == case.root), Level.OK)
    peers = {d.finding.code for d in roots if d.finding.level is level}
    return Result(
        case=case,
        on_top=first.code == case.root,
        alone=peers == {case.root},
        sound=all(newly_broken(case.environment, fix) == () for fix in first.fixes[:1]),
    )


def figures() -> tuple[list[Result], list[str]]:
    """(results of the broken environments, names of the healthy ones in which an error is found)."""
    results = [judged(case) for case in broken_cases()]
    alarms = [name for name, e in healthy_cases().items() if exit_code(examine(e)) != 0]
    return results, alarms


def share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({100 * part / whole:.0f}%)"


def page() -> str:
    """The table of docs/doctor.md."""
    results, alarms = figures()
    by_area: dict[str, list[Result]] = {}
    areas = {item.code: item.area for item in checks()}
    for result in results:
        by_area.setdefault(areas[result.case.root], []).append(result)
    rows = [
        "| area | broken environments | right root on top | no other root | first command sound |"
    ]
    rows.append("|---|---|---|---|---|")
    for area, title in AREAS.items():
        if found := by_area.get(area):
            counts = [sum(getattr(r, name) for r in found) for name in ("on_top", "alone", "sound")]
            rows.append(f"| {title} | {len(found)} | {' | '.join(map(str, counts))} |")
    total = len(results)
    sums = [sum(getattr(r, name) for r in results) for name in ("on_top", "alone", "sound")]
    rows.append(f"| **all** | {total} | {' | '.join(share(count, total) for count in sums)} |")
    cured = "`tests/diagnostics/real/test_real_repair.py` and `test_real_frame.py`"
    calm = "\n".join(f"- {name}" for name in healthy_cases())
    kinds = "\n".join(f"- {r.name} → `{r.root}`" for r in BROKEN)
    return (
        "\n".join(rows)
        + f"\n\nHealthy environments: {len(healthy_cases())}, of which {len(alarms)} are called broken.\n\n"
        "All of these are made by hand from the doctor's records, with true versions, requirements and\n"
        "sonames; none was installed for the table. What is installed, broken, cured by the printed\n"
        f"command and asked again are the stand-in wheels and environments of\n{cured}.\n\n"
        f"<details><summary>The healthy environments</summary>\n\n{calm}\n\n</details>\n\n"
        f"<details><summary>Broken environments outside of one check's own row</summary>\n\n{kinds}\n\n"
        "</details>"
    )


def sentence() -> str:
    """The line of the README."""
    results, alarms = figures()
    recall = share(sum(r.on_top for r in results), len(results))
    return (
        f"Of the broken environments in its tests it puts the right cause on top in {recall};\n"
        f"of {len(healthy_cases())} healthy ones (CUDA, ROCm, XPU and CPU wheels, conda, NVIDIA's"
        f" containers, Jetson, own builds) it calls {len(alarms)} broken."
    )


def written(text: str, path: Path) -> str:
    """The page with today's table in its place."""
    content = page() if PLACES[path] == "page" else sentence()
    return re.sub(
        rf"{START}.*?{END}", lambda _: f"{START}\n{content}\n{END}", text, flags=re.DOTALL
    )


def main() -> int:
    if "--write" not in sys.argv:
        print(page())
        for result in figures()[0]:
            if not (result.on_top and result.alone and result.sound):
                roots = [d.finding.code for d in reduce(examine(result.case.environment))][:4]
                first = reduce(examine(result.case.environment))[0].finding.fixes[:1]
                print(result.case.root, roots, [line(fix) for fix in first], file=sys.stderr)
        return 0
    for path in PLACES:
        path.write_text(written(path.read_text(encoding="utf-8"), path), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
