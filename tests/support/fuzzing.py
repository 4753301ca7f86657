"""How many generated examples a test tries: a few, the same each time; with FUZZ=50, fifty times as many."""

import os

from hypothesis import HealthCheck, settings

TIMES = int(os.environ.get("FUZZ", "1"))


def tried(examples: int) -> settings:
    return settings(
        max_examples=examples * TIMES, deadline=None, database=None, derandomize=TIMES == 1,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )  # fmt: skip
