"""The README says what is so."""

import re
from pathlib import Path

import pytest

from suite.__main__ import to_markdown
from suite.axes import BACKENDS, DEVICES, LIFE, MEASURED
from suite.catalog import builtin_specs
from suite.docs_page import PAGES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_table_of_models_is_the_catalogue():
    between = README.split("<!-- models:begin -->")[1].split("<!-- models:end -->")[0]
    assert between.strip() == to_markdown(builtin_specs()), "run: python -m suite list --format md"


def test_every_option_is_in_the_table_and_none_that_does_not_exist(pytestconfig):
    group = next(g for g in pytestconfig._parser._groups if g.name == "torch-vitals")
    options = {name for option in group.options for name in option.names()}
    section = README.split("## Options of `pytest bench`")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `(--[a-z-]+)", section, re.MULTILINE)) == options


@pytest.mark.parametrize("name", PAGES)
def test_tables_of_stages_variants_and_backends_are_those_of_the_rows(name):
    page = (ROOT / name).read_text(encoding="utf-8")
    assert PAGES[name](page) == page, "run: python -m suite.docs_page"


def test_a_page_that_lost_its_table_is_an_error_that_names_it():
    with pytest.raises(ValueError, match="the page has no table with the head '| backend |"):
        PAGES["docs/concepts.md"]("| backend | |\n")


def test_help_texts_list_every_name_that_an_option_takes(pytestconfig):
    group = next(g for g in pytestconfig._parser._groups if g.name == "torch-vitals")
    help_of = {name: option.attrs()["help"] for option in group.options for name in option.names()}
    for option, names in (
        ("--backend", BACKENDS),
        ("--device", DEVICES),
        ("--variant", MEASURED),
        ("--stages", LIFE),
    ):
        assert set(re.findall(r"\w+", help_of[option])) >= set(names)


def test_every_make_target_that_is_named_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert set(re.findall(r"`?make ([a-z]+)", README)) <= targets


def test_every_file_and_folder_that_is_named_exists():
    linked = set(re.findall(r"\]\(([^)#:]+)\)", README))
    tree = README.split("## The tree")[1].split("```")[1]
    named, above = {name for name in linked if not name.startswith("http")}, ""
    for line in tree.strip().splitlines():
        name = line.split()[0].strip("/")
        above = name if not line.startswith(" ") else above
        named.add(name if name == above else f"{above}/{name}")
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_every_file_that_a_recipe_names_exists():
    page = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:bench|diagnostics|docs|suite|tests)/[\w./]+)`", page))
    assert len(named) > 20
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_the_example_of_a_users_model_is_a_good_models_file(tmp_path):
    from suite.catalog import specs_in

    code = re.search(r"```python\n(# my_models.py.*?)```", README, re.DOTALL)
    file = tmp_path / "my_models.py"
    file.write_text(code[1])
    assert [spec.name for spec in specs_in(file)] == ["my_net"]


def test_every_task_says_what_it_feeds():
    from suite.axes import TASKS

    page = (ROOT / "docs" / "your-models.md").read_text(encoding="utf-8")
    page = page.split("## What each task feeds")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `([a-z_]+)` \| `", page, re.MULTILINE)) == set(TASKS)


def test_every_model_of_the_page_on_ones_own_models_is_a_good_one(tmp_path):
    from suite.catalog import specs_in
    from suite.origins.python import describe

    page = (ROOT / "docs" / "your-models.md").read_text(encoding="utf-8")
    found = []
    for name, code in re.findall(r"```python\n# (\w+)\.py\n(.*?)```", page, re.DOTALL):
        file = tmp_path / f"{name}.py"
        file.write_text(code)
        found += specs_in(file) if "MODELS" in code else [describe(f"{file}:build")]
    assert [spec.name for spec in found][:2] == ["my_file.build", "distance"]
    assert len({spec.name for spec in found}) == len(found)
    assert found[0].export.dynamic
    assert found[1].can_train
