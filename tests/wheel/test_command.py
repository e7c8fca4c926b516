"""The command `vitals`: it has every command of the packages, and says what is wrong in one sentence."""

import re

import pytest

from vitals.command import COMMANDS, main


def words_of(module):
    return {c.prefix[0] for c in COMMANDS.values() if c.runner.startswith(module) and c.prefix}


def test_every_command_of_the_packages_has_a_word(capsys):
    from bench.__main__ import COMMANDS as OF_RUNS
    from diagnostics.cli import DELEGATES
    from suite.__main__ import main as suite

    with pytest.raises(SystemExit):
        suite(["--help"])
    of_models = set(re.search(r"\{([\w,]+)\}", capsys.readouterr().out)[1].split(","))
    assert words_of("bench.") == set(OF_RUNS)
    assert words_of("diagnostics.") == set(DELEGATES)
    assert words_of("suite.") == of_models


def test_every_word_is_in_the_help(capsys):
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"\n  {word} " in shown for word in COMMANDS)


@pytest.mark.parametrize(
    "word, text",
    [("reprot", "did you mean report?"), ("xyzzy", "expected doctor, bench, suite, gate, report")],
)
def test_an_unknown_word_is_answered_with_the_nearest_or_with_all(capsys, word, text):
    assert main([word]) == 2
    assert text in capsys.readouterr().err


def test_without_a_word_the_help_is_shown_and_nothing_was_done(capsys):
    assert main([]) == 2
    assert capsys.readouterr().out.startswith("usage: vitals COMMAND [OPTIONS]")


def test_options_go_on_to_the_command(capsys):
    assert main(["list", "mlp", "--format", "md"]) == 0
    assert "| `mlp` | image classification |" in capsys.readouterr().out


def test_a_gate_that_is_not_told_what_to_compare_with_says_so(capsys):
    assert main(["gate", "--models", "mlp"]) == 4
    assert "vitals gate: compare with what? Expected a git ref" in capsys.readouterr().err
