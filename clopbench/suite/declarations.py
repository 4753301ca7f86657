"""What the YAML files of a suite may say: scales, benchmarks, tables. Models only; suite.py reads the files."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from clopbench.parameters import ByPoint, Count, NonNegative, PointName, Positive, Strict
from clopbench.suite.checks import CheckDeclaration
from clopbench.suite.choices import ChoiceDeclaration
from clopbench.suite.claims import ClaimDeclaration, Direction, Format, Points
from clopbench.suite.figures import DEFAULT, FigureDeclaration, shared_name
from clopbench.suite.thresholds import ThresholdDeclaration
from clopbench.suite.variance import VarianceDeclaration

Overrides = dict[Any, Any]
Coordinates = dict[str, str]
SECTIONS = (
    "method",
    "data",
    "encoder",
    "projection",
    "training",
    "augmentation",
    "evaluation",
    "seeding",
    "study",
    "launch",
)
"""The fields of a benchmark that hold settings; all but `launch` decide what is computed."""


class CountedDevice(Strict):
    """A device for which the time of a training is counted where none was measured."""

    name: str
    peak_tflops: Positive
    """10¹² multiplications and additions a second, in the precision of the scale."""
    share: Annotated[float, Field(gt=0, le=1)]
    """Of the peak that a training may be expected to reach."""


class ScaleDeclaration(Strict):
    """benchmarks/scale/*.yaml, the key `scale`: what the scale is and what a cell costs there."""

    name: str
    summary: str
    seconds_per_cell: Positive | None = None
    """Measured once, on the hardware of `measured_on`; used until finished cells give a better estimate."""
    measured_on: str
    counted_on: CountedDevice | None = None
    """Where neither a declared cost nor a finished cell tells the time."""
    is_paper: bool = False
    """Only at such a scale are absolute values set against the paper's."""


class LaunchConfig(Strict):
    """How a cell runs, without deciding what it computes."""

    threads: Count = 1
    checkpoint_seconds: NonNegative = 300.0
    """A checkpoint is saved this often at least, and at the end of an epoch where a 60th of it has passed."""
    loader_workers: Count = 4
    """Processes that decode images, for a data set that is too large to pack."""
    compile: Literal["off", "on", "auto"] = "off"
    """Compile encoder and head for training; auto: on a GPU. Rounding then differs in the last bits."""


class Skip(Strict):
    """Points that are not run at some scales (all scales where none is named), and why."""

    at: Points = {}
    """Axis → points; an axis that is not named means all its points."""
    scales: list[str] | None = None
    reason: str = Field(min_length=1)


class BenchmarkDeclaration(Strict):
    """benchmarks/*.yaml, composed with a scale. Sections of settings stay raw until an entry is made."""

    title: str
    scale: ScaleDeclaration
    axes: dict[str, Annotated[ByPoint[Overrides], Field(min_length=1)]] = Field(min_length=1)
    """Axis → point → the values that it sets, by dotted key or nested. `same_as: POINT` says that it is
    meant to have the cells of that point, whose values it takes."""
    method: dict[str, Any]
    data: dict[str, Any]
    encoder: dict[str, Any]
    projection: dict[str, Any]
    training: dict[str, Any]
    augmentation: dict[str, Any]
    evaluation: dict[str, Any]
    seeding: dict[str, Any] = {}
    launch: dict[str, Any] = {}
    at_scale: dict[str, Overrides] = {}
    """Scale → values by dotted key that hold there for all points; a point's own values come after them."""
    skip: list[Skip] = []
    study: dict[str, Any] | None = None
    """What the cells are instead of trainings (clopbench/study.py)."""


class PaperValue(Strict):
    """One number of the paper; sd and n only where the paper gives them."""

    at: dict[str, PointName]
    metric: str | None = None
    """What it is a number of, where that is not the table's metric (of a table with metrics_across)."""
    mean: float
    sd: NonNegative | None = None
    n: Count | None = None


class PaperDeclaration(Strict):
    """The paper's numbers for a table. What is not listed is shown as 'not known'."""

    source: str
    setting: str
    values: list[PaperValue] = []
    margin: Positive | None = None
    """Our mean counts as reproduced when it is within this of the paper's."""
    margin_reason: str = ""

    @model_validator(mode="after")
    def _margin_has_a_reason(self) -> "PaperDeclaration":
        if self.margin is not None and not self.margin_reason:
            raise ValueError("margin needs a margin_reason")
        return self


DivergedAs = float | dict[str, float]
"""One number for every scale, or scale → number."""


class MetricColumn(Strict):
    """A further metric shown beside the table's own, where records have it (say, another selection rule)."""

    metric: str
    title: str
    format: Format = "percent"
    diverged_as: DivergedAs = {}
    """As of the table's own metric."""


class TableDeclaration(Strict):
    """tables/*.yaml: how a benchmark's cells become a table, and what the paper says about it."""

    title: str
    benchmark: str
    importance: int = 100
    """Its place among the tables in RESULTS.md: the smaller, the earlier."""
    rows: str
    """The axis that runs down the table."""
    columns: str | None = None
    """The axis that runs across, if there is one."""
    metric: str
    metric_title: str = ""
    """The metric's name where it has no title."""
    direction: Direction = "higher"
    format: Format = "percent"
    also: list[MetricColumn] = []
    """Metrics shown in columns of their own; verdicts rest on `metric` alone."""
    metrics_across: bool = False
    """The columns are `metric` and those of `also`, and each has numbers of the paper of its own."""
    labels: ByPoint[str] = {}
    """Point → how it is written in the table."""
    diverged_as: DivergedAs = {}
    """What a diverged cell gets as its metric (say, chance level), at every scale or at some; else nothing."""
    paper: PaperDeclaration = PaperDeclaration(source="none", setting="the question is one of our own")
    thresholds: list[ThresholdDeclaration] = []
    variance: VarianceDeclaration | None = None
    choice: ChoiceDeclaration | None = None
    checks: list[CheckDeclaration] = []
    """Signs of failure, looked for in each cell."""
    claims: list[ClaimDeclaration] = []
    figures: list[FigureDeclaration] = DEFAULT

    def lost(self, scale: str) -> dict[str, float]:
        """Metric → what a diverged cell gets at a scale, where that is declared."""
        declared = [(self.metric, self.diverged_as), *((one.metric, one.diverged_as) for one in self.also)]
        at = {m: one.get(scale) if isinstance(one, dict) else one for m, one in declared}
        return {metric: amount for metric, amount in at.items() if amount is not None}

    @model_validator(mode="after")
    def _metric_has_a_title(self) -> "TableDeclaration":
        object.__setattr__(self, "metric_title", self.metric_title or self.metric)  # Frozen for others.
        return self

    @model_validator(mode="after")
    def _figures_are_clear(self) -> "TableDeclaration":
        if name := shared_name(self.figures):
            raise ValueError(f"two figures are called '{name}'; give one of them a name")
        named = [
            (f"figure {figure.name}", metric) for figure in self.figures for metric in figure.named_metrics
        ]
        named += [("variance", metric) for metric in (self.variance.metrics if self.variance else ())]
        named += [("choice", self.choice.metric)] if self.choice else []
        known = [column.metric for column in self.columns_of_metrics]
        for where, metric in named:
            if metric not in known:
                raise ValueError(f"{where}: '{metric}' is no metric of the table ({', '.join(known)})")
        for figure in self.figures:
            if figure.of_variance and self.variance is None:
                raise ValueError(f"figure {figure.name}: the table declares no variance")
        return self

    @property
    def columns_of_metrics(self) -> list[MetricColumn]:
        """The table's own metric, then those of `also`."""
        own = MetricColumn(metric=self.metric, title=self.metric_title, format=self.format)
        return [own, *self.also]

    @model_validator(mode="after")
    def _metrics_fit_across(self) -> "TableDeclaration":
        known = {self.metric, *(column.metric for column in self.also if self.metrics_across)}
        for value in self.paper.values:
            if value.metric is not None and value.metric not in known:
                raise ValueError(
                    f"paper: {value.metric} is no metric of this table ({', '.join(sorted(known))})"
                )
        if self.metrics_across and self.choice is not None:
            raise ValueError("metrics_across and choice exclude each other")
        if self.metrics_across and self.columns is not None:
            raise ValueError("metrics_across and columns exclude each other")
        if self.metrics_across and any(column.format != self.format for column in self.also):
            raise ValueError("metrics_across needs metrics of one format")
        return self
