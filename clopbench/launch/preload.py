"""Imported once by the fork server, so that a cell's process starts in tens of milliseconds.

Nothing here may start a thread or touch a GPU: processes are forked from this state.
"""

import scipy.optimize  # noqa: F401
import torch

import clopbench.training.run  # noqa: F401

# The first optimiser of a process makes torch import 900 modules, for 1.5 s.
torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
