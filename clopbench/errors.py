"""The one error that a user can cause, and the wording of 'unknown name' messages."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Bad input. The command line prints it as one line and exits with status 2."""


def nearest(given: str, available: Iterable[str]) -> str | None:
    """The available name closest to `given`, or None where nothing is close."""
    matches = difflib.get_close_matches(given, list(available), n=1, cutoff=0.5)
    return matches[0] if matches else None


def unknown(kind: str, given: str, available: Iterable[str]) -> UserError:
    """A UserError that says what does not exist, what may have been meant, and what does exist."""
    names = sorted(available)
    close = nearest(given, names)
    hint = f" did you mean '{close}'?" if close else ""
    listing = ", ".join(names) if names else "none"
    return UserError(f"unknown {kind} '{given}':{hint} (available: {listing})")
