"""`bench list` says what a table costs and how far it is; near misses get the right words."""

import json

import pytest
from checkout import suite_of
from synthetic import VALUES, records_of

from clopbench.results.records import Store


@pytest.fixture
def suite(tmp_path, monkeypatch):
    found = suite_of(tmp_path / "suite", "table7", "detection")
    monkeypatch.setenv("BENCH_SUITE", str(found.root))
    return found


@pytest.fixture
def results(tmp_path, suite):
    """Three seeds of table7, each cell of which took a minute."""
    for one in records_of(suite.benchmark("table7")):
        Store(tmp_path / "results").write(one)
    return tmp_path / "results"


def test_a_table_is_listed_with_its_cells_its_time_and_what_is_done(bench, results):
    lines = bench("list").out.splitlines()
    at = lines.index("table7  Orthonormal against random prototypes")
    # Two rows and ten seeds; the six cells that are done took a minute each.
    assert lines[at + 3] == "    laptop, 10 seeds: 20 cells, about 20.0 min of one worker; 6 of 20 done"
    rows = {row["name"]: row for row in json.loads(bench("list", "--json").out)}
    found = rows["table7"]
    assert [found[key] for key in ("cells", "seconds", "done", "seeds")] == [20, 1200.0, 2 * len(VALUES), 10]


def test_without_records_the_scale_says_what_a_cell_takes(bench, suite):
    seconds = suite.benchmark("table7").scale.seconds_per_cell
    [row] = [row for row in json.loads(bench("list", "--json").out) if row["name"] == "table7"]
    assert (row["seconds"], row["done"]) == (20 * seconds, 0)


def test_what_is_not_run_at_a_scale_is_said_with_the_reason(bench, suite):
    assert not suite.benchmark("detection").entries
    lines = bench("list").out.splitlines()
    [line] = [line for line in lines if "not run: " in line]
    assert line.startswith("    laptop, 10 seeds: not run: ")
    paper = json.loads(bench("list", "--scale", "paper", "--json").out)
    assert {row["scale"] for row in paper} == {"paper"}


def test_a_dry_run_is_the_plan(bench, results):
    words = ("table7", "--seeds", "5", "--only", "prototypes=random")
    dry, plan = bench("run", *words, "--dry-run"), bench("plan", *words)
    assert (dry.code, dry.out) == (0, plan.out)
    assert "5 cells: 3 done, 2 missing" in dry.out
    assert len(list(results.glob("??/*"))) == 6


def test_one_is_not_many(bench, suite):
    done = bench("plan", "table7", "--seeds", "1", "--only", "prototypes=random", "--workers", "1")
    assert "\n1 cell: 0 done, 1 missing, 0 failed, 0 damaged\n" in done.out
    assert "to run: 1 cell, about " in done.out
    assert " with 1 worker (" in done.out


NEAR = {
    "seed": (["--seed", "3"], "No such option: --seed (Possible options: --"),
    "seed in words": (["--seed", "3"], "--seeds takes a count (3: seeds 0 to 2), a range (3-3: seed"),
    "option for a setting": (["--lr", "0.1"], "are words without dashes: training.learning_rate=VALUE"),
    "dashes": (["--batch-size", "8"], "training.batch_size=VALUE"),
    "lr": (["lr=0.1"], "unknown override key 'lr': did you mean 'training.learning_rate'?"),
    "no section": (["epochs=3"], "unknown override key 'epochs': did you mean 'training.epochs'?"),
    "another section": (["train.batch_size=3"], "did you mean 'training.batch_size'?"),
    "case of a scale": (["--scale", "GPU"], "unknown scale 'GPU': did you mean 'gpu'?"),
    "case of a method": (["--method", "CLOP"], "unknown method 'CLOP': did you mean 'clop'?"),
    "dry run until settled": (["--dry-run", "--until", "settled"], "--dry-run: cannot go with --until settled"),
}  # fmt: skip


@pytest.mark.parametrize(("words", "message"), NEAR.values(), ids=NEAR)
def test_what_is_nearly_right_gets_the_right_words(bench, tmp_path, suite, words, message):
    done = bench("run", "table7", *words)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert message in done.err
    assert not (tmp_path / "results").exists()


def test_a_report_is_one_line_and_of_one_table_its_folder(bench, tmp_path, results):
    words = ("report", "--local", "--out")
    done = bench(*words, "all")
    files = [path for path in (tmp_path / "all").rglob("*") if path.is_file()]
    assert done.out == f"wrote {len(files)} files: first all/RESULTS.md\n"
    assert (
        bench(*words, "all").out == f"up to date with the records: {len(files)} files, first all/RESULTS.md\n"
    )
    (tmp_path / "all" / "RESULTS.md").unlink()
    again = bench(*words, "all", "--verbose").out.splitlines()
    assert again == [
        "wrote all/RESULTS.md",
        f"wrote 1 file of {len(files)}, the others are up to date: first all/RESULTS.md",
    ]
    one = bench(*words, "one", "table7")
    folder = tmp_path / "one" / "tables" / "table7"
    assert one.out.endswith(": first one/tables/table7/README.md\n")
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["tables"]
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / "all" / path.relative_to(tmp_path / "one")).read_bytes()
    assert (folder / "README.md").is_file()
    wrong = bench("report", "tabel7")
    assert (wrong.code, wrong.err.count("\n")) == (2, 1)
    assert "unknown table 'tabel7': did you mean 'table7'?" in wrong.err
    assert bench("report", "table7", "--publish").code == 2
