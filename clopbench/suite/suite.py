"""A suite: the folder of declarations, and the benchmarks and tables that they make."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from clopbench.cell import Cell
from clopbench.errors import UserError, unknown
from clopbench.parameters import Fault, checked
from clopbench.suite import finding, grid, manifest, reading
from clopbench.suite.composing import Composer
from clopbench.suite.declarations import Coordinates, LaunchConfig, ScaleDeclaration, TableDeclaration
from clopbench.suite.declared import Declared
from clopbench.suite.entries import Entry, Maker, same_cells
from clopbench.suite.fitting import Fitting, references
from clopbench.suite.overrides import Override, changing, check_keys
from clopbench.suite.plugins import Plugins
from clopbench.suite.salvage import Salvaged
from clopbench.suite.workable import remarks

DEFAULT_SCALE = "laptop"

__all__ = ["DEFAULT_SCALE", "Benchmark", "Entry", "Suite"]


@dataclass(frozen=True)
class Benchmark:
    """A benchmark at one scale, with the command line's overrides applied."""

    name: str
    title: str
    scale: ScaleDeclaration
    launch: LaunchConfig
    axes: dict[str, list[str]]
    """The points that are run at this scale."""
    entries: list[Entry]
    declared_axes: dict[str, list[str]]
    skipped: list[tuple[Coordinates, str]]
    """Points that are not run at this scale, and why."""
    remarks: list[str] = field(default_factory=list)
    """What a user should know before these cells are run."""

    @property
    def overrides(self) -> list[str]:
        """Those that change a cell, as 'training.epochs=2'."""
        return list(dict.fromkeys(one for entry in self.entries for one in entry.overrides))

    @property
    def skip_reasons(self) -> dict[str, list[Coordinates]]:
        """Reason → the points that it keeps out."""
        reasons: dict[str, list[Coordinates]] = {}
        for coordinates, reason in self.skipped:
            reasons.setdefault(reason, []).append(coordinates)
        return reasons


