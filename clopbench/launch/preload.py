"""Imported once by the fork server, so that a cell's process starts in tens of milliseconds.

Nothing here may start a thread or touch a GPU: processes are forked from this state.
"""

import scipy.optimize  # noqa: F401

import clopbench.launch.run_cell  # noqa: F401
