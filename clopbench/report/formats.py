"""A table as Markdown, CSV, LaTeX, and for the terminal. Only wording and layout; no numbers are made here."""

import csv
import io
from typing import Any

from rich import box
from rich.table import Table as RichTable

from clopbench.declarations import Coordinates, PaperValue
from clopbench.report.tables import Claim, Number, Table

NOT_RUN = "not run"


def value(table: Table, amount: float, digits: int = 2, signed: bool = False) -> str:
    """A metric in the table's unit: per cent, or as it is."""
    scaled = amount * 100 if table.declaration.format == "percent" else amount
    text = f"{scaled:+.{digits}f}" if signed else f"{scaled:.{digits}f}"
    return text.replace("-", "−")


def unit(table: Table) -> str:
    """The unit after an amount, with its space."""
    return " %" if table.declaration.format == "percent" else ""


def mean(table: Table, number: Number) -> str:
    """'97.12 ± 0.31', without ± at n = 1."""
    if number.summary is None:
        return NOT_RUN
    text = value(table, number.summary.mean)
    if number.summary.half_width is None:
        return text
    return f"{text} ± {value(table, number.summary.half_width)}"


def count(number: Number) -> str:
    """'10', or '7/10' where cells are missing; collapsed and diverged cells are named."""
    n = number.summary.n if number.summary else 0
    text = str(n) if n == number.planned else f"{n}/{number.planned}"
    marks = [f"{k} {status}" for status in ("collapsed", "diverged") if (k := number.count(status))]
    return f"{text} ({', '.join(marks)})" if marks else text


def paper(table: Table, entry: PaperValue | None) -> str:
    """The paper's mean, with its sd and n where it gives them."""
    if entry is None:
        return "not known"
    text = value(table, entry.mean, 1)
    sd = f"sd {value(table, entry.sd, 1)}" if entry.sd is not None else "sd not known"
    n = f"n {entry.n}" if entry.n is not None else "n not known"
    return f"{text} ({sd}, {n})"


def difference(table: Table, number: Number) -> str:
    """Ours minus the paper's; a dash where one is missing, or where the difference would mean nothing."""
    if number.difference is None or not table.scale.is_paper:
        return "–"
    return value(table, number.difference, 1, signed=True)


def verdict(number: Number) -> str:
    reason = number.verdict.reason
    return f"{number.verdict.verdict} ({reason})" if reason else number.verdict.verdict


def paired(table: Table, claim: Claim) -> str:
    """'+0.42 [−0.10, +0.94]', positive in the claim's favour."""
    result = claim.verdict.paired
    if result is None:
        return "–"
    text = value(table, result.difference, signed=True)
    if result.low is None or result.high is None:
        return text
    return f"{text} [{value(table, result.low, signed=True)}, {value(table, result.high, signed=True)}]"


def p_value(claim: Claim) -> str:
    result = claim.verdict.paired
    if result is None or result.p is None:
        return "–"
    return "< 0.001" if result.p < 0.001 else f"{result.p:.3f}"


def in_favour(claim: Claim) -> str:
    result = claim.verdict.paired
    return f"{result.in_favour} of {result.n}" if result else "–"


def anchor(table: Table, coordinates: Coordinates) -> str:
    """The HTML id under which the cells of a number are listed."""
    return "-".join([table.scale.name, *coordinates.values()]).replace(" ", "-").lower()


def headings(table: Table) -> list[str]:
    """Column headings of the table of numbers."""
    metric = f"{table.declaration.metric_title}{',' if unit(table) else ''}{unit(table)}"
    return ["row", metric, "n", "paper", "difference", "verdict"]


def rows(table: Table) -> list[list[str]]:
    """The table of numbers, one list of texts per number."""
    return [
        [
            name(table, number),
            mean(table, number),
            count(number),
            paper(table, number.paper),
            difference(table, number),
            verdict(number),
        ]
        for number in table.numbers
    ]


def name(table: Table, number: Number) -> str:
    """Row label, with the column's point where the table has columns."""
    column = table.declaration.columns
    label = table.label(number.coordinates)
    return f"{label}, {number.coordinates[column]}" if column else label


CLAIM_HEADINGS = ["claim", "paired difference [95 % interval]", "p", "seeds in favour", "verdict"]


def claim_rows(table: Table) -> list[list[str]]:
    return [
        [
            claim.declaration.text,
            paired(table, claim),
            p_value(claim),
            in_favour(claim),
            claim.verdict.text,
        ]
        for claim in table.claims
    ]


