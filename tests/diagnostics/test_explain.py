"""Facts about the explainer: every row knows its texts, innocent logs stay unexplained."""

from __future__ import annotations

import re
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diagnostics.explain import explain
from diagnostics.explain.condense import condense
from diagnostics.explain.explainer import FIRST_HITS, SHOWN
from diagnostics.explain.known.catalog import ROWS
from diagnostics.explain.row import Row, compiled, needle_of
from diagnostics.explain.wording import gaps, sentence
from diagnostics.finding import Level, Safety

FOLDER = Path(__file__).parent / "errors"


def _blocks() -> list[tuple[str, str, str]]:
    found = []
    for path in sorted(FOLDER.glob("*.txt")):
        for block in re.split(r"^=== ", path.read_text("utf-8"), flags=re.MULTILINE)[1:]:
            head, _, body = block.partition("\n")
            code, _, origin = head.partition(" | ")
            found.append((code.strip(), origin or path.stem, body))
    return found


BLOCKS = _blocks()
NAMES = [f"{code}-{number}" for number, (code, _, _) in enumerate(BLOCKS)]

INNOCENT = """
INFO: epoch 1 step 200 loss: 0.693 lr: 1e-3 accuracy 0.51
Downloading model.safetensors: 100%|##########| 440M/440M [00:12<00:00, 35.1MB/s]
Successfully installed torch-2.15.0 torchvision-0.29.2
2026-01-01 12:00:00 the tenant's banana shipment: no errors, 0 failed, nan is a kind of bread
tests/test_device.py::test_cuda_out_of_range PASSED
collected 12 items
Killed 3 mutants in 4.2 s; warning: unused variable `killed`
loss is decreasing; information: info loss = information, inference = infinite fun
CUDA available: True, device 0: NVIDIA H200, driver 580.65, memory 139 GiB
[rank0]: saved checkpoint to out/step-100.pt (no space was left unused on the device)
"""


@pytest.mark.parametrize(("code", "origin", "text"), BLOCKS, ids=NAMES)
def test_a_verbatim_text_is_explained_by_its_row_first(code: str, origin: str, text: str) -> None:
    found = explain(text)
    assert found, f"nothing explains the text of {code} ({origin})"
    assert found[0].code == code, f"{origin}: {[item.code for item in found]}"
    assert found[0].cause
    assert not re.search(r"\{\w+\}", found[0].summary)


def test_every_row_has_a_verbatim_text() -> None:
    assert {row.code for row in ROWS} - {code for code, _, _ in BLOCKS} == set()


def test_codes_are_unique_and_explain_only_codes_that_exist() -> None:
    counts = Counter(row.code for row in ROWS)
    assert [code for code, count in counts.items() if count > 1] == []
    assert {code for row in ROWS for code in row.explains} - counts.keys() == set()


def test_every_error_row_says_why_and_most_say_what_to_do() -> None:
    assert all(row.cause.endswith((".", ")")) and row.summary for row in ROWS)
    assert sum(bool(row.cures) for row in ROWS) > 0.85 * len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.code)
def test_no_sentence_needs_a_value_that_its_pattern_does_not_capture(row: Row) -> None:
    for pattern in row.patterns:
        known = {*compiled(pattern).groupindex, *compiled(row.context).groupindex, "python"}
        derive = row.derive
        if derive is not None:
            known |= set(derive(dict.fromkeys(known, "12040")))
        for template in (row.summary, row.cause):
            assert gaps(template, known) == set(), template


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.code)
def test_each_pattern_has_a_literal_part_that_finds_it(row: Row) -> None:
    for pattern in row.patterns:
        needle = needle_of(pattern)
        assert len(needle) >= 4, pattern
        for code, _, text in BLOCKS:
            match = compiled(pattern).search(text)
            if match is not None and code == row.code:
                assert needle in match[0]


def test_an_innocent_log_is_not_explained() -> None:
    assert [item.code for item in explain(INNOCENT)] == []


def test_numbers_of_the_message_stand_in_the_summary_and_the_fix() -> None:
    text = "RuntimeError: mat1 and mat2 shapes cannot be multiplied (32x256 and 512x10)"
    found = explain(text)[0]
    assert found.summary == "The layer expects 512 features, but got 256."
    assert any("nn.Linear(256, 10)" in fix.shell for fix in found.fixes)


def test_the_evidence_names_the_line() -> None:
    found = explain("a\nb\nIndexError: Target 7 is out of bounds.\n", source="train.log")[0]
    assert (found.evidence[0].source, found.summary) == (
        "train.log:3",
        "A label is out of range (7).",
    )


def test_a_consequence_is_folded_under_its_root_cause() -> None:
    text = (
        "ImportError: libcudnn.so.9: cannot open shared object file: No such file or directory\n"
        "ModuleNotFoundError: Could not import module 'AutoModel'. "
        "Are this object's requirements defined correctly?\n"
    )
    first, second = explain(text)
    assert (first.code, first.explains) == ("nvidia-lib-missing", ("masked-import",))
    assert second.code == "masked-import"


def test_a_symptom_comes_after_the_error_that_names_a_cause() -> None:
    text = (
        "RuntimeError: DataLoader worker (pid(s) 9) exited unexpectedly\n"
        "OSError: [Errno 28] No space left on device\n"
    )
    assert explain(text)[0].code == "disk-full"


def test_of_two_errors_the_first_in_the_log_comes_first() -> None:
    one, two = "IndexError: index out of range in self", "RuntimeError: Numpy is not available"
    assert [f.code for f in explain(f"{one}\n{two}")] == ["emb-range", "numpy-unavailable"]
    assert [f.code for f in explain(f"{two}\n{one}")] == ["numpy-unavailable", "emb-range"]


