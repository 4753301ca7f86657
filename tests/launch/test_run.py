"""Real runs: determinism, pairing, resumption, crashes, interruption, concurrency. Real cells, made small."""

import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from checkout import QUICK, pixels_of, suite_of
from runs import METHOD, digests, leftovers, start, wait_until

from clopbench.launch import local
from clopbench.results import leases
from clopbench.results.index import scan
from clopbench.results.records import RESULT_STATUSES, Store

# A few seconds a cell: long enough to be caught in the middle.
LONGER = ["training.epochs=15", "training.warmup_epochs=0", "encoder.width=4"]


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> Path:
    """Table 7 with two seeds, run once by the command line in a process of its own, with one worker."""
    results = tmp_path_factory.mktemp("reference")
    command = ["run", "table7", "--seeds", "2", "--workers", "1", *QUICK, "--results", str(results)]
    done = start(command)
    out, _ = done.communicate(timeout=120)
    assert done.returncode == 0, out
    (results / "output.txt").write_text(out)
    return results


def test_cells_of_seed_0_keep_some_embeddings_for_figures(reference):
    """Normalised, of images spread over the test set, beside the prototypes that they were pulled to."""
    kept = {}
    for entry in scan(Store(reference)).values():
        path = Store(reference).folder(entry.id) / "embeddings.npz"
        assert path.exists() == (entry.content["seed"] == 0)
        if path.exists():
            kept[entry.content["config"]["method"]["parameters"]["prototypes"]] = np.load(path)
    labels = pixels_of("digits").test.labels
    for arrays in kept.values():
        np.testing.assert_allclose(np.linalg.norm(arrays["z_ND"].astype(float), axis=1), 1, atol=2e-3)
        assert (arrays["y_N"] == labels).all()  # 360 images: fewer than are kept at most.
    gram = kept["orthonormal"]["prototype_KD"] @ kept["orthonormal"]["prototype_KD"].T
    np.testing.assert_allclose(gram, np.eye(10), atol=1e-5)
    assert kept.keys() == {"orthonormal", "random"}


def test_output_names_scale_progress_table_and_claim(reference):
    out = (reference / "output.txt").read_text()
    assert "scale laptop is the default; its values are not comparable with the paper's" in out
    assert "4 cells: 0 done, 4 missing, 0 failed, 0 damaged" in out
    assert "[4/4] done table7 " in out
    assert "CLOP, orthonormal prototypes" in out
    claims_shown = out.partition("\nClaims (")[2]  # Its cells are wrapped, so a sentence is in pieces.
    assert all(word in claims_shown for word in ("Orthonormal", "beat", "random ones"))
    assert "\x1b" not in out  # Plain lines where there is no terminal.


def test_two_workers_give_the_bits_of_one(bench, tmp_path, reference):
    assert bench("run", "table7", "--seeds", "2", "--workers", "2", *QUICK).code == 0
    assert len(digests(reference)) == 4
    assert digests(tmp_path / "results") == digests(reference)
    assert leftovers(tmp_path / "results") == []


def test_another_seed_gives_other_bits(reference):
    assert len(set(digests(reference).values())) == 4


def test_running_again_trains_nothing(bench, reference):
    before = {path: path.stat().st_mtime_ns for path in reference.glob("??/*/*")}
    done = bench("run", "table7", "--seeds", "2", *QUICK, "--results", reference)
    assert done.code == 0
    assert "4 cells: 4 done, 0 missing" in done.out
    assert {path: path.stat().st_mtime_ns for path in reference.glob("??/*/*")} == before


def test_record_holds_metrics_pairing_and_provenance(reference):
    entries = list(scan(Store(reference)).values())
    for entry in entries:
        content = entry.content
        assert 0 <= content["metrics"]["probe_top1"] <= content["metrics"]["probe_top5"] <= 1
        assert 1 <= content["metrics"]["effective_rank"] <= 64
        assert content["metrics"].keys() >= {
            *("probe_all_top1", "probe_all_top5", "knn_top1", "mean_norm", "alignment", "uniformity"),
            *("prototype_cosine_own", "prototype_cosine_other", "prototype_top1", "prototype_overlap"),
            "dominant_share",
        }
        provenance = content["provenance"]
        assert provenance.keys() >= {
            *("commit", "dirty", "python", "torch", "cuda", "clopbench", "device", "host", "slurm_job"),
            *("started", "seconds", "views_per_second", "peak_memory_bytes", "data_sha256", "scale"),
        }
        assert provenance["seconds"] > 0
        record = Store(reference).read(entry.id)
        assert record is not None
        assert record.history.startswith("epoch,")
        assert len(record.spectrum) == 64
        assert sum(value**2 for value in record.spectrum) == pytest.approx(1.0)


