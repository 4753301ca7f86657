"""How `pytest -n` shares the tests out: a file is one share; all that needs Slurm is one, which comes first.

Fixtures of a file are then made once, and one Slurm serves all its tests. As it takes longest, it must not
begin when all else is done.
"""

import pytest
from lab import uses_slurm


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not uses_slurm(item))
    for item in items:
        share = "slurm" if uses_slurm(item) else str(item.path.parent.name) + "/" + item.path.name
        item.add_marker(pytest.mark.xdist_group(share))
