"""clop-bench: regenerate the tables of the CLOP paper with seeds, intervals and verdicts."""

__version__ = "0.1.0"
