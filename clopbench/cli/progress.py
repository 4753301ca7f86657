"""What a person sees while cells run: a bar on a terminal, plain lines elsewhere."""

import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from clopbench.cli.terminal import printable
from clopbench.errors import quantity
from clopbench.results.plan import PlannedCell
from clopbench.results.records import Record, Store


class Reporter:
    """A Listener that draws on a terminal, or prints one line per finished cell where there is none."""

    def __init__(self, console: Console, store: Store, total: int, metric: str):
        self.console = console
        self.store = store
        self.total = total
        self.metric = metric
        self.done = 0
        self.best: tuple[float, PlannedCell] | None = None
        self.begin = time.monotonic()
        self._held = 0
        self._bar = _bar(console) if console.is_terminal else None
        self._task = self._bar.add_task("", total=total, rate="", best="") if self._bar else None

    def __enter__(self) -> "Reporter":
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def finished(self, planned: PlannedCell, record: Record | None, problem: str | None) -> None:
        self.done += 1
        value = record.metrics.get(self.metric) if record else None
        if value is not None and (self.best is None or value > self.best[0]):
            self.best = (value, planned)
        if problem is not None:
            log = _short(self.store.folder(planned.cell.id) / "run.log")
            self._line(f" {planned.label} ({planned.cell.id}): {problem}  log: {log}", failed=True)
        elif record is not None and (self._bar is None or record.status != "done"):
            shown = "" if value is None else f"  {self.metric} {value:.4f}"
            seconds = record.provenance.get("seconds") or 0
            self._line(f"{record.status} {planned.label} ({planned.cell.id}){shown}  {seconds:.1f} s")

    def tick(self, active: int, held: int) -> None:
        if held and not self._held:
            self._line(f"waiting: {quantity(held, 'cell is', 'cells are')} being trained by another process")
        self._held = held
        if self._bar and self._task is not None:
            rate = f"{self._rate():.1f} cells/min" if self.done else ""
            self._bar.update(self._task, completed=self.done, rate=rate, best=self._best())

    def _line(self, text: str, failed: bool = False) -> None:
        line = Text.assemble(("failed", "red") if failed else "", printable(text))
        if self._bar:
            self._bar.console.print(line)
            return
        left = f" {(self.total - self.done) / self._rate():.1f} min left" if 0 < self.done < self.total else ""
        self.console.print(Text.assemble(f"[{self.done}/{self.total}{left}] ", line), soft_wrap=True)

    def _rate(self) -> float:
        return self.done / max(1e-9, time.monotonic() - self.begin) * 60

    def _best(self) -> str:
        return printable(f"best {self.best[0]:.4f} ({self.best[1].label})") if self.best else ""


def _bar(console: Console) -> Progress:
    return Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("cells"),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("{task.fields[best]}", markup=False),
        console=console,
    )


def _short(path: Path) -> Path:
    """Relative to the working folder where that is shorter."""
    try:
        return path.resolve().relative_to(Path.cwd())
    except ValueError:
        return path
