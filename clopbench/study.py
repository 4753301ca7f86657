"""What a cell may be instead of a training: a simulation of the paper's theory, or the cost of CLOP's term.

A cell with a study is run by the module of studies/ that has the study's name.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from clopbench.parameters import Count, Fraction, NonNegative, Positive, Strict, kinds


class _Study(Strict):
    """What every study says."""

    def deciding(self, canonical: dict[str, Any]) -> dict[str, Any]:
        """The part of a cell's canonical form that decides the study's numbers."""
        return canonical

    @classmethod
    def metrics(cls, given: Mapping[str, Iterable[Any]]) -> set[str]:
        """The metrics that its cells have. given: field → all that a benchmark's cells may have there."""
        return set()


class SphereStudy(_Study):
    """Points on the unit sphere under exact gradient steps of the loss, without a network (paper, section 2).

    points: N of them, in `dim` dimensions, drawn so that their mean has the norm `start_mean`. positives:
    "merged" is the theory's assumption, where an image is one point, whose positive is itself and adds nothing
    but a constant; "views" has two points per image and the loss as it is trained, whose denominator holds the
    positive too. apart: degrees between the two. gradient: "ambient" is that of the formula with respect to
    unit vectors, "tangent" what the normalisation of a network's outputs leaves of it.

    Rates are learning rates as multiples of τ, for the loss summed over anchors: `rates` of one step,
    `long_rates` of `steps` steps each. The points are spread over `classes` classes, of which CLOP's term sees
    `label_fraction`.
    """

    kind: Literal["sphere"]
    points: Annotated[int, Field(ge=2)]
    dim: Annotated[int, Field(ge=2)]
    start_mean: Annotated[float, Field(gt=0, lt=1)]
    rates: list[Positive] = Field(min_length=1)
    long_rates: list[Positive] = Field(min_length=1)
    steps: Count
    positives: Literal["merged", "views"] = "merged"
    apart: NonNegative = 0.0
    gradient: Literal["tangent", "ambient"] = "tangent"
    classes: Count = 10
    label_fraction: Fraction = 1.0

    @classmethod
    def metrics(cls, given: Mapping[str, Iterable[Any]]) -> set[str]:
        """Some are of each rate."""
        names = [
            *("pull_back", "sideways", "factor_error", "factor_error_on_sphere"),
            *("shrinks_below", "best_rate", "safe_low", "safe_high", "worst_in_safe_range"),
            *("gradient_equal", "gradient_colinear", "concentrates_from"),
        ]
        for field, measures in (
            ("rates", ("ratio", "ratio_on_sphere")),
            ("long_rates", ("mean_norm", "rank")),
        ):
            rates = (rate for value in given.get(field, ()) if isinstance(value, list) for rate in value)
            names += [f"{one}_{rate:g}" for rate in rates if isinstance(rate, int | float) for one in measures]
        return set(names)

    @field_validator("rates", "long_rates")
    @classmethod
    def _rates_have_names_of_their_own(cls, rates: list[float]) -> list[float]:
        names = [f"{rate:g}" for rate in rates]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two rates are called {name}, and their measures would be one")
        return rates

    @model_validator(mode="after")
    def _fields_fit(self) -> "SphereStudy":
        if self.apart and self.positives != "views":
            raise ValueError("apart goes with positives: views only")
        if self.gradient == "ambient" and self.positives != "merged":
            raise ValueError("gradient: ambient goes with positives: merged only")
        return self

    def deciding(self, canonical: dict[str, Any]) -> dict[str, Any]:
        """A simulation has no data and no encoder, so it is the same cell at every scale."""
        return {key: canonical[key] for key in ("method", "seed", "study")}


class OverheadStudy(_Study):
    """Time and memory of a training step with CLOP's term and without, on the same batches.

    pairs: neighbouring steps, one with and one without, that are compared; before them come `warmup` pairs
    that are not counted. Everything else of the cell says what is trained.
    """

    kind: Literal["overhead"]
    pairs: Count
    warmup: Count = 2

    @classmethod
    def metrics(cls, given: Mapping[str, Iterable[Any]]) -> set[str]:
        return {"overhead_time", "overhead_memory", "step_ms", "step_ms_base", "step_mib", "step_mib_base"}


StudyConfig = Annotated[SphereStudy | OverheadStudy, Field(discriminator="kind")]
STUDIES = kinds(StudyConfig)
