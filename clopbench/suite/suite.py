"""Declarations → benchmarks: finds the suite's folder, composes its YAML with Hydra, validates it all."""

import os
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from clopbench.cell import Cell, identity
from clopbench.data import sources
from clopbench.errors import UserError, unknown
from clopbench.parameters import validated
from clopbench.suite import grid
from clopbench.suite.declarations import (
    BenchmarkDeclaration,
    Coordinates,
    LaunchConfig,
    Overrides,
    ScaleDeclaration,
    TableDeclaration,
)
from clopbench.suite.overrides import Override, apply, check_keys
from clopbench.suite.plugins import Plugins
from clopbench.suite.scales import at_scale, skip_reason

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # The same, ten times as fast, where libyaml is.
DEFAULT_SCALE = "laptop"
CELL_SECTIONS = ("data", "encoder", "projection", "training", "augmentation", "evaluation")


@dataclass(frozen=True)
class Entry:
    """One entry of a table, before it is repeated over seeds."""

    coordinates: Coordinates
    template: Cell

    def cell(self, seed: int) -> Cell:
        return self.template.model_copy(update={"seed": seed})

    def cell_id(self, seed: int) -> str:
        """`cell(seed).id`, without writing down all the rest of the cell for each seed anew."""
        return identity(self._canonical | {"seed": seed})

    @cached_property
    def _canonical(self) -> dict[str, Any]:
        return self.template.canonical()


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

    @property
    def skip_reasons(self) -> dict[str, list[Coordinates]]:
        """Reason → the points that it keeps out."""
        reasons: dict[str, list[Coordinates]] = {}
        for coordinates, reason in self.skipped:
            reasons.setdefault(reason, []).append(coordinates)
        return reasons


