"""`bench run --until settled`: seeds are added in looks that are declared beforehand, until nothing is open."""

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from clopbench.cli.options import Asked
from clopbench.cli.terminal import console, say
from clopbench.errors import UserError, quantity

if TYPE_CHECKING:
    from clopbench.cli.request import Request
    from clopbench.report.claims.tested import Claim
    from clopbench.results.plan import Plan

UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Looks:
    """What was asked for, and the seeds of each look."""

    base: Asked
    seeds: tuple[int, ...]

    def asked(self, at: int) -> Asked:
        """With the seeds of one look."""
        return replace(self.base, seeds=str(self.seeds[at]))


def plan_looks(asked: Asked, most: int) -> Looks:
    """The looks of a run. Raises UserError for what makes other claims than the declared ones."""
    from clopbench.statistics.looks import declared_looks

    for option, given in (("--only", asked.only), ("--method", asked.method), ("--against", asked.against)):
        if given:
            raise UserError(f"{option}: cannot go with --until settled: claims are those of the whole tables")
    for word in asked.tables:
        if "=" in word and not word.startswith(("scale=", "launch.")):
            raise UserError(f"{word}: cannot go with --until settled: claims are those of the declared cells")
    return Looks(asked, declared_looks(most))


def seconds(budget: str | None) -> float | None:
    """'2h', '90m', '1h30m' in seconds. Raises UserError for anything else."""
    if budget is None:
        return None
    parts = re.findall(r"(\d+(?:\.\d+)?)(s|min|m|h|d)", budget)
    if not parts or "".join(number + unit for number, unit in parts) != budget:
        raise UserError(f"--budget: a time such as 2h, 90m or 1h30m, not '{budget}'")
    total = sum(float(number) * UNITS[unit] for number, unit in parts)
    if total <= 0:
        raise UserError(f"--budget: more than nothing, not '{budget}'")
    return total


def run(
    request: "Request", looks: Looks, budget: float | None, train: "Callable[[], tuple[int, Plan]]"
) -> None:
    """Look after look: train, say what was decided and what the next look would cost; then the tables."""
    from clopbench.cli.train import end

    begun = time.monotonic()
    counts = ", ".join(map(str, looks.seeds))
    say(f"looks at {counts} seeds, which share the 5 %; the first that settles all is the last")
    known: set[str] = set()
    for count, following in zip(looks.seeds, [*looks.seeds[1:], None], strict=True):
        request.seeds = list(range(count))
        failed, planned = train()
        tables = request.tables(declared=looks.seeds)
        claims = [claim for table in tables for claim in table.claims]
        for line in _decided(count, claims, known):
            say(line)
        left = None if budget is None else budget - (time.monotonic() - begun)
        if (
            failed
            or following is None
            or not any(map(_is_open, claims))
            or not _goes_on(request, following, left)
        ):
            request.show_tables(console(), tables)
            end(request, failed, planned)
            return


def _goes_on(request: "Request", seeds: int, left: float | None) -> bool:
    """Say what the next look would cost; whether the budget has so much left."""
    from clopbench.results.times import about

    request.seeds = list(range(seeds))
    plan = request.plan()
    cost = plan.estimate().wall(request.workers, len(plan.to_run))
    say(f"the next look, at {quantity(seeds, 'seed')}: {quantity(len(plan.to_run), 'cell')}, {about(cost)}")
    if left is None or (left > 0 and (cost is None or cost <= left)):
        return True
    say(f"not taken: {about(max(0.0, left))} of the budget left; the same command goes on from here")
    return False


def _is_open(claim: "Claim") -> bool:
    """Whether more seeds could settle a claim: not one of which some comparison is not run at this scale."""
    return (not claim.verdict.decided and claim.verdict.p is not None) or _has_too_few(claim)


def _has_too_few(claim: "Claim") -> bool:
    complete = all(one is not None and one.n for one in claim.amounts)
    return complete and claim.verdict.p is None and not claim.declaration.deterministic


def _decided(seeds: int, claims: "Sequence[Claim]", known: set[str]) -> Iterator[str]:
    """'look at 10 seeds: 1 supported, 1 undecided', and the claims that were decided at this look."""
    counts = Counter(claim.verdict.verdict for claim in claims)
    words = ", ".join(f"{k} {verdict}" for verdict, k in counts.items())
    yield f"look at {quantity(seeds, 'seed')}: {words or 'no claims'}"
    for claim in claims:
        if claim.verdict.decided and claim.declaration.text not in known:
            known.add(claim.declaration.text)
            yield f"  {claim.verdict.verdict}: {claim.declaration.text}"