def markdown_table(head: list[str], body: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def terminal(table: Table) -> list[RichTable]:
    """The numbers, and the claims if there are any, for a terminal."""
    shown = []
    for title, head, body in (
        (f"{table.declaration.title} — scale {table.scale.name}", headings(table), rows(table)),
        ("Claims", CLAIM_HEADINGS, claim_rows(table)),
    ):
        if body:
            grid = RichTable(*head, title=title, title_justify="left", box=box.SIMPLE_HEAD)
            for line in body:
                grid.add_row(*line)
            shown.append(grid)
    return shown


CSV_FIELDS = [
    *("table", "scale", "kind", "row", "column", "metric", "mean", "sd", "low_95", "high_95", "n", "planned"),
    *("collapsed", "diverged", "paper_mean", "paper_sd", "paper_n", "difference", "p", "in_favour"),
    *("verdict", "cells"),
]


def to_csv(tables: list[Table]) -> str:
    """All scales of one table: numbers, then claims (mean: the paired difference, positive in its favour).

    Full precision, metrics as fractions, cell ids separated by spaces.
    """
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, CSV_FIELDS, lineterminator="\n")
    writer.writeheader()
    for table in tables:
        shared = {"table": table.name, "scale": table.scale.name, "metric": table.declaration.metric}
        writer.writerows(shared | _number_fields(table, number) for number in table.numbers)
        writer.writerows(shared | _claim_fields(claim) for claim in table.claims)
    return buffer.getvalue()


def _number_fields(table: Table, number: Number) -> dict[str, Any]:
    summary, theirs, column = number.summary, number.paper, table.declaration.columns
    fields: dict[str, Any] = {
        "kind": "number",
        "row": number.coordinates[table.declaration.rows],
        "column": number.coordinates[column] if column else "",
        "n": summary.n if summary else 0,
        "planned": number.planned,
        "collapsed": number.count("collapsed"),
        "diverged": number.count("diverged"),
        "difference": number.difference,
        "verdict": number.verdict.verdict,
        "cells": " ".join(cell.id for cell in number.cells),
    }
    if summary:
        fields |= {"mean": summary.mean, "sd": summary.sd}
        if summary.half_width is not None:
            low, high = summary.mean - summary.half_width, summary.mean + summary.half_width
            fields |= {"low_95": low, "high_95": high}
    if theirs:
        fields |= {"paper_mean": theirs.mean, "paper_sd": theirs.sd, "paper_n": theirs.n}
    return fields


def _claim_fields(claim: Claim) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "kind": "claim",
        "row": claim.declaration.name,
        "n": len(claim.verdict.seeds),
        "verdict": claim.verdict.text,
        "cells": " ".join(cell.id for cell in claim.cells),
    }
    if result := claim.verdict.paired:
        fields |= {"mean": result.difference, "sd": result.sd, "low_95": result.low, "high_95": result.high}
        fields |= {"p": result.p, "in_favour": result.in_favour}
    return fields


def to_latex(tables: list[Table]) -> str:
    """Per scale a table of numbers and, where there are any, one of claims, for the package booktabs."""
    parts = ["% Regenerated by `bench report`; do not edit. Needs \\usepackage{booktabs}."]
    for table in tables:
        title = f"{table.declaration.title}. Scale {table.scale.name}: {table.scale.summary}."
        note = "" if table.scale.is_paper else " Not comparable with the paper's values."
        caption = f"{title} Mean and half-width of the 95 % t interval over n seeds.{note}"
        parts.append(_latex_table(caption, headings(table), rows(table)))
        if table.claims:
            caption = (
                f"{title} Claims: paired t test over seeds; positive differences are in the claim's favour."
            )
            parts.append(_latex_table(caption, CLAIM_HEADINGS, claim_rows(table)))
    return "\n\n".join(parts) + "\n"


def _latex_table(caption: str, head: list[str], body: list[list[str]]) -> str:
    lines = [" & ".join(map(_escape, line)) + " \\\\" for line in (head, *body)]
    return "\n".join(
        [
            "\\begin{table}",
            "\\centering",
            f"\\caption{{{_escape(caption)}}}",
            f"\\begin{{tabular}}{{l{'r' * (len(head) - 2)}l}}",
            "\\toprule",
            lines[0],
            "\\midrule",
            *lines[1:],
            "\\bottomrule",
            "\\end{tabular}",
            "\\end{table}",
        ]
    )


# What LaTeX reads as a command, and the typographic signs used above.
LATEX = str.maketrans(
    {
        "%": "\\%",
        "&": "\\&",
        "_": "\\_",
        "#": "\\#",
        "<": "$<$",
        "±": "$\\pm$",
        "−": "$-$",
        "–": "--",
        "×": "$\\times$",
        "λ": "$\\lambda$",
    }
)


def _escape(text: str) -> str:
    return text.translate(LATEX)
