"""Words as LaTeX prints them: its own signs escaped, Greek and accents as commands, in any LaTeX's fonts."""

import re
import unicodedata

from clopbench.errors import visible

_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon "
    "phi chi psi omega"
)
_CAPITALS = "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"


def _letter(name: str) -> str:
    case = "SMALL" if name.islower() else "CAPITAL"
    return unicodedata.lookup(f"GREEK {case} LETTER {name.upper().replace('LAMBDA', 'LAMDA')}")


# What LaTeX reads as a command or a ligature, and the typographic signs that any LaTeX has.
SIGNS = str.maketrans(
    {
        **{_letter(name): f"$\\{name}$" for name in f"{_GREEK} {_CAPITALS}".split()},
        "\\": "\\textbackslash{}",
        "{": "\\{",
        "}": "\\}",
        "%": "\\%",
        "&": "\\&",
        "_": "\\_",
        "#": "\\#",
        "$": "\\$",
        "~": "\\textasciitilde{}",
        "^": "\\textasciicircum{}",
        "<": "$<$",
        ">": "$>$",
        "±": "$\\pm$",
        "−": "$-$",
        "–": "--",
        "×": "$\\times$",
        "≥": "$\\geq$",
        "≤": "$\\leq$",
        "√": "$\\surd$",
        "²": "$^2$",
        "°": "$^\\circ$",
        "∞": "$\\infty$",
        "→": "$\\rightarrow$",
        "≈": "$\\approx$",
        "·": "$\\cdot$",
        "…": "\\ldots{}",
        "₁": "$_1$",
        "₂": "$_2$",
        "\u00a0": "~",
        "`": "\\`{}",
        "|": "$|$",
        "—": "---",
        "‘": "`",
        "’": "'",
        "“": "``",
        "”": "''",
        "ß": "\\ss{}",
    }
)
ACCENTS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0308": '"',
    "\u030a": "r",
    "\u0327": "c",
}
_LIGATURE = re.compile("(?<=-)(?=-)|(?<=')(?=')")
_OPTION = re.compile(r"(?=[\[*])")
"""After the end of a row it would be read as an option of that end."""


def escape(text: str) -> str:
    """Words in one line, as LaTeX prints them."""
    parts = _LIGATURE.split(known(text))
    signs = "{}".join("".join(_accented(sign) for sign in part.translate(SIGNS)) for part in parts)
    return f"{{}}{signs}" if _OPTION.match(signs) else signs


def known(text: str) -> str:
    """Words in one line of signs that any LaTeX has; in place of others stand their numbers: '[U+4E2D]'."""
    line = re.sub(r"[^\S\u00a0]+", " ", unicodedata.normalize("NFC", text)).strip()
    return "".join(map(_numbered, line))


def _numbered(sign: str) -> str:
    if not sign.isprintable() and sign != "\u00a0":
        return visible(sign)
    return sign if _has(sign) else f"[U+{ord(sign):04X}]"


def _has(sign: str) -> bool:
    return sign.isascii() or ord(sign) in SIGNS or _accented(sign) != sign


def _accented(sign: str) -> str:
    r"""'\'{e}' for é; what is no accented letter stays."""
    base, accent = (*unicodedata.normalize("NFD", sign), "", "")[:2]
    whole = len(unicodedata.normalize("NFD", sign)) == 2 and base.isascii() and base.isalpha()
    return f"\\{ACCENTS[accent]}{{{base}}}" if whole and accent in ACCENTS else sign
