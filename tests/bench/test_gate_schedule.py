"""Screen and confirm on scripted blocks: who gets fresh blocks, in which order, and what becomes of a row."""

import itertools
import random
from collections import Counter

import pytest

from bench.gate.block import MIN_UNDISTURBED_PAIRS, Block, summarize_block
from bench.gate.budget import BUDGETS, BlockLength, Budget
from bench.gate.outcome import Gate, Side
from bench.gate.pairing import BlockFailed
from bench.gate.row import Row
from bench.gate.schedule import Schedule, control_shift
from bench.gate.thresholds import Limits
from bench.gate.verdict import Exit, Verdict
from bench.instruments.results import Turns
from suite.cell import Cell
from suite.outcome import Outcome
from suite.record import Failure, Record

BUDGET = Budget(block=BlockLength(num_turns=4, seconds=0.5, warmup_seconds=0.1), more_seconds=100.0)


def block(effect, begins="base"):
    return Block(
        effect=effect,
        base=1.0,
        head=1.0 + effect,
        num_pairs=8,
        num_void=0,
        are_voids_kept=False,
        begins=begins,
        drift=0.0,
    )


def row(model, **fields):
    return Row(cell=Cell(model=model, size="tiny"), limits=Limits(), **fields)


def scheduled(effects, *, noise=0.004, control=0.0, budget=BUDGET, take=None, **fields):
    """A schedule whose rows have these effects, run to its end; returns it and the numbers of every row's blocks.

    An effect may depend on how many blocks the row had before.
    """
    rng = random.Random(5)
    rows = [row(name) for name in effects]
    taken = {}

    def take_block(row, number):
        taken.setdefault(row.cell.model, []).append(number)
        if take:
            take(row, number)
        effect = effects[row.cell.model]
        before = len(taken[row.cell.model]) - 1
        return block((effect(before) if callable(effect) else effect) + rng.gauss(0, noise))

    schedule = Schedule(
        rows=rows,
        budget=budget,
        take_block=take_block,
        take_control=lambda number: block(control + rng.gauss(0, 0.004)),
        **fields,
    )
    schedule.run()
    return schedule, taken


def verdicts(schedule):
    return {row.cell.model: row.verdict for row in schedule.rows}


def test_unchanged_rows_pass_on_the_screen_alone():
    schedule, taken = scheduled({"a": 0.0, "b": 0.0})
    assert set(verdicts(schedule).values()) == {Verdict.NO_REGRESSION}
    assert {len(numbers) for numbers in taken.values()} == {BUDGET.screen}


def test_a_slower_row_is_confirmed_with_blocks_that_the_screen_has_not_seen():
    schedule, _taken = scheduled({"slow": 0.10, "same": 0.0})
    slow = schedule.rows[0]
    assert verdicts(schedule) == {"slow": Verdict.REGRESSED, "same": Verdict.NO_REGRESSION}
    assert len(slow.screen) == BUDGET.screen
    assert len(slow.confirm) == BUDGET.confirm
    assert slow.finding.num_blocks == BUDGET.confirm
    assert slow.adjusted == pytest.approx(2**-10)


def slow_while_screened(before):
    return 0.10 if before < BUDGET.screen else 0.0


def test_a_row_that_noise_flagged_leaves_after_as_many_quiet_blocks_as_the_screen_has():
    schedule, taken = scheduled({"noisy": slow_while_screened, "slow": 0.10})
    assert verdicts(schedule) == {"noisy": Verdict.NO_REGRESSION, "slow": Verdict.REGRESSED}
    assert len(taken["noisy"]) == 2 * BUDGET.screen
    assert len(taken["slow"]) == BUDGET.screen + BUDGET.confirm


def test_a_row_that_left_early_still_counts_in_the_correction_of_the_others():
    schedule, _ = scheduled({"noisy": slow_while_screened, "slow": 0.10})
    slow = schedule.rows[1]
    assert slow.adjusted == pytest.approx(2 * 2**-10)


def test_no_block_is_too_short_to_judge_by_undisturbed_turns():
    for budget in BUDGETS.values():
        assert budget.block.num_turns >= MIN_UNDISTURBED_PAIRS


