"""What a command line asks for: tables × seeds at a scale with overrides, and the answers that verbs print."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from rich.console import Console

from clopbench.cli.options import Asked, Machine
from clopbench.cli.terminal import grid, say
from clopbench.data import sources
from clopbench.errors import UserError, quantity, unknown
from clopbench.launch.devices import slots
from clopbench.launch.local import LocalLauncher
from clopbench.launch.taking import resolve
from clopbench.results.index import scan
from clopbench.results.plan import STATES, Plan, make_plan, parse_seeds, running
from clopbench.results.records import Store
from clopbench.results.undeclared import in_store
from clopbench.suite import overrides as override_grammar
from clopbench.suite.claims import ClaimDeclaration
from clopbench.suite.declarations import TableDeclaration
from clopbench.suite.declared import EVERYTHING
from clopbench.suite.hypotheses import hypotheses
from clopbench.suite.suite import Benchmark, Suite

DEVICES = ("auto", "cpu", "cuda")


class Request:
    """What a command line asks for, validated as a whole before anything happens.

    asked.tables: table names and key=value overrides, mixed; asked.seeds None: all that are recorded.
    machine: for verbs that run cells here; to others this machine's GPUs do not matter.
    Raises UserError on the first thing that is wrong.
    """

    def __init__(self, asked: Asked, machine: Machine = Machine(device="cpu")):
        folders, words, seeds, device = asked.folders, asked.tables, asked.seeds, machine.device
        self.suite = Suite.locate(folders.suite, folders.methods_dir)
        self.store = Store(folders.results)
        self.damages: list[str] = []
        """'damaged: path: why' for what was found when tables were filled, and left out."""
        self.contents: dict[str, dict[str, Any]] = {}
        """Cell id → the record that tables were filled from."""
        self.look_problems: list[str] = []
        """Of these the lines on looks at claims that could not be read or noted then."""
        self.seeds = parse_seeds(seeds) if seeds is not None else None
        names = list(dict.fromkeys(word for word in words if "=" not in word))
        if not names:
            available = ", ".join([EVERYTHING, *self.suite.benchmark_names()])
            raise UserError(f"no table named (available: {available})")
        values, chosen_scale = override_grammar.parse([word for word in words if "=" in word])
        self.scale = chosen_scale or asked.scale
        kept = override_grammar.parse_only(asked.only)
        self.shows_a_part, self.makes_other_cells = bool(kept), bool(values or asked.method)
        everything = EVERYTHING in names
        if everything:
            names = self.suite.benchmark_names()
        found = [self.suite.benchmark(name, self.scale, values, kept, asked.method) for name in names]
        self.benchmarks = [benchmark for benchmark in found if benchmark.entries]
        self.not_run = [
            f"{benchmark.name} is not run at scale {self.scale}: {'; '.join(benchmark.skip_reasons)}"
            for benchmark in found
            if not benchmark.entries
        ]
        self._own_claims: dict[str, list[ClaimDeclaration]] = {}
        """Table → what --method and --against let it claim beside what it declares."""
        if self.not_run and not (everything and self.benchmarks):
            raise UserError(self.not_run[0])
        for name, benchmark in self._declared:
            self._own_claims[name] = hypotheses(
                benchmark, asked.method, asked.against, self.suite.table(name).labels
            )
        self.is_default_scale = self.scale == "laptop" and not chosen_scale
        if device not in DEVICES:
            raise unknown("device", device, DEVICES)
        threads = max(benchmark.launch.threads for benchmark in self.benchmarks)
        devices = max(entry.template.training.devices for b in self.benchmarks for entry in b.entries)
        each = max(1, devices // (1 + len(LocalLauncher.followers)))
        self.taken, self.is_auto = resolve(device), device == "auto"
        self.slots = slots(self.taken.device, machine.workers, machine.per_gpu, threads, each, self.taken.gpus)

    @property
    def workers(self) -> int:
        """Cells that run at once."""
        return len(self.slots)

    @cached_property
    def _declared(self) -> list[tuple[str, Benchmark]]:
        """(table, benchmark) for every table that shows one of the benchmarks."""
        tables = {name: self.suite.table(name) for name in self.suite.table_names()}
        return [
            (name, benchmark)
            for benchmark in self.benchmarks
            for name, declaration in tables.items()
            if declaration.benchmark == benchmark.name
        ]

    def _declaration(self, name: str) -> TableDeclaration:
        """A table's, with the claims of the command line after its own."""
        found = self.suite.table(name)
        return found.model_copy(update={"claims": [*found.claims, *self._own_claims[name]]})

    @property
    def metric(self) -> str:
        """The metric that progress is reported by."""
        return self.suite.table(self._declared[0][0]).metric if self._declared else "probe_top1"

    @property
    def overrides(self) -> list[str]:
        """Those that change a cell, as 'training.epochs=2'."""
        return list(dict.fromkeys(one for benchmark in self.benchmarks for one in benchmark.overrides))

    @property
    def _with(self) -> str:
        return f", with {', '.join(self.overrides)}" if self.overrides else ""

    def undeclared(self, plan: Plan) -> list[str]:
        """A few lines on records that no table shows, neither a declared one nor one of this plan's."""
        known = {cell.entry.arm for cell in plan.cells if cell.entry is not None and cell.entry.arm is not None}
        declared = {entry.template.arm for benchmark in self.benchmarks for entry in benchmark.entries}
        return in_store(self.suite, plan.entries, known | declared)

    def plan(self) -> Plan:
        assert self.seeds is not None
        return make_plan(self.benchmarks, self.seeds, self.store)

    def summary(self, plan: Plan) -> dict[str, Any]:
        """The plan in numbers."""
        estimate = plan.estimate()
        return {
            "tables": [benchmark.name for benchmark in self.benchmarks],
            "scale": self.scale,
            "overrides": self.overrides,
            "seeds": self.seeds,
            "total": len(plan.cells),
            **{state: plan.count(state) for state in STATES},
            "running_elsewhere": len(running(plan, self.store)),
            "device": self.taken.words,
            "workers": self.workers,
            "estimate_seconds": estimate.wall(self.workers, len(plan.to_run)),
            "estimate_from": estimate.basis,
        }

    def headline(self, plan: Plan, local: bool = True) -> list[str]:
        """What is about to happen, in a few lines; `local`: with the time that this machine would take."""
        numbers = self.summary(plan)
        scale = self.benchmarks[0].scale
        lines = [
            f"{', '.join(numbers['tables'])} at scale {self.scale}: {scale.summary}{self._with}",
            *([self.suite.why] if self.suite.why else []),
            *self.not_run,
        ]
        for benchmark in self.benchmarks:
            for reason, points in benchmark.skip_reasons.items():
                shown = "; ".join(", ".join(coordinates.values()) for coordinates in points)
                lines.append(f"{benchmark.name} without {shown}: {reason}")
        lines += self._unlabelled_notes()
        lines += dict.fromkeys(remark for benchmark in self.benchmarks for remark in benchmark.remarks)
        if not scale.is_paper:
            lines.append(self._scale_note())
        if self.is_auto and local:
            lines.append(f"device auto: {self.taken.words}")
        counts = ", ".join(f"{numbers[state]} {state}" for state in STATES)
        lines.append(f"{quantity(numbers['total'], 'cell')}: {counts}")
        if numbers["running_elsewhere"] and local:
            held = quantity(numbers["running_elsewhere"], "of them is", "of them are")
            lines.append(f"{held} being trained by another process")
        if plan.to_run and local:
            time = plan.estimate().text(self.workers, len(plan.to_run))
            basis, by = numbers["estimate_from"], quantity(self.workers, "worker")
            lines.append(f"to run: {quantity(len(plan.to_run), 'cell')}, {time} with {by} ({basis})")
        advice = "; move it away to run the cell again"
        own = {planned.entry.id for planned in plan.cells if planned.state == "damaged" and planned.entry}
        for entry in plan.entries.values():
            damages = plan.entries.damages_of(entry)
            lines += [f"{line}{advice}" if entry.id in own and entry.damage else line for line in damages]
        return lines

    def _unlabelled_notes(self) -> list[str]:
        names = {entry.template.data.name for b in self.benchmarks for entry in b.entries}
        counts = {name: sources.source(name).unlabelled for name in sorted(names)}
        return [
            f"{name}: its {count:,} unlabelled images train with label −1, and no evaluation sees them"
            for name, count in counts.items()
            if count
        ]

    def _scale_note(self) -> str:
        default = " is the default;" if self.is_default_scale else ":"
        papers = [name for name in self.suite.scale_names() if name == "paper"]
        flag = (
            "the paper's setting is --scale paper" if papers else "the paper's own scale is not available yet"
        )
        return f"scale {self.scale}{default} its values are not comparable with the paper's; {flag}"

    def cell_rows(self, plan: Plan) -> list[dict[str, Any]]:
        """Every cell with its state and the reason, as plain data."""
        return [
            {
                "id": planned.cell.id,
                "seed": planned.cell.seed,
                "places": [{"benchmark": name, **at} for name, at in planned.places],
                "state": planned.state,
                "why": plan.explain(planned),
            }
            for planned in plan.cells
        ]

    def tables(self, published: bool = False, declared: tuple[int, ...] = (), local: bool = True) -> list[Any]:
        """The tables of the request, filled from the records at hand.

        Claims are those of the whole tables, also where --only shows a part, and are judged with all claims
        that have records at the scale. Overrides and --method make cells that no declared table has: the tables
        that were asked for are then the family. published: the published records of this scale count too, where
        the results folder has none; local: False where it is not looked into. declared: the seeds of the
        looks of which this is one.
        """
        from clopbench.report import looking
        from clopbench.report.figures.attachments import PUBLISHED
        from clopbench.report.observations import group_by_arm
        from clopbench.report.publication import published_contents
        from clopbench.report.tables import build_table, judge_together

        contents = published_contents(self.suite, self.scale) if published else {}
        if local:
            entries = scan(self.store)
            self.damages = entries.damages
            contents |= {id: entry.content for id, entry in entries.items() if entry.text}
        self.contents = contents
        arms = group_by_arm(contents.values())
        looks = self.store.root if local else self.suite.root / PUBLISHED
        whole: dict[str, Any] = {}
        if not self.makes_other_cells:
            names = [name for name, _ in self._declared]
            found, self.look_problems = looking.tables_at(
                self.suite, self.scale, arms, self.seeds, names, looks, declared, published
            )
            self.damages = [*self.damages, *self.look_problems]
            whole = {table.name: table for table in found}
            if not self.shows_a_part:
                return [whole[name] for name in names]
        shown = [
            build_table(name, self._declaration(name), benchmark, arms, self.seeds)
            for name, benchmark in self._declared
        ]
        if self.makes_other_cells:
            return judge_together(shown)
        return [
            replace(t, claims=w.claims, family=w.family, looks=w.looks) for t in shown for w in [whole[t.name]]
        ]

    def table_rows(self) -> list[dict[str, Any]]:
        """The tables as plain data."""
        from clopbench.report.formats.data import as_data

        return [as_data(table) for table in self.tables()]

    def show_tables(self, console: Console, tables: Sequence[Any] | None = None) -> None:
        """Print the tables (default: filled now); at a scale that is not the paper's, say so."""
        from clopbench.report.formats import sheets

        for table in self.tables() if tables is None else tables:
            for title, head, body in sheets.titled(table):
                console.print(grid(head, body, title))
            if not table.scale.is_paper:
                say(self._scale_note())
