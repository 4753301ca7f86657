"""Taking a look at claims: verdicts from the records at hand, and a note of what was seen."""

from collections.abc import Sequence
from pathlib import Path

from clopbench.errors import UserError
from clopbench.report.figures.attachments import PUBLISHED
from clopbench.report.observations import Arms
from clopbench.report.tables import Table, family_at, judged
from clopbench.results import looks as noted
from clopbench.results.looks import RecordedLook
from clopbench.suite.suite import Suite


def tables_at(
    suite: Suite,
    scale: str,
    arms: Arms,
    seeds: Sequence[int] | None,
    names: Sequence[str],
    folder: Path,
    declared: tuple[int, ...] = (),
    published: bool = False,
) -> tuple[list[Table], list[str]]:
    """The named tables with the records of a results folder, and lines on looks that cannot be read or noted.

    The verdicts are those of one family, whatever is named: the claims of all declared tables, as far as there
    are records of these seeds. So a claim has the same verdict wherever it is shown. The look is noted in the
    folder. published: the published records are among those at hand; then nothing is noted, because the folder
    does not hold them.
    """
    looks, damages = noted.read(folder)
    if published:
        earlier, more = noted.read(suite.root / PUBLISHED)
        looks, damages = noted.distinct([*earlier, *looks]), [*more, *damages]
    tables, now = judged(family_at(suite, scale, arms, seeds, names), looks, declared)
    if now is not None and not published:
        damages += note(folder, now, looks)
    return [table for table in tables if table.name in names], damages


def note(folder: Path, now: RecordedLook, looks: Sequence[RecordedLook]) -> list[str]:
    """Note a look in a results folder, unless it is at a part of the seeds that were seen already.

    Returns a line where that cannot be done: verdicts are shown all the same.
    """
    if any(now.scale == look.scale and now.seeds < look.seeds for look in looks):
        return []
    try:
        noted.add(folder, [now])
    except UserError as problem:
        return [str(problem)]
    return []
