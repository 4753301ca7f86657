"""The site: every guide is reached, what it refers to exists, and nothing is loaded from elsewhere."""

import importlib.util
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from checkout import ROOT

CONFIG = yaml.safe_load((ROOT / "mkdocs.yml").read_text())


def pages(nav: Any) -> Iterator[str]:
    for entry in nav:
        for target in entry.values():
            yield from pages(target) if isinstance(target, list) else [target]


def test_every_guide_is_in_the_contents():
    reached = list(pages(CONFIG["nav"]))
    assert len(reached) == len(set(reached))
    guides = {path.name for path in (ROOT / "docs").glob("*.md")}
    assert guides <= set(reached)
    known = [ROOT / "docs", ROOT]
    assert [page for page in reached if not any((place / page).is_file() for place in known)] == []


@pytest.mark.parametrize(
    "name", re.findall(r"^::: (\S+)$", (ROOT / "docs/reference.md").read_text(), re.MULTILINE)
)
def test_modules_of_the_reference_exist_and_say_what_they_are(name):
    found = importlib.util.find_spec(name)
    assert found is not None
    assert found.origin is not None
    with open(found.origin, encoding="utf-8") as file:
        assert file.read(3) == '"""'


def test_the_public_modules_are_all_there():
    text = (ROOT / "docs/reference.md").read_text()
    public = ("method", "contrastive", "prototypes", "geometry", "statistics.summaries", "statistics.family")
    assert all(f"::: clopbench.{name}\n" in text for name in public)


def test_the_site_is_built_where_git_does_not_look_and_loads_nothing():
    assert CONFIG["site_dir"].startswith("results/")
    assert "results/*" in (ROOT / ".gitignore").read_text().splitlines()
    assert CONFIG["theme"]["font"] is False
    assert "extra_javascript" not in CONFIG
    assert "mkdocs build --strict" in (ROOT / ".ci" / "run").read_text()
    assert "docs" in tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