class Suite:
    """A folder with benchmarks/, methods/ and tables/. Benchmarks are composed once and then remembered."""

    def __init__(self, root: Path, methods_dirs: Sequence[Path] = ()):
        self.root = Path(root).resolve()
        if not (self.root / "benchmarks").is_dir():
            raise UserError(f"--suite: {self.root} has no folder benchmarks/")
        for folder in methods_dirs:
            if not folder.is_dir():
                raise UserError(f"--methods-dir: no folder {folder}")
        self._read: dict[str, tuple[str, TableDeclaration]] = {}
        self._composed: dict[tuple[str, str], dict[str, Any]] = {}
        self.method_folders = [self.root / "methods", *(Path(folder).resolve() for folder in methods_dirs)]

    @classmethod
    def locate(cls, given: Path | None = None, methods_dirs: Sequence[Path] = ()) -> "Suite":
        """--suite, else $BENCH_SUITE, else the nearest parent that looks like one, else the checkout."""
        if given is None and os.environ.get("BENCH_SUITE"):
            given = Path(os.environ["BENCH_SUITE"])
        if given is not None:
            return cls(given, methods_dirs)
        here = Path.cwd()
        for folder in (here, *here.parents, Path(__file__).resolve().parents[2]):
            if (folder / "benchmarks").is_dir() and (folder / "methods").is_dir():
                return cls(folder, methods_dirs)
        raise UserError("no suite found: run inside a checkout, or give --suite DIR or $BENCH_SUITE")

    @cached_property
    def plugins(self) -> Plugins:
        return Plugins(self.method_folders)

    def benchmark_names(self) -> list[str]:
        return _stems(self.root / "benchmarks")

    def scale_names(self) -> list[str]:
        return _stems(self.root / "benchmarks" / "scale")

    def scales_of(self, name: str) -> list[str]:
        """The scales at which a benchmark has a point that can be run."""
        scales = self.scale_names()
        declaration = self._compose(name, scales[0])  # What is skipped where is the benchmark's own to say.
        points = grid.points(declaration, {}, ())
        at = {scale: at_scale(declaration, name, scale, scales) for scale in scales}
        return [scale for scale in scales if any(skip_reason(at[scale], point) is None for point, _ in points)]

    def table_names(self) -> list[str]:
        return _stems(self.root / "tables")

    def table(self, name: str) -> TableDeclaration:
        """Read tables/<name>.yaml. Raises UserError for an unknown name, a syntax error or a wrong field."""
        if name not in self.table_names():
            raise unknown("table", name, self.table_names())
        path = self.root / "tables" / f"{name}.yaml"
        text = path.read_text()
        if name not in self._read or self._read[name][0] != text:
            self._read[name] = text, self._table(name, text, path)
        return self._read[name][1]

    def _table(self, name: str, text: str, path: Path) -> TableDeclaration:
        try:
            content = yaml.load(text, LOADER)
        except yaml.MarkedYAMLError as error:
            raise _yaml_error(error, path) from None
        if not isinstance(content, dict):
            raise UserError(f"{path}: expected a mapping of fields")
        return validated(TableDeclaration, content, f"tables/{name}.yaml")

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
        axes that set only method parameters. Raises UserError for anything that is unknown or invalid.
        """
        if name not in self.benchmark_names():
            raise unknown("table", name, self.benchmark_names())
        if scale not in self.scale_names():
            raise unknown("scale", scale, self.scale_names())
        declaration = at_scale(self._compose(name, scale), name, scale, self.scale_names())
        every = grid.points(declaration, only or {}, extra_methods)
        reasons = [skip_reason(declaration, coordinates) for coordinates, _ in every]
        points = [point for point, reason in zip(every, reasons, strict=True) if reason is None]
        known_methods = [_method_block(declaration, sets)["name"] for _, sets in every]
        check_keys(name, overrides, declaration, [self.plugins.get(n) for n in known_methods])
        entries = [
            Entry(coordinates, self._template(declaration, sets, overrides)) for coordinates, sets in points
        ]
        launch = apply(declaration.launch.model_dump(), "launch", overrides)
        return Benchmark(
            name,
            declaration.title,
            declaration.scale,
            validated(LaunchConfig, launch, "launch"),
            grid.axes_of(points),
            entries,
            {axis: list(named) for axis, named in declaration.axes.items()},
            [(at, reason) for (at, _), reason in zip(every, reasons, strict=True) if reason is not None],
        )

    def _compose(self, name: str, scale: str) -> BenchmarkDeclaration:
        if (name, scale) not in self._composed:  # Hydra takes 60 ms, and a report asks several times.
            self._composed[name, scale] = self._composition(name, scale)
        return validated(BenchmarkDeclaration, deepcopy(self._composed[name, scale]), f"benchmarks/{name}.yaml")

    def _composition(self, name: str, scale: str) -> dict[str, Any]:
        folder = self.root / "benchmarks"
        try:
            with initialize_config_dir(str(folder), version_base="1.3"):
                config = compose(name, overrides=[f"scale={scale}"])
            content = OmegaConf.to_container(config, resolve=True)
        except yaml.MarkedYAMLError as error:
            raise _yaml_error(error, folder / f"{name}.yaml") from None
        except (HydraException, OmegaConfBaseException) as error:
            if isinstance(error.__cause__, yaml.MarkedYAMLError):
                raise _yaml_error(error.__cause__, folder / f"{name}.yaml") from None
            raise UserError(f"benchmarks/{name}.yaml: {' '.join(str(error).split())}") from None
        assert isinstance(content, dict)
        return {str(key): value for key, value in content.items()}

    def _template(
        self, declaration: BenchmarkDeclaration, sets: Overrides, overrides: Sequence[Override]
    ) -> Cell:
        """The cell of one grid point, at seed 0. Precedence: scale < benchmark < point < command line."""
        config: dict[str, Any] = {}
        for section in CELL_SECTIONS:
            values = dict(getattr(declaration, section))
            values |= {k.partition(".")[2]: v for k, v in sets.items() if k.startswith(f"{section}.")}
            config[section] = apply(values, section, overrides)
        config["evaluation"] = sources.with_versions(config["evaluation"])
        if declaration.study is not None:
            study = declaration.study | {
                k.partition(".")[2]: v for k, v in sets.items() if k.startswith("study.")
            }
            config["study"] = apply(study, "study", overrides)
        source = sources.source(config["data"].get("name", ""))
        config["data"]["version"] = source.version
        block = _method_block(declaration, sets)
        plugin = self.plugins.get(block.pop("name"))
        given = apply(block, "method", overrides, known=plugin.signature.parameters)
        config["method"] = {
            "name": plugin.name,
            "version": plugin.signature.version,
            "parameters": plugin.resolve(given),
        }
        return Cell.from_config(config | {"seed": 0})


def _method_block(declaration: BenchmarkDeclaration, sets: Overrides) -> dict[str, Any]:
    """The method of a grid point: a point may replace the benchmark's method, or set its parameters."""
    block = dict(sets.get("method", declaration.method))
    return block | {k.partition(".")[2]: v for k, v in sets.items() if k.startswith("method.")}


def _stems(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.yaml"))


def _yaml_error(error: yaml.MarkedYAMLError, path: Path) -> UserError:
    mark = error.problem_mark
    name = mark.name if mark and Path(mark.name).suffix == ".yaml" else str(path)
    line = f":{mark.line + 1}" if mark else ""
    return UserError(f"{name}{line}: not valid YAML: {error.problem}")
