"""No record, no success: whatever a method does to its process, its cell has failed; nobody waits for ever."""

import json
import os
from multiprocessing import Pipe

import pytest
from checkout import QUICK
from exits import ENDS, METHOD, suite_of_ends

from clopbench.launch import messages
from clopbench.launch.messages import Ending, heard, tell
from clopbench.results.index import scan
from clopbench.results.plan import make_plan
from clopbench.results.records import Store
from clopbench.slurm.packing import Packing, StopSignals
from clopbench.slurm.submission import SubmittedCell
from clopbench.suite import overrides as override_grammar


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    return suite_of_ends(tmp_path_factory.mktemp("ends"))


def failures(results) -> dict[str, str]:
    """Way to end → class and message of the recorded failure."""
    contents = [entry.content for entry in scan(Store(results)).values()]
    return {
        content["config"]["method"]["parameters"]["end"]: f"{content['failure']['class']}: "
        f"{content['failure']['message']}"
        for content in contents
        if content["status"] == "failed"
    }


def test_every_end_without_a_record_is_a_failure_with_its_log(bench, tmp_path, suite):
    results = tmp_path / "results"
    done = bench("run", "ends", "--seeds", "1", "--suite", suite.root, "--results", results, *QUICK)
    assert done.code == 1
    assert f"{len(ENDS)} of {len(ENDS)} cells have no result" in done.out
    found = failures(results)
    assert found.keys() == ENDS.keys()
    for name, (_, message) in ENDS.items():
        assert message in found[name], name
        assert f"failed: ends {name}, seed 0: {found[name]}\n  log: " in done.out
    plan = bench("plan", "ends", "--seeds", "1", "--suite", suite.root, "--results", results, *QUICK, "--json")
    assert json.loads(plan.out)["failed"] == len(ENDS)


@pytest.mark.parametrize("kind", ["a named pipe", "a folder"])
def test_a_log_that_takes_no_lines_fails_its_cell_and_nobody_waits(bench, tmp_path, suite, kind):
    results = tmp_path / "results"
    words = ["ends", "--seeds", "1", "--suite", suite.root, "--only", "end=raise"]
    plan = bench("plan", *words, "--results", results, *QUICK, "--json", "--explain")
    [cell] = json.loads(plan.out)["cells"]
    log = Store(results).folder(cell["id"]) / "run.log"
    log.parent.mkdir(parents=True)
    os.mkfifo(log) if "pipe" in kind else log.mkdir()
    done = bench("run", *words, "--results", results, *QUICK)
    assert done.code == 1
    why = f"the log {log} cannot be written: {kind} in place of a file"
    assert f"error: UserError: {why}" in failures(results)["raise"]
    assert "Traceback" not in done.out + done.err


def test_of_a_slurm_task_too(tmp_path, suite):
    store = Store(tmp_path)
    values, _ = override_grammar.parse(QUICK)
    plan = make_plan([suite.benchmark("ends", overrides=values)], [0], store)
    cells = [SubmittedCell(p.id, p.cell.config(), p.launch.model_dump(), p.places) for p in plan.cells]
    folders = [str(folder) for folder in suite.method_folders]
    packing = Packing(store, folders, str(tmp_path / "data"), [None] * 2, "cpu", 0.0, {}, StopSignals())
    ended = packing.run(cells, patience=60)
    assert len(ended.failed) == len(ENDS)
    assert not (ended.recorded or ended.stopped or ended.waiting or ended.held)
    assert failures(tmp_path).keys() == ENDS.keys()


@pytest.mark.parametrize("end", ["exit_0", "status_0", "status_75", "status_76"])
@pytest.mark.parametrize("rank", [0, 1])
def test_and_of_one_rank_of_a_cell(bench, tmp_path, suite, end, rank):
    """The other rank would wait for it for ever."""
    done = bench(
        *("run", "ends", "--seeds", "1", "--only", f"end={end}", "--suite", suite.root, "--workers", "1"),
        *(*QUICK, f"method.rank={rank}", "training.devices=2"),
    )
    assert done.code == 1
    assert f": rank {rank} of 2: " in done.out


@pytest.mark.parametrize("end", ["sys.exit(0)", "raise KeyboardInterrupt", "os._exit(0)", "os._exit(75)"])
def test_a_constructor_that_ends_its_process_is_refused_before_anything_is_written(bench, tmp_path, end):
    folder = tmp_path / "methods"
    folder.mkdir()
    source = METHOD.replace("leaver", "gone").replace(
        "        self.end, self.rank = end, rank", f"        {end}"
    )
    (folder / "gone.py").write_text(source)
    done = bench("run", "table7", "--seeds", "1", "--method", "gone", "--methods-dir", folder, *QUICK)
    assert (done.code, done.err.count("\n")) == (2, 1)
    refused = (
        "refuses its parameters: ",
        "ends the process that",
        "ended its process while it was being built (",
    )
    assert any(words in done.err for words in refused)
    assert not (tmp_path / "results").exists()


def test_only_whole_words_of_ours_are_believed():
    for sent in (b"", b"[", b"null", b'["won", null]', b'["died"]', b'"recorded"'):
        ours, theirs = Pipe(duplex=False)
        theirs.send_bytes(sent)
        theirs.close()
        assert heard(ours, 0) == messages.End(Ending.DIED, 0)
    ours, theirs = Pipe(duplex=False)
    tell(theirs, Ending.HELD)
    tell(theirs, Ending.RECORDED)
    assert heard(ours, 75).ending is Ending.HELD
    ours, theirs = Pipe(duplex=False)
    theirs.close()
    assert heard(ours, 0).ending is Ending.DIED
