"""Amounts of a metric in words."""

from clopbench.suite.claims import Format


def value(kind: Format, amount: float, digits: int = 2, signed: bool = False) -> str:
    """A metric in its unit: per cent, or as it is."""
    scaled = amount * 100 if kind == "percent" else amount
    text = f"{scaled:+.{digits}f}" if signed else f"{scaled:.{digits}f}"
    return text.replace("-", "−")


def unit(kind: Format) -> str:
    """The unit after an amount, with its space."""
    return " %" if kind == "percent" else ""


def with_unit(kind: Format, amount: float) -> str:
    return f"{value(kind, amount)}{unit(kind)}"


def titled(title: str, kind: Format) -> str:
    """A metric's title with its unit: 'linear probe top-1, %'."""
    return f"{title}{',' if unit(kind) else ''}{unit(kind)}"
