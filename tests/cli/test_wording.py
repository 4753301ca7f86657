"""What users say in other words is understood, or answered with the right ones; and one is not many."""

import pytest

from clopbench.errors import quantity


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["lr=0.1"], "unknown override key 'lr': did you mean 'training.learning_rate'?"),
        (["epochs=2"], "unknown override key 'epochs': did you mean 'training.epochs'?"),
        (["--scale", "GPU"], "unknown scale 'GPU': did you mean 'gpu'?"),
        (["--seed", "3"], "No such option: --seed (Possible options: --scale, --seeds, --suite)"),
    ],
)
def test_near_misses_are_answered_with_what_was_meant(bench, words, answer):
    done = bench("plan", "table7", *words)
    assert done.code == 2
    assert answer in done.err
    assert len(done.err) < 1200


def test_a_dry_run_is_a_plan(bench, tmp_path):
    words = [
        "table7",
        "--seeds",
        "1",
        "--only",
        "prototypes=random",
        "--results",
        tmp_path / "none",
        "--workers",
        "1",
    ]
    plan, dry = bench("plan", *words), bench("run", *words, "--dry-run")
    assert (dry.code, dry.out) == (0, plan.out)
    assert "to run: 1 cell, about 0.1 min with 1 worker (" in dry.out
    assert not (tmp_path / "none").exists()
    assert "--dry-run: cannot go with --until" in bench("run", *words, "--dry-run", "--until", "settled").err


def test_counts_agree():
    assert [quantity(count, "cell") for count in (0, 1, 2)] == ["0 cells", "1 cell", "2 cells"]
    assert [quantity(count, "cell is", "cells are") for count in (1, 2)] == ["1 cell is", "2 cells are"]
