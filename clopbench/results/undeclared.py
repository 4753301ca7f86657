"""Records that belong to no declared benchmark at any scale, and what makes them other cells than it has."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from clopbench.errors import UserError, quantity
from clopbench.identity import flatten
from clopbench.results.index import Entries
from clopbench.results.records import Record
from clopbench.suite.overrides import text
from clopbench.suite.suite import DEFAULT_SCALE, Suite

MOST_ARMS = 200
"""So many are set against every declared cell; of further ones it is only said how many there are."""
MOST_FIELDS = 5
MOST_LINES = 4

Config = Callable[[], Mapping[str, Any]]


class Declared(NamedTuple):
    """A declared entry of a benchmark, without its seed."""

    benchmark: str
    scale: str
    settings: Mapping[str, Any]


def undeclared(
    suite: Suite, arms: Mapping[str, Config], counts: Mapping[str, int], scales: Sequence[str] = ()
) -> list[str]:
    """A few lines on the arms that no benchmark declares; none where all are declared.

    arms: arm → what gives the configuration of one of its cells, asked only where it is needed. counts: arm →
    how many records it has. scales: at which a benchmark may have them; all by default.
    """
    left, declared, wrong = dict.fromkeys(counts), list[Declared](), dict[str, None]()
    for scale in sorted(scales or suite.scale_names(), key=lambda name: name != DEFAULT_SCALE):
        if not left:
            return []
        for name in suite.benchmark_names():
            try:
                entries = suite.benchmark(name, scale).entries
            except UserError:  # Said where it matters; a plan of another benchmark goes on.
                wrong[name] = None
                continue
            for entry in entries:
                left.pop(entry.template.arm, None)
                declared.append(Declared(name, scale, settings_of(entry.template.config())))
    if not left:
        return []
    groups: Counter[str] = Counter()
    for arm in islice(left, MOST_ARMS):
        groups[_nearest(settings_of(arms[arm]()), declared)] += counts[arm]
    aside = f" (what {', '.join(wrong)} declares is not known: `bench doctor`)" if wrong else ""
    return list(_lines(groups, sum(counts[arm] for arm in left), aside))


def in_store(suite: Suite, entries: Entries, but: Collection[str] = ()) -> list[str]:
    """The same for a results folder. but: arms that are known already."""
    found = {entry.arm: entry for entry in entries.values() if entry.arm is not None and entry.arm not in but}
    counts = Counter(entry.arm for entry in entries.values() if entry.arm in found)
    return undeclared(
        suite, {arm: lambda one=entry: one.content["config"] for arm, entry in found.items()}, counts
    )


def published(suite: Suite, scale: str, records: Iterable[Record]) -> list[str]:
    """The same for the records that are published for a scale."""
    cells = [record.cell for record in records]
    arms = {cell.arm: cell.config for cell in cells}
    return undeclared(suite, arms, Counter(cell.arm for cell in cells), [scale])


def settings_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """A cell's configuration by dotted key, without its seed."""
    flat = flatten(config)
    flat.pop("seed", None)
    return flat


def _nearest(settings: Mapping[str, Any], declared: Sequence[Declared]) -> str:
    """'table7 at scale laptop with training.epochs=2': the declared entry that differs in fewest fields."""

    def differing(one: Declared) -> list[str]:
        keys = dict.fromkeys([*settings, *one.settings])
        return [key for key in keys if settings.get(key) != one.settings.get(key)]

    if not declared:
        return f"method {settings.get('method.name')}"
    changed, nearest = min(((differing(one), one) for one in declared), key=lambda pair: len(pair[0]))
    told = [text(key, settings.get(key)) for key in changed[:MOST_FIELDS]]
    if len(changed) > MOST_FIELDS:
        told.append(f"{len(changed) - MOST_FIELDS} more")
    return f"{nearest.benchmark} at scale {nearest.scale} with {', '.join(told)}"


def _lines(groups: Mapping[str, int], total: int, aside: str) -> Iterator[str]:
    head = f"{quantity(total, 'record belongs', 'records belong')} to no declared table{aside}"
    if len(groups) == 1 and total == sum(groups.values()):
        yield f"{head}: {next(iter(groups))}"
        return
    yield f"{head}:"
    shown = sorted(groups.items(), key=lambda group: (-group[1], group[0]))[:MOST_LINES]
    for words, count in shown:
        yield f"  {count} of them: {words}"
    rest = total - sum(count for _, count in shown)
    if rest:
        yield f"  {rest} of them: other settings"