class Suite:
    """A folder with benchmarks/, methods/ and tables/. Files are read once and then remembered.

    Whoever asks for a benchmark gets it with its tables checked: a claim about a point that does not exist is
    found before anything is trained.
    """

    def __init__(self, root: Path, methods_dirs: Sequence[Path] = ()):
        self.root = Path(root).resolve()
        self.why: str | None = None
        """A line that says which suite this is, where one may expect another."""
        if not (self.root / "benchmarks").is_dir():
            raise UserError(f"--suite: {self.root} has no folder benchmarks/")
        for folder in methods_dirs:
            if not folder.is_dir():
                raise UserError(f"--methods-dir: no folder {folder}")
        self._tables: dict[str, tuple[tuple[int, int], reading.Document]] = {}
        self.folders = manifest.folders(self.root)
        """Its own, then those of the suites that it builds on."""
        self._composer = Composer(*(folder / "benchmarks" for folder in self.folders))
        methods = (folder / "methods" for folder in self.folders)
        more = (Path(folder).resolve() for folder in methods_dirs)
        self.method_folders = list(dict.fromkeys([*methods, *more]))

    @classmethod
    def locate(cls, given: Path | None = None, methods_dirs: Sequence[Path] = ()) -> "Suite":
        """--suite, else $BENCH_SUITE, else the nearest parent that is one, else the installed one.

        Methods are also those of the folders in $BENCH_METHODS_DIR.
        """
        found = finding.find(given)
        suite = cls(found.root, [*methods_dirs, *finding.methods_dirs()])
        suite.why = found.line
        return suite

    @cached_property
    def plugins(self) -> Plugins:
        return Plugins(self.method_folders)

    def benchmark_names(self) -> list[str]:
        return reading.names(self.root / "benchmarks")

    def scale_names(self) -> list[str]:
        """Raises UserError where there is none: no benchmark could be run."""
        if not (found := self._composer.scale_names()):
            folder = self.root / "benchmarks" / "scale"
            raise UserError(f"{folder}: holds no scale (NAME.yaml), and no benchmark can be run without one")
        return found

    def table_names(self) -> list[str]:
        return reading.names(self.root / "tables")

    def scales_of(self, name: str) -> list[str]:
        """The scales at which a benchmark has a point that can be run."""
        names = self.scale_names()
        declared = self._declared(name, names[0])  # What is skipped where is the benchmark's own to say.
        return [one for one in names if any(declared.reason(point, one) is None for point in declared.points)]

    def table(self, name: str) -> TableDeclaration:
        """Read tables/<name>.yaml. Raises UserError for an unknown name, and for all that is wrong in it."""
        if name not in self.table_names():
            raise unknown("table", name, self.table_names())
        document = self._document(name)
        found, wrong = checked(TableDeclaration, document.content)
        if found is None:
            raise UserError(*map(document.problem, wrong))
        return found

    def benchmark(
        self,
        name: str,
        scale: str = DEFAULT_SCALE,
        overrides: Sequence[Override] = (),
        only: Mapping[str, Sequence[str]] | None = None,
        extra_methods: Sequence[str] = (),
    ) -> Benchmark:
        """Compose benchmarks/<name>.yaml with a scale and overrides.

        only: axis → points to keep. extra_methods: methods that get a row of their own, in place of the
        axes that set only method parameters. Raises UserError for all that is unknown or invalid, in the
        benchmark and in its tables; a command line is looked at once these are right.
        """
        if name not in self.benchmark_names():
            raise unknown("table", name, self.benchmark_names())
        if scale not in self.scale_names():
            raise unknown("scale", scale, self.scale_names())
        declared = self._declared(name, scale)
        maker = Maker(declared, self.plugins)
        maker.check()
        maker.problems |= dict.fromkeys(self._misfits(declared))
        points = declared.points
        if not maker.problems:
            points = declared.grid.points(only or {}, extra_methods)
            methods = [plugin for point in points if (plugin := maker.plugin(point)) is not None]
            check_keys(name, overrides, declared, methods)
            maker.overrides = overrides
        reasons = [declared.reason(point) for point in points]
        run = [point for point, reason in zip(points, reasons, strict=True) if reason is None]
        made = [(point, maker.entry(point)) for point in run]
        launch = maker.launch()
        if not maker.problems:
            maker.refuse(same_cells([one for point, one in made if one and not point.alone], declared.grid))
        plain = Maker(declared, self.plugins)
        entries = [
            replace(entry, overrides=tuple(changing(overrides, _template(plain.entry(point)), entry.template)))
            if overrides
            else entry
            for point, entry in made
            if entry is not None
        ]
        if not maker.problems and not only and not extra_methods:
            maker.problems |= dict.fromkeys(self._misfits(declared, entries))
        if maker.problems or launch is None:
            raise UserError(*maker.problems)
        return Benchmark(
            name,
            declared.declaration.title,
            declared.declaration.scale,
            launch,
            grid.axes_of(run),
            entries,
            declared.axes,
            [(at.coordinates, why) for at, why in zip(points, reasons, strict=True) if why is not None],
            remarks([entry.template for entry in entries], {override.key for override in overrides}),
        )

    def problems(self, scales: Sequence[str] = ()) -> list[str]:
        """All that is wrong with the declarations, a line each. scales: those of the benchmarks; else all."""
        found: dict[str, None] = {}
        chosen = scales or self.scale_names()
        for one in self.scale_names():
            found |= dict.fromkeys(self._composer.problems(one))
        for name in self.benchmark_names():
            for scale in chosen:
                try:
                    self.benchmark(name, scale)
                except UserError as error:
                    found |= dict.fromkeys(error.problems)
        for table in self.table_names():
            found |= dict.fromkeys(self._table_problems(table, None))
        for folder in ("benchmarks", "benchmarks/scale", "tables"):
            for path in sorted((self.root / folder).glob("[!.]*.yml")):
                found[f"{folder}/{path.name}: is not read: the name of a declaration ends with .yaml"] = None
        return list(found)

    def _declared(self, name: str, scale: str) -> Declared:
        return Declared(name, scale, self._composer.compose(name, scale), self.scale_names())

    def _document(self, table: str) -> reading.Document:
        name = f"tables/{table}{reading.SUFFIX}"
        path = self.root / name
        stamp = _stamp(path)
        if table not in self._tables or self._tables[table][0] != stamp:
            self._tables[table] = stamp, reading.read(path, name)
        return self._tables[table][1]

    def _misfits(self, declared: Declared, entries: Sequence[Entry] | None = None) -> Iterator[str]:
        """What is wrong with the tables of a benchmark: those that name it, and the one that is called like it.

        entries: all of the benchmark; then only what needs them is looked at.
        """
        for table in self.table_names():
            try:
                of = self._document(table).content.get("benchmark")
            except UserError:
                of = None
            if of == declared.name or (table == declared.name and of not in self.benchmark_names()):
                yield from self._table_problems(table, declared, entries)

    def _table_problems(
        self, table: str, declared: Declared | None, entries: Sequence[Entry] | None = None
    ) -> list[str]:
        try:
            document = self._document(table)
        except UserError as error:
            return list(error.problems)
        salvaged = Salvaged(TableDeclaration, document.content)
        wrong = list(salvaged.faults)
        if salvaged.found is not None and salvaged.found.benchmark not in self.benchmark_names():
            rule = str(unknown("benchmark", salvaged.found.benchmark, self.benchmark_names()))
            wrong.append(Fault(("benchmark",), rule))
        elif salvaged.found is not None and declared is not None:
            fitting = Fitting(declared.axes, declared.metrics, declared.all_scales)
            own = fitting.faults(salvaged.found) if entries is None else references(salvaged.found, entries)
            wrong += map(salvaged.original, own)
        return list(map(document.problem, sorted(wrong, key=lambda one: document.find(one.path)[1])))


def _template(entry: Entry | None) -> Cell | None:
    return None if entry is None else entry.template


def _stamp(path: Path) -> tuple[int, int]:
    """Changes with a file."""
    try:
        state = path.stat()
    except OSError:
        return 0, 0
    return state.st_mtime_ns, state.st_size
