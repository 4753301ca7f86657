"""How `pytest -n` shares the tests out: a file is one share (`--dist=loadfile`), those with Slurm come first.

Fixtures of a file are then made once. As Slurm takes longest, it must not begin when all else is done.
"""

import pytest
from lab import uses_slurm


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not uses_slurm(item))
