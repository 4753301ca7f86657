"""Links of all documents lead somewhere, and a table's folder holds what its page shows and nothing else."""

from functools import cache
from pathlib import Path

import pytest
from checkout import ROOT
from links import anchors, links, resolved

from clopbench.suite.suite import Suite

PLACES = ("*.md", "docs/*.md", "tables/**/*.md", "slurm/**/*.md", "benchmarks/**/*.md")
DOCUMENTS = sorted(str(path.relative_to(ROOT)) for place in PLACES for path in ROOT.glob(place))
TABLES = Suite(ROOT).table_names()


@cache
def anchors_of(path: Path) -> list[str]:
    return anchors(path.read_text())


def visible(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name):
    for target in dict.fromkeys(links((ROOT / name).read_text())):
        file, anchor = resolved(name, target)
        assert (ROOT / file).is_file(), f"{name} links to {target}"
        if anchor:
            assert anchors_of(ROOT / file).count(anchor) == 1, f"{name} links to {target}"


def test_the_documents_are_all_there():
    pages = [f"tables/{table}/README.md" for table in TABLES]
    assert {"README.md", "RESULTS.md", "CONTRIBUTING.md", "docs/cluster.md", *pages} <= set(DOCUMENTS)
    reached = {resolved("RESULTS.md", target)[0] for target in links((ROOT / "RESULTS.md").read_text())}
    assert set(pages) <= reached


@pytest.mark.parametrize("table", TABLES)
def test_a_tables_folder_holds_what_its_page_shows(table):
    """Nothing lingers there that the report no longer makes."""
    page = f"tables/{table}/README.md"
    shown = {resolved(page, target)[0] for target in links((ROOT / page).read_text())}
    inside = {f"tables/{table}/{name}" for name in visible(ROOT / "tables" / table)}
    assert inside == {page} | shown - {"RESULTS.md"}
    assert {f"tables/{table}/table.csv", f"tables/{table}/table.tex"} <= shown


def test_what_lies_at_the_top_of_tables_is_written_by_hand():
    declared = {f"{table}.yaml" for table in TABLES}
    assert visible(ROOT / "tables") == declared | {"summary.md", *TABLES}
