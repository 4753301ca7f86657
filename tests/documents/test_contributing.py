"""The recipes of CONTRIBUTING.md are followed to the letter: files as printed, commands as they stand there."""

import re
import shlex
from pathlib import Path

import pytest
from checkout import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text()
STEP = re.compile(r"(?:^`(?P<file>[\w/.]+)`:\n\n)?^```(?P<language>\w+)\n(?P<content>.*?)^```$", re.M | re.S)
# Heading → what the last commands must have said and left; those that train are slow.
RECIPES = {
    "A method in ten lines": (
        ["align  version 1  Alignment only", "align beats supcon (a "],
        ["methods/align.py"],
    ),
    "A table in ten lines": (
        ["4 cells: 0 done, 4 missing", "A low temperature is better", "first report/RESULTS.md"],
        ["report/tables/warmth/README.md"],
    ),
    "A cluster in ten lines": (["#SBATCH --partition=cpu", "#SBATCH --cpus-per-task=4"], ["slurm/west.yaml"]),
}


def steps(heading: str) -> list[tuple[str, str, str]]:
    """(file or nothing, language, content) of each block of a section, in order."""
    [section] = re.findall(rf"^## {heading}\n(.*?)(?=^## )", TEXT, re.M | re.S)
    return [(one["file"] or "", one["language"], one["content"]) for one in STEP.finditer(section)]


@pytest.mark.parametrize(
    "heading",
    [pytest.param(name, marks=[pytest.mark.slow] * ("cluster" not in name)) for name in RECIPES],
)
def test_a_recipe_works_from_an_empty_folder(bench, tmp_path, monkeypatch, heading):
    monkeypatch.delenv("BENCH_SUITE")
    said = ""
    for name, language, content in steps(heading):
        if name:
            Path(name).write_text(content)
            continue
        assert language == "bash", "a file is printed below its name"
        for line in content.splitlines():
            for command in line.split(" && "):
                words = shlex.split(command)
                if words[0] == "cd":
                    monkeypatch.chdir(words[1])
                    continue
                assert words[0] == "bench"
                done = bench(*words[1:])
                assert done.code == 0, (command, done.err)
                said += done.out
    lines, files = RECIPES[heading]
    for line in lines:
        assert line in said
    for name in files:
        assert (tmp_path / "mine" / name).is_file()


def test_recipes_are_short():
    """A newcomer types them: ten lines of numbered advice each, and files that fit a screen."""
    for heading in RECIPES:
        files = [content for name, _, content in steps(heading) if name]
        assert files
        assert all(content.count("\n") <= 20 for content in files)