def test_methods_are_paired(bench, tmp_path, reference):
    """Same seed: same labelled subset and initial weights, for every method; another seed: other ones."""
    arguments = ["--seeds", "2", "--method", "simclr", "--method", "supcon", *QUICK]
    done = bench("run", "table7", *arguments, "data.label_fraction=0.1")
    assert done.code == 0
    assert "simclr" in done.out
    contents = [entry.content for entry in scan(Store(tmp_path / "results")).values()]
    assert len(contents) == 8
    for key in ("subset", "init"):
        by_seed = {seed: {c["pairing"][key] for c in contents if c["seed"] == seed} for seed in (0, 1)}
        assert len(by_seed[0]) == len(by_seed[1]) == 1
        assert by_seed[0] != by_seed[1]
    whole = {e.content["pairing"]["init"] for e in scan(Store(reference)).values()}
    assert {c["pairing"]["init"] for c in contents} == whole  # The label fraction does not move the weights.


def test_imbalance_and_noise_reach_the_cell(bench, tmp_path):
    arguments = ["--seeds", "1", *QUICK, "data.imbalance_factor=10", "data.label_noise=0.3"]
    assert bench("run", "table7", *arguments).code == 0
    long_tail = [entry.content for entry in scan(Store(tmp_path / "results")).values()]
    assert len({content["pairing"]["subset"] for content in long_tail}) == 1
    assert bench("run", "table7", "--seeds", "1", *QUICK, "data.class_fractions={0:0.1,9:0.5}").code == 0
    contents = [entry.content for entry in scan(Store(tmp_path / "results")).values()]
    assert len({content["pairing"]["subset"] for content in contents}) == 2
    assert {content["status"] for content in contents} <= set(RESULT_STATUSES)


def test_embeddings_that_overflow_are_divergence_and_not_a_crash(bench, tmp_path):
    """A step so large that the weights leave the range of float32, in the only step of the run."""
    arguments = ["--seeds", "1", "--only", "prototypes=random", *QUICK]
    done = bench("run", "table7", *arguments, "training.learning_rate=1e38", "training.batch_size=1437")
    assert done.code == 0, done.out
    assert "1 diverged" in done.out
    (entry,) = scan(Store(tmp_path / "results")).values()
    assert entry.content["notes"] == {"diverged": "features not finite after the last step"}
    assert entry.content["metrics"] == {}


@pytest.fixture
def methods_dir(tmp_path) -> Path:
    folder = tmp_path / "their methods"
    folder.mkdir()
    (folder / "theirs.py").write_text(METHOD)
    return folder