def test_a_faster_row_is_an_improvement():
    schedule, _ = scheduled({"fast": -0.10})
    assert verdicts(schedule)["fast"] is Verdict.IMPROVED


def test_a_row_that_stays_unclear_gets_up_to_twenty_blocks_and_says_what_it_could_have_seen():
    schedule, _ = scheduled({"wild": 0.03}, noise=0.15)
    wild = schedule.rows[0]
    assert wild.verdict is Verdict.INCONCLUSIVE
    assert len(wild.confirm) == BUDGET.most
    assert wild.detectable > 0.05


def test_no_more_blocks_are_bought_when_the_time_is_up():
    now = iter(range(0, 100_000, 60))
    schedule, _ = scheduled({"wild": 0.03}, noise=0.15, clock=lambda: next(now))
    assert BUDGET.confirm <= len(schedule.rows[0].confirm) < BUDGET.most


def test_every_row_begins_with_base_and_with_head_in_turn():
    _, taken = scheduled({"a": 0.1, "b": 0.0, "c": 0.1})
    for numbers in taken.values():
        assert all(a % 2 != b % 2 for a, b in itertools.pairwise(numbers))
        assert len(set(numbers)) == len(numbers)


def test_the_order_of_the_rows_changes_from_sweep_to_sweep():
    order = []
    scheduled(dict.fromkeys("abcdef", 0.0), take=lambda row, number: order.append(row.cell.model))
    sweeps = [tuple(order[i : i + 6]) for i in range(0, len(order), 6)]
    assert len(set(sweeps)) > 1
    assert all(Counter(sweep) == Counter("abcdef") for sweep in sweeps)


def failing(arm, times):
    left = [times]

    def take(row, number):
        if left[0]:
            left[0] -= 1
            record = Record(
                run_id="",
                cell=row.cell,
                step="latency",
                outcome=Outcome.CRASHED,
                failure=Failure(kind="SIGSEGV", message="the worker died"),
            )
            raise BlockFailed(arm, record)

    return take


def test_a_block_that_fails_once_is_taken_again():
    schedule, _ = scheduled({"a": 0.0}, take=failing("head", 1))
    assert verdicts(schedule)["a"] is Verdict.NO_REGRESSION


def test_a_head_that_fails_twice_is_broken_and_gets_no_speed_verdict():
    schedule, _ = scheduled({"a": 0.0}, take=failing("head", 2))
    assert "the worker died" in schedule.rows[0].broken
    assert schedule.rows[0].verdict is None
    assert gate(schedule).exit is Exit.BROKEN


def test_a_base_that_fails_twice_leaves_nothing_to_compare_with():
    schedule, _ = scheduled({"a": 0.0, "b": 0.0}, take=failing("base", 4))
    broken = [row for row in schedule.rows if row.skipped]
    assert broken
    assert all(not row.broken for row in broken)


def gate(schedule, **fields):
    return Gate(
        **{
            "gate_id": "g",
            "base": Side(label="main"),
            "head": Side(label="working tree"),
            "rows": schedule.rows,
            "control": schedule.control,
            "plan": "standard",
            "command": "",
            "started_at": "",
            "seconds": 1.0,
            "fingerprint": "f",
            **fields,
        }
    )


def test_a_negative_control_that_moves_makes_every_speed_worthless():
    schedule, _ = scheduled({"a": 0.10}, control=0.08)
    assert control_shift(schedule.control, least=Limits().least).estimate == pytest.approx(
        0.08, abs=0.01
    )
    assert gate(schedule).exit is Exit.CONTAMINATED
    assert "contaminated" in gate(schedule).sentence


def test_a_negative_control_that_stands_still_is_no_news():
    schedule, _ = scheduled({"a": 0.10})
    assert len(schedule.control) >= 8
    assert gate(schedule).exit is Exit.REGRESSED


def test_inconclusive_rows_pass_unless_the_user_is_strict():
    schedule, _ = scheduled({"wild": 0.03}, noise=0.15)
    assert gate(schedule).exit is Exit.PASS
    assert gate(schedule, is_strict=True).exit is Exit.INCONCLUSIVE


def test_a_gate_that_compared_nothing_is_broken():
    schedule, _ = scheduled({})
    assert gate(schedule).exit is Exit.BROKEN
    assert "nothing could be compared" in gate(schedule).sentence


