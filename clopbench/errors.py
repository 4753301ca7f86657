"""The one error that a user can cause, the wording of its messages, and text that is safe to print."""

import codecs
import difflib
import io
import sys
from collections.abc import Iterable

LONGEST_MESSAGE = 500
SPELLED = "clopbench.spelled"
"""For `errors=` of an encoding: what it does not have is spelled in ASCII, or becomes an escape (\\u4e2d)."""
SPELLINGS = {
    **{"±": "+-", "−": "-", "–": "-", "—": "-", "×": "x", "·": ".", "…": "...", "→": "->", "∞": "inf"},
    **{"≤": "<=", "≥": ">=", "≈": "~", "√": "sqrt", "²": "^2", "°": " deg", "₁": "_1", "₂": "_2"},
    **{"α": "alpha", "β": "beta", "η": "eta", "λ": "lambda", "μ": "mu", "σ": "sigma", "τ": "tau"},
    **{"‘": "'", "’": "'", "“": '"', "”": '"'},
}


class UserError(Exception):
    """Bad input: one problem or several. The command line prints a line for each and exits with status 2."""

    def __init__(self, *problems: object):
        self.problems = tuple(visible(str(problem)) for problem in problems)
        super().__init__(*self.problems)

    def __str__(self) -> str:
        return "\n".join(self.problems)


def visible(text: str) -> str:
    r"""The text in one line: what ends a line, steers a terminal or is not seen becomes an escape like \x1b.

    Files, their names and the messages of their errors were written by others: they may hold anything.
    """
    if text.isprintable():
        return text
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode("ascii") for sign in text
    )


def encodable(text: str, encoding: str) -> str:
    """The text as it can be written in an encoding."""
    return text.encode(encoding, SPELLED).decode(encoding)


def print_anything() -> None:
    """From now on no text ends this process, or stops its output, that a locale's encoding does not have."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=SPELLED)


def _spell(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    return "".join(SPELLINGS.get(s) or s.encode("ascii", "backslashreplace").decode() for s in signs), error.end


codecs.register_error(SPELLED, _spell)


def in_words(error: BaseException) -> str:
    """'Class: message' of an exception that somebody else's code raised, in one line that is not too long."""
    try:
        message = str(error)
    except Exception:  # A class of their own, whose message is broken too.
        message = "(its message cannot be read)"
    text = visible(f"{type(error).__name__}: {message}" if message else type(error).__name__)
    return text if len(text) <= LONGEST_MESSAGE else f"{text[:LONGEST_MESSAGE]} …"


MANY = 20
"""Names beyond which a list of all of them would hide the one that was meant."""


def nearest(given: str, available: Iterable[str]) -> str | None:
    """The available name closest to `given`, or None where nothing is close. Case does not count."""
    names = {name.casefold(): name for name in available}
    matches = difflib.get_close_matches(given[:100].casefold(), list(names), n=1, cutoff=0.5)
    return names[matches[0]] if matches else None


def quantity(count: int, one: str, many: str | None = None) -> str:
    """'1 cell', '2 cells'; many: where that is not the word for one with an s."""
    return f"{count} {one if count == 1 else many or f'{one}s'}"


def unknown(kind: str, given: str, available: Iterable[str]) -> UserError:
    """A UserError that says what does not exist, what may have been meant, and what does exist."""
    names = sorted(available)
    close = nearest(given, names)
    hint = f" did you mean '{close}'?" if close else ""
    if close and len(names) > MANY:  # Those of its section.
        section = close.rpartition(".")[0]
        names = [name for name in names if section and name.rpartition(".")[0] == section] or names
    listing = ", ".join(names) if names else "none"
    return UserError(f"unknown {kind} '{given}':{hint} (available: {listing})")