FAULTS = {
    "raise": ("error", "RuntimeError: the third step went wrong"),
    "kill": ("killed", "the worker was killed by SIGKILL"),
    "memory": ("out_of_memory", "OutOfMemoryError: too large"),
    "exit": ("error", "the worker ended with status 9"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failing_cell_does_not_sink_the_others(bench, tmp_path, methods_dir, fault):
    """The dropped-in method gets its row in the benchmark; its failure is classed, and is tried again."""
    extra = ["--method", "theirs", "--methods-dir", methods_dir]
    where = ["table7", "--seeds", "1", "--only", "prototypes=random", *extra, *QUICK]
    done = bench("run", *where, f"method.fault={fault}")
    kind, message = FAULTS[fault]
    assert done.code == 1
    assert f"failed: table7 theirs, seed 0: {kind}: {message}" in done.out
    assert "1 of 2 cells has no result" in done.out
    assert "CLOP, random prototypes" in done.out
    log = Path(done.out.partition("  log: ")[2].partition("\n")[0])
    assert log.is_file()
    assert len(digests(tmp_path / "results")) == 1
    assert leftovers(tmp_path / "results") == []

    plan = json.loads(bench("plan", *where, f"method.fault={fault}", "--json").out)
    assert (plan["done"], plan["failed"], plan["missing"]) == (1, 1, 0)
    assert [row["why"] for row in plan["cells"] if row["state"] == "failed"] == [f"failed: {kind}: {message}"]
    assert bench("run", *where, f"method.fault={fault}").code == 1  # A failure is never a result.
    assert log.read_text().count(" start ") == 2


def test_a_loss_that_is_nan_is_a_result(bench, tmp_path, methods_dir):
    where = ["table7", "--seeds", "1", "--only", "prototypes=random", "--method", "theirs"]
    done = bench("run", *where, "--methods-dir", methods_dir, "method.fault=not_a_number", *QUICK)
    assert done.code == 0
    assert "diverged table7 theirs, seed 0" in done.out
    assert "1 (1 diverged)" in done.out
    contents = [entry.content for entry in scan(Store(tmp_path / "results")).values()]
    notes = [c["notes"] for c in contents if c["status"] == "diverged"]
    assert notes == [{"diverged": "loss not finite at epoch 1, step 3"}]


def test_a_collapsed_run_is_a_result_with_its_rule(bench, tmp_path):
    done = bench("run", "table7", "--seeds", "1", *QUICK, "evaluation.collapse_rank=60")
    assert done.code == 0
    assert "1 (1 collapsed)" in done.out
    contents = [entry.content for entry in scan(Store(tmp_path / "results")).values()]
    assert {c["status"] for c in contents} == {"collapsed"}
    assert all("< evaluation.collapse_rank = 60" in c["notes"]["collapsed"] for c in contents)


def training(results: Path) -> Iterator[leases.Lease]:
    """Leases whose holder has finished an epoch."""
    for folder in results.glob("??/*"):
        lease = leases.current(folder)
        if lease is not None and lease.holder.get("epoch", 0) >= 1:
            yield lease


def test_kill_9_of_a_worker_in_the_middle_then_run_again(bench, tmp_path):
    results = tmp_path / "results"

    def kill() -> None:
        wait_until(lambda: any(training(results)))
        os.kill(next(training(results)).holder["pid"], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    arguments = ["table7", "--seeds", "1", "--workers", "1", *LONGER]
    done = bench("run", *arguments)
    killer.join()
    assert done.code == 1
    assert "killed: the worker was killed by SIGKILL" in done.out
    assert len(digests(results)) == 1
    again = bench("run", *arguments)
    assert again.code == 0
    assert "1 done, 0 missing, 1 failed" in again.out
    assert bench("run", *arguments, "--results", tmp_path / "undisturbed").code == 0
    assert digests(results) == digests(tmp_path / "undisturbed")
    assert leftovers(results) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_keeps_what_is_finished_and_exits_3(bench, tmp_path, number):
    results = tmp_path / "results"
    arguments = ["run", "table7", "--seeds", "20", "--workers", "2", *QUICK, "--results", str(results)]
    process = start(arguments)
    wait_until(lambda: len(list(results.glob("??/*/record.json"))) >= 3)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # As Ctrl-C does: every process of the group gets it.
    else:
        process.send_signal(number)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 3
    finished = digests(results)
    assert 3 <= len(finished) < 40
    remaining = 40 - len(finished)
    assert f"interrupted: {remaining} of 40 cells remain; run the same command again to resume" in out
    assert "Traceback" not in out
    wait_until(lambda: leftovers(results) == [])
    assert json.loads(bench("plan", *arguments[1:], "--json").out)["done"] == len(finished)


def test_two_runs_at_once_train_each_cell_once(bench, tmp_path, reference):
    results = tmp_path / "results"
    arguments = ["run", "table7", "--seeds", "5", "--workers", "2", *QUICK, "--results", str(results)]
    both = [start(arguments) for _ in range(2)]
    outputs = [process.communicate(timeout=180)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    logs = list(results.glob("??/*/run.log"))
    assert len(logs) == 10
    assert [log.read_text().count(" start ") for log in logs] == [1] * 10
    found = digests(results)
    assert len(found) == 10
    assert found.items() >= digests(reference).items()
    assert leftovers(results) == []


def test_a_lease_of_a_dead_run_does_not_block(bench, tmp_path, suite):
    """A run that was killed outright leaves leases behind; the next one takes them over."""
    results = tmp_path / "results"
    process = start(["run", "table7", "--seeds", "1", "--workers", "2", *LONGER, "--results", str(results)])
    wait_until(lambda: len(list(training(results))) == 2)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert digests(results) == {}
    assert bench("run", "table7", "--seeds", "1", *LONGER).code == 0
    assert len(digests(results)) == 2
    assert leftovers(results) == []


def test_cells_can_be_spawned_where_forking_is_unsafe(bench, tmp_path, monkeypatch, reference):
    monkeypatch.setattr(local, "process_context", lambda: multiprocessing.get_context("spawn"))
    assert bench("run", "table7", "--seeds", "1", "--only", "prototypes=random", *QUICK).code == 0
    assert digests(tmp_path / "results").items() <= digests(reference).items()
    assert len(digests(tmp_path / "results")) == 1


def test_stale_record_is_explained(bench, reference):
    done = bench("plan", "table7", "--seeds", "1", *QUICK, "training.learning_rate=0.2", "--explain",
                 "--results", reference)  # fmt: skip
    assert done.out.count("stale: training.learning_rate was 0.1, now 0.2") == 2
    assert bench("plan", "table7", "--seeds", "1", "--explain").out.count(": never run") == 2


def test_estimate_comes_from_finished_cells_of_the_same_kind(bench, reference):
    plan = json.loads(
        bench("plan", "table7", "--seeds", "4", "--workers", "1", *QUICK, "--json", "--results", reference).out
    )
    seconds = [e.content["provenance"]["seconds"] for e in scan(Store(reference)).values()]
    assert plan["estimate_from"] == "finished cells of the same kind"
    assert plan["estimate_seconds"] == pytest.approx(4 * sum(seconds) / 4, abs=0.1)
    fresh = json.loads(bench("plan", "table7", "--seeds", "4", "--workers", "2", "--json").out)
    assert fresh["estimate_seconds"] == 8 / 2 * 9
    assert fresh["estimate_from"].startswith("scale laptop: 9 s a cell on ")


def test_show_and_list_and_doctor_speak_json(bench, reference):
    cell_id = next(iter(digests(reference)))
    shown = json.loads(bench("show", cell_id[:10], "--json", "--results", reference).out)
    assert shown["id"] == cell_id
    assert cell_id in bench("show", cell_id[:10], "--results", reference).out
    table = json.loads(bench("show", "table7", *QUICK, "--json", "--results", reference).out)
    assert [row["n"] for row in table[0]["rows"]] == ["2", "2"]
    listed = json.loads(bench("list", "--json").out)
    (found,) = [row for row in listed if row["name"] == "table7"]
    assert found["axes"] == {"prototypes": ["orthonormal", "random"]}
    assert found["scales"] == ["cpu", "gpu", "gpu_short", "laptop", "paper"]
    methods = {row["name"]: row for row in json.loads(bench("methods", "--json").out)}
    assert methods["clop"]["parameters"]["weight"] == {"type": "float >= 0", "default": 1.0}
    findings = bench("doctor", "--json")
    assert findings.code == 0
    assert {"torch", "results", "method clop"} <= {row["check"] for row in json.loads(findings.out)}


def test_publishing_adds_this_folders_results_to_the_report(bench, tmp_path):
    own = suite_of(tmp_path / "suite", "table7").root
    scale = own / "benchmarks" / "scale" / "laptop.yaml"
    scale.write_text(
        scale.read_text().replace("epochs: 25", "epochs: 1").replace("warmup_epochs: 3", "warmup_epochs: 0")
    )
    assert bench("run", "table7", "--seeds", "2", "--suite", own).code == 0
    assert bench("report", "--check", "--suite", own).code == 1
    done = bench("report", "--publish", "--suite", own)
    assert "published 4 cells" in done.out
    assert f"first {own / 'RESULTS.md'}" in done.out
    assert (own / "tables" / "table7" / "paired_dots.png").is_file()
    assert bench("report", "--check", "--suite", own).code == 0
    assert "| 2 |" in (own / "RESULTS.md").read_text()
    assert bench("report", "--suite", own).out.startswith("up to date with the records")
    mine = tmp_path / "mine"
    assert bench("report", "--local", "--out", mine, "--suite", own).code == 0
    assert (mine / "RESULTS.md").read_text() == (own / "RESULTS.md").read_text()


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="the kernel does not list instructions here")
def test_the_doctor_knows_whether_bfloat16_pays(bench):
    """Against torch's own view of the processor."""
    has = torch.cpu.get_capabilities()
    (finding,) = [f for f in json.loads(bench("doctor", "--json").out) if f["check"] == "precision"]
    native = has.get("avx512_bf16") or has.get("amx_bf16") or has.get("bf16")
    assert ("is faster here" in finding["text"]) == bool(native)