def test_a_skip_that_is_new_since_the_baseline_fails():
    schedule, _ = scheduled({"a": 0.0})
    schedule.rows[0].lost = "base ran it, head says unsupported"
    assert gate(schedule).exit is Exit.REGRESSED


def turns(seconds, sentinels=None, reasons=None):
    return Turns(
        seconds=tuple(seconds),
        sentinels=tuple(sentinels or [3e-5] * len(seconds)),
        reasons=tuple(map(tuple, reasons or [[]] * len(seconds))),
    )


def test_what_slows_both_arms_for_a_while_cancels_between_neighbours():
    drift = [1.0, 1.5, 2.0, 1.2, 0.9, 1.1, 1.3, 1.6]
    found = summarize_block(turns(drift), turns([1.1 * t for t in drift]), begins="head")
    assert found.effect == pytest.approx(0.0953, abs=1e-3)


def test_a_disturbed_turn_voids_its_neighbour_too():
    reasons = [[], ["delayed"], [], [], [], [], [], []]
    head = [1.0, 9.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    found = summarize_block(turns([1.0] * 8), turns(head, reasons=reasons), begins="base")
    assert (found.num_void, found.effect) == (1, 0.0)


def test_a_sentinel_off_its_median_voids_a_pair_whichever_arm_it_was_in():
    slow = [3e-5] * 7 + [9e-5]
    for base, head in ((slow, None), (None, slow)):
        found = summarize_block(turns([1.0] * 8, base), turns([1.0] * 8, head), begins="base")
        assert found.num_void == 1


def test_all_pairs_count_when_nearly_all_were_disturbed():
    reasons = [["delayed"]] * 7 + [[]]
    found = summarize_block(turns([1.0] * 8), turns([1.1] * 8, reasons=reasons), begins="base")
    assert found.are_voids_kept
    assert found.num_void == 7


def test_a_block_without_turns_says_so():
    with pytest.raises(ValueError, match="without turns"):
        summarize_block(turns([]), turns([]), begins="base")


def test_every_plan_has_a_budget():
    from bench.plan import PLANS

    assert list(BUDGETS) == list(PLANS)


@pytest.mark.parametrize(("plan", "num_rows"), [("quick", 56), ("standard", 110)])
def test_a_slowdown_of_every_row_is_told_however_many_rows_there_are(plan, num_rows):
    seconds = itertools.count(step=4.0)  # so slow that no further blocks are bought
    budget = BUDGETS[plan]
    schedule, _ = scheduled(
        {f"m{number}": 0.4 for number in range(num_rows)},
        budget=budget,
        clock=lambda: next(seconds),
    )
    assert set(verdicts(schedule).values()) == {Verdict.REGRESSED}


def test_a_part_of_a_gate_takes_as_many_blocks_as_the_correction_over_all_rows_needs():
    schedule, taken = scheduled({"a": 0.4, "b": 0.4}, num_rows=56)
    assert {len(numbers) for numbers in taken.values()} == {BUDGET.screen + 12}
    rows = [Row(cell=Cell(model=f"m{n}", size="tiny"), limits=Limits()) for n in range(56)]
    for one in rows:  # as its parts come together
        one.screen, one.confirm = schedule.rows[0].screen, schedule.rows[0].confirm
    whole = Schedule(rows=rows, budget=BUDGET, take_block=None, take_control=None)
    whole.decide(rows)
    assert {one.verdict for one in rows} == {Verdict.REGRESSED}


def test_a_head_that_hangs_is_waited_for_once():
    record = Record(
        run_id="",
        cell=Cell(model="hangs", size="tiny"),
        step="latency",
        outcome=Outcome.TIMED_OUT,
        failure=Failure(kind="deadline", message="not done"),
    )

    def hang(row, number):
        if row.cell.model == "hangs":
            raise BlockFailed("head", record)

    schedule, taken = scheduled({"hangs": 0.0, "same": 0.0}, take=hang)
    assert len(taken["hangs"]) == 1
    assert schedule.rows[0].broken
    assert verdicts(schedule)["same"] is Verdict.NO_REGRESSION
