"""Counts in words."""


def plural(count: int, noun: str, verb: str = "") -> str:
    """'1 cell', '2 cells'; with the verb 'are' or 'have': '1 cell is', '2 cells are'."""
    words = f"{count} {noun}" if count == 1 else f"{count} {noun}s"
    return f"{words} {agreeing(verb, count)}" if verb else words


def agreeing(verb: str, count: int) -> str:
    """'are', 'have', or any regular verb in its plural, as it is said of so many."""
    if count != 1:
        return verb
    return {"are": "is", "have": "has"}.get(verb, f"{verb}s")
