"""What a table chose in each row, and by what."""

from clopbench.report import amounts
from clopbench.report.choosing import rows
from clopbench.report.formats import wording
from clopbench.report.formats.sheet import Sheet
from clopbench.report.tables import Table


def sheets(table: Table) -> list[Sheet]:
    """A line for each row: the chosen point, then the mean that was chosen by at each point."""
    choice = table.declaration.choice
    if choice is None:
        return []
    [column] = [one for one in table.declaration.columns_of_metrics if one.metric == choice.metric]
    points = [point for point in table.axes[choice.axis] if point != choice.point]
    body = [
        [
            ", ".join(map(table.point_label, row.coordinates.values())) or "all",
            table.point_label(row.best.coordinates[choice.axis]),
            *(
                amounts.value(column.format, mean) if mean is not None else wording.NOT_RUN
                for mean in row.means
            ),
        ]
        for row in rows(choice, table.numbers)
        if row.best is not None
    ]
    title = f"{table.point_label(choice.point)}: chosen by {amounts.titled(column.title, column.format)}"
    return [Sheet(title, ["row", "chosen", *map(table.point_label, points)], body)] if body else []
