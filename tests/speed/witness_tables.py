"""What the processes that witness.py counted say: tables of recall and of spread, and independent unchanged rows."""

from __future__ import annotations

from itertools import combinations

from bench.gate.thresholds import DEFAULTS, WORK, WORK_OPERATOR
from bench.gate.verdict import Verdict
from bench.gate.work import Count, judge_work
from bench.stats import median

OFF = 0.1
"""Share by which injected work may be off from what was asked; verdicts on other work are told apart."""


def judged(base, head):
    return judge_work(
        base, head, limit=DEFAULTS[WORK], operator_limit=DEFAULTS[WORK_OPERATOR]
    ).verdict


def as_it_is(row):
    return Count(
        counts=tuple(row["counts"]),
        functions=row.get("functions", {}),
        operators=row.get("operators", {}),
    )


def with_work(row, kind, percent):
    """The count of the process's trial of that kind and size; None if its work missed the size."""
    for trial in row["trials"]:
        if (trial["kind"], trial["percent"]) == (kind, percent):
            is_right = abs(trial["alone"] / percent - 1) <= OFF
            return Count(counts=(trial["count"],)) if is_right else None
    return None


def false_alarms(processes):
    """The verdicts of every two processes as they are against two others."""
    found = []
    for base in combinations(range(len(processes)), 2):
        for head in combinations([n for n in range(len(processes)) if n not in base], 2):
            arms = ([as_it_is(processes[n]) for n in arm] for arm in (base, head))
            found.append(judged(*arms))
    return found


def recalled(processes, percent):
    """Return verdicts of pairs, verdicts of all processes (confirmed), injections, those always told, and the missed.

    Two processes with the same kind of work, at a place of its own in each, are judged against every two others.
    """
    kinds = sorted({trial["kind"] for row in processes for trial in row["trials"]})
    pairs, confirmed, always, missed = [], [], {}, 0
    for kind in kinds:
        heads = {n: with_work(row, kind, percent) for n, row in enumerate(processes)}
        missed += sum(count is None for count in heads.values())
        heads = {n: count for n, count in heads.items() if count is not None}
        always.update({(kind, n): True for n in heads})
        for head in combinations(heads, 2):
            rest = [n for n in range(len(processes)) if n not in head]
            for base in combinations(rest, 2):
                verdict = judged([as_it_is(processes[n]) for n in base], [heads[n] for n in head])
                pairs.append(verdict)
                for n in head:
                    always[kind, n] &= verdict is Verdict.REGRESSED
        if len(heads) == len(processes):
            confirmed.append(judged([as_it_is(row) for row in processes], list(heads.values())))
    return pairs, confirmed, list(always.values()), missed


def regressed(verdicts):
    return sum(verdict is Verdict.REGRESSED for verdict in verdicts)


def recall_table(rows, percents):
    """One line per model and backend; then the sums, and how exact the injected work was."""
    titles = [f"at +{p:g}%" for p in percents]
    lines = [
        f"| model | backend | instructions | spread | processes | places | none | {' | '.join(titles)} |",
        f"|---|---|{'--:|' * (5 + len(titles))}",
    ]
    sums = {percent: [0] * 7 for percent in percents}
    alarms = [0, 0]
    for (model, backend), processes in sorted(rows.items()):
        kept = [row for row in processes if row and "trials" in row]
        if len(kept) < 4:
            continue
        nothing = false_alarms(kept)
        alarms = [alarms[0] + regressed(nothing), alarms[1] + len(nothing)]
        cells = [f"{regressed(nothing)} of {len(nothing)}"]
        for percent in percents:
            pairs, confirmed, always, missed = recalled(kept, percent)
            cells.append(f"{regressed(pairs)} of {len(pairs)}; {sum(always)} of {len(always)}")
            new = (regressed(pairs), len(pairs), sum(always), len(always))
            new = (*new, regressed(confirmed), len(confirmed), missed)
            sums[percent] = [a + b for a, b in zip(sums[percent], new, strict=True)]
        middles = [median(row["counts"]) for row in kept]
        places = len({(t["kind"], t["place"]) for row in kept for t in row["trials"]})
        lines.append(
            f"| {model} | {backend} | {median(middles):,.0f} | {spread(middles):.3%} | {len(kept)}"
            f" | {places} | {' | '.join(cells)} |"
        )
    lines += [
        "",
        "| work | verdicts of pairs | injections, all verdicts on them right | confirmed by all processes"
        " | off by more than a tenth, not judged | alone, of what was asked | in the pass |",
        "|---|--:|--:|--:|--:|--:|--:|",
        f"| none | {alarms[0]} of {alarms[1]} | | | | | |",
    ]
    for percent, (hits, of, told, injections, sure, all_sure, missed) in sums.items():
        alone, inside = exactness(rows, percent)
        lines.append(
            f"| +{percent:g}% | {share(hits, of)} | {share(told, injections)} | {share(sure, all_sure)}"
            f" | {missed} | {limits(alone)} | {limits(inside)} |"
        )
    return "\n".join(lines)


def exactness(rows, percent):
    """What the injected work of that size took, over what was asked: counted alone, and as growth of the pass."""
    alone, inside = [], []
    for processes in rows.values():
        for row in processes:
            for trial in row["trials"] if row else ():
                if trial["percent"] == percent:
                    alone.append(trial["alone"] / percent)
                    growth = trial["count"] / median(row["counts"]) - 1
                    inside.append(100 * growth / percent)
    return alone, inside


def limits(found):
    """The middle of the values, with the least and the largest."""
    return f"{median(found):.3f} ({min(found):.3f} to {max(found):.3f})" if found else ""


def share(hits, of):
    return f"{hits} of {of} ({hits / of:.3f})" if of else "0 of 0"


def spread(middles):
    return (max(middles) - min(middles)) / median(middles)


def spread_table(rows):
    """One line per model and backend: how far its processes lie apart, and what moved if that is more than 0.2%."""
    lines = [
        "| model | backend | instructions | processes | load | spread | most of it in |",
        "|---|---|--:|--:|--:|--:|---|",
    ]
    for (model, backend), processes in sorted(rows.items()):
        kept = [row for row in processes if row]
        if len(kept) < 2:
            continue
        middles = [median(row["counts"]) for row in kept]
        loads = [row["load"] for row in kept]
        apart = spread(middles)
        lines.append(
            f"| {model} | {backend} | {median(middles):,.0f} | {len(kept)}"
            f" | {min(loads):.1f} to {max(loads):.1f} | {apart:.3%} | {cause(kept) if apart > 0.002 else ''} |"
        )
    return "\n".join(lines)


def cause(processes):
    """The functions that differ most between the process with the fewest instructions and the one with the most."""
    low, *_, high = sorted(processes, key=lambda row: median(row["counts"]))
    names = {*low.get("functions", {}), *high.get("functions", {})}
    change = {n: high["functions"].get(n, 0) - low["functions"].get(n, 0) for n in names}
    whole = median(high["counts"]) - median(low["counts"])
    first = sorted(change, key=lambda name: -abs(change[name]))[:3]
    return ", ".join(f"`{name[:60]}` {change[name] / whole:.0%}" for name in first)


def independent_rows(processes):
    """Verdicts on unchanged rows that share no process: four processes make one."""
    kept = [as_it_is(row) for row in processes if row]
    quads = [kept[n : n + 4] for n in range(0, len(kept) - 3, 4)]
    return [judged(four[:2], four[2:]) for four in quads]
