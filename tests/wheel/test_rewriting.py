"""What the build hook makes of a checkout's sources: one import name, and nothing else changed."""

from pathlib import Path

import pytest

from hatch_build import BuildError, contents, in_text, rewrite

ROOT = Path(__file__).parents[2]
MODULES = {
    "suite": frozenset({"spec", "data", "stages", "worker", "models"}),
    "bench": frozenset({"report", "plan"}),
    "diagnostics": frozenset({"cli"}),
}


def rewritten(source):
    return rewrite(source, "a_file.py", MODULES)


@pytest.mark.parametrize(
    "source, expected",
    [
        ("from suite.spec import Size\n", "from vitals.suite.spec import Size\n"),
        ("from suite import units\n", "from vitals.suite import units\n"),
        (
            "def f():\n    from bench.plan import A\n",
            "def f():\n    from vitals.bench.plan import A\n",
        ),
        ("from suite.spec import (\n    A,\n)\n", "from vitals.suite.spec import (\n    A,\n)\n"),
        ("from .suite import x\n", "from .suite import x\n"),
        ("from suites import x\n", "from suites import x\n"),
        ('RUN = "suite.stages.build:run"\n', 'RUN = "vitals.suite.stages.build:run"\n'),
        ('M = f"suite.data.{name}"\n', 'M = f"vitals.suite.data.{name}"\n'),
        ('M = f"suite.{name}"\n', 'M = f"vitals.suite.{name}"\n'),
        (
            'c = [p, "-m", "suite.worker.launcher"]\n',
            'c = [p, "-m", "vitals.suite.worker.launcher"]\n',
        ),
        ('c = (p, "-m", "diagnostics")\n', 'c = (p, "-m", "vitals", "doctor")\n'),
        ('if m.startswith("suite."): pass\n', 'if m.startswith("vitals.suite."): pass\n'),
        ('"""A row of `bench.plan.PLANS`."""\n', '"""A row of `vitals.bench.plan.PLANS`."""\n'),
    ],
)
def test_imports_and_references_in_strings_get_the_one_name(source, expected):
    assert rewritten(source) == expected


@pytest.mark.parametrize(
    "source",
    [
        'kind = "suite"\n',
        'print("the whole suite. It passed")\n',
        'path = "suite/spec.py"\n',
        'file = "bench.html"\n',
        'name = "my.suite.spec"\n',
        'link = "https://example.org/suite.spec"\n',
        "suite = 1\nsuite.bit_length()\n",
        "# from suite.spec import Size\n",
    ],
)
def test_words_that_are_no_references_stay(source):
    assert rewritten(source) == source


@pytest.mark.parametrize(
    "text, expected",
    [
        ("Next: python -m diagnostics", "Next: vitals doctor"),
        ("{python} -m diagnostics model FILE", "{python} -m vitals doctor model FILE"),
        ("python -m bench report RUN", "vitals report RUN"),
        ("python -m suite show cnn", "vitals show cnn"),
        ("run `pytest bench` first", "run `vitals bench` first"),
        ("pytest suite -k export", "vitals suite -k export"),
        ("with `from suite.spec import ModelSpec`", "with `from vitals.spec import ModelSpec`"),
    ],
)
def test_advice_names_the_command_that_is_installed(text, expected):
    assert in_text(text, MODULES) == expected


def test_a_text_of_several_lines_keeps_its_lines():
    source = 'T = """one\n  from suite.spec import A\nthree"""\nfrom suite.spec import B\n'
    expected = (
        'T = """one\n  from vitals.spec import A\nthree"""\nfrom vitals.suite.spec import B\n'
    )
    assert rewritten(source) == expected


def test_an_import_that_binds_a_bare_name_stops_the_build():
    with pytest.raises(BuildError, match=r"a_file\.py:2: `import suite\.models` binds a bare name"):
        rewritten("x = 1\nimport suite.models\n")


def test_the_wheel_has_every_template_and_table_and_no_file_of_the_checkouts_own():
    places = [place.as_posix() for _, place in contents(ROOT)]
    assert "vitals/diagnostics/tables/onnx_kernels.json" in places
    assert "vitals/bench/report/templates/report.html.j2" in places
    assert "vitals/bench/history/migrations/versions/0001_tables.py" in places
    assert "vitals/bench/test_latency.py" in places
    own = ("docs_page.py", "conftest.py", "test_environment.py", ".pyc", "hatch_build.py")
    assert not [place for place in places if place.endswith(own)]
    assert {place.partition("/")[0] for place in places} == {"vitals"}