def test_colours_and_prefixes_of_ranks_and_pytest_do_not_hide_an_error() -> None:
    for text in (
        "\x1b[31mIndexError: \x1b[0mindex out of range in self",
        "[rank3]: IndexError: index out of range in self",
        "E       IndexError: index out of range in self",
        "2026-01-01T00:00:00Z stderr F IndexError: index out of range in self",
    ):
        assert [item.code for item in explain(text)] == ["emb-range"]


def test_fix_commands_are_written_for_the_given_interpreter() -> None:
    text = "ModuleNotFoundError: No module named 'onnxscript'"
    fix = explain(text, python="/my env/bin/python")[0].fixes[0]
    assert fix.argv[:4] == ("/my env/bin/python", "-m", "pip", "install")


def test_captured_text_never_becomes_another_argument_or_command() -> None:
    text = "ERROR: Failed building wheel for evil;$(reboot)"
    wheel = explain(text)[0].fixes[0]
    assert wheel.argv[-1] == "evil;$(reboot)"
    assert len(wheel.argv) == 6
    text = "The client socket has failed to connect to any network address of (a;reboot, 1)"
    assert "'a;reboot'" in explain(text)[0].fixes[0].shell


def test_privileged_and_manual_fixes_are_marked() -> None:
    for row in ROWS:
        for cure in row.cures:
            if "sudo " in cure.line:
                assert cure.safety is Safety.PRIVILEGED, (row.code, cure.line)
            assert cure.is_argv is False or cure.safety is Safety.SAFE


def test_no_cure_begins_with_the_word_that_stands_before_the_second() -> None:
    assert not [
        (row.code, cure.line) for row in ROWS for cure in row.cures if cure.line.startswith("or ")
    ]


def test_a_sentence_drops_an_aside_without_value() -> None:
    assert sentence("Broken ({what}).", {"what": ""}) == "Broken."
    assert sentence("Broken ({what}).", {"what": "x"}) == "Broken (x)."
    assert sentence("Broken: {what}", {"what": ""}) == "Broken"


def test_information_is_not_an_error() -> None:
    found = explain("No CUDA runtime is found, using CUDA_HOME='/usr/local'")
    assert [item.level for item in found] == [Level.INFO]


def test_an_error_in_the_middle_of_many_lookalikes_is_found_from_both_ends() -> None:
    noise = "CUDA out of memory\n" * 10 * FIRST_HITS
    text = noise + "RuntimeError: CUDA out of memory. Tried to allocate 20.00 MiB (GPU 0)\n"
    assert [item.code for item in explain(text)] == ["cuda-oom"]


def test_ten_megabytes_of_log_take_less_than_a_second() -> None:
    line = "step {} loss: 0.{} lr 1e-3 GPU memory 13.2 GiB throughput 812 samples/s\n"
    text = "".join(line.format(i, i % 997) for i in range(145_000))
    text += "IndexError: index out of range in self\n"
    start = time.process_time()
    found = explain(text)
    assert [item.code for item in found] == ["emb-range"]
    assert found[0].evidence[0].source == "text:145001"
    assert len(text) > 10_000_000
    assert time.process_time() - start < 1.0


def test_a_long_log_keeps_the_numbers_of_its_lines() -> None:
    noise = [f"step {i} of 99999, all is well and nothing happens here" for i in range(60_000)]
    text = "\n".join([*noise[:30_000], "IndexError: index out of range in self", *noise[30_000:]])
    shorter, line_of = condense(text)
    assert len(shorter) < 0.01 * len(text)
    assert line_of(shorter.index("IndexError")) == 30_001


def test_nine_megabytes_of_ever_new_lines_take_less_than_two_seconds() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [a + b + c for a in letters for b in letters for c in "xy"][:700]
    text = "\n".join(f"{a} error {b} not {a}{b}" for a in words for b in words)
    start = time.process_time()
    found = explain(text + "\nRuntimeError: Numpy is not available")
    assert [item.code for item in found] == ["numpy-unavailable"]
    assert len(text) > 9_000_000
    assert time.process_time() - start < 2.0


@pytest.mark.parametrize("code", [row.code for row in ROWS])
def test_no_pattern_explodes_on_long_lines_of_its_own_words(code: str) -> None:
    row = next(row for row in ROWS if row.code == code)
    for pattern in row.patterns:
        needle = needle_of(pattern)
        for filler in ("a", "a.", "/a", "1 ", "a_", "[1, ", "a'", "a: ", "x\n", needle):
            text = (filler * 3400)[: 3400 - len(needle)] + needle
            # One hit has a window of 3,400 characters; a log may have dozens of hits.
            # A busy neighbour makes one look slow, never three.
            seconds = []
            for _ in range(3):
                start = time.process_time()
                compiled(pattern).search(text)
                seconds.append(time.process_time() - start)
                if seconds[-1] < 0.05:
                    break
            assert min(seconds) < 0.05, (pattern, filler)


@given(st.text())
@settings(max_examples=60, deadline=None)
def test_any_text_can_be_explained(text: str) -> None:
    for item in explain(text):
        assert len(item.evidence[0].value) <= SHOWN


@given(st.sampled_from(BLOCKS), st.integers(0, 400), st.integers(0, 400))
@settings(max_examples=100, deadline=None)
def test_a_text_cut_anywhere_can_be_explained(
    block: tuple[str, str, str], start: int, end: int
) -> None:
    for item in explain(block[2][start : start + end]):
        assert item.summary
        assert item.as_dict()
