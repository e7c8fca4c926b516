"""The command that a record of a run names can be typed again."""

import shlex
from types import SimpleNamespace

from suite.pytest_plugin import command_of


def test_words_with_spaces_are_quoted():
    """`-k latency or pairs` was taken for three words."""
    words = ["bench", "-k", "latency or pairs", "--models", "bert*"]
    config = SimpleNamespace(
        hook=SimpleNamespace(pytest_vitals_command=lambda config: None),
        invocation_params=SimpleNamespace(args=words),
    )
    assert shlex.split(command_of(config)) == ["pytest", *words]
