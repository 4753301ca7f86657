"""Means and intervals over seeds against statsmodels and hand-worked cases."""

import math

import numpy as np
import pytest
import statsmodels.stats.weightstats as sw
from hypothesis import given
from hypothesis import strategies as st

from clopbench.statistics import summaries


def test_summary_by_hand():
    # 2, 4, 9: mean 5, squared deviations 9 + 1 + 16 = 26, variance 13; t(0.975, 2) = 4.302653.
    summary = summaries.summarise([2.0, 4.0, 9.0])
    assert (summary.n, summary.mean) == (3, 5.0)
    assert summary.sd == pytest.approx(math.sqrt(13))
    assert summary.half_width == pytest.approx(4.302653 * math.sqrt(13 / 3), rel=1e-6)


def test_one_value_has_no_spread_and_none_is_an_error():
    assert summaries.summarise([0.5]) == summaries.Summary(1, 0.5, None, None, None)
    with pytest.raises(ValueError, match="no values"):
        summaries.summarise([])


values = st.lists(st.floats(-100, 100), min_size=3, max_size=20).filter(lambda x: np.std(x) > 1e-3)


@given(values)
def test_interval_equals_statsmodels(sample):
    summary = summaries.summarise(sample)
    low, high = sw.DescrStatsW(sample).tconfint_mean(0.05)
    assert summary.half_width is not None
    assert summary.mean - summary.half_width == pytest.approx(low, rel=1e-6, abs=1e-9)
    assert summary.mean + summary.half_width == pytest.approx(high, rel=1e-6, abs=1e-9)


def test_an_interval_stays_where_the_metric_lies():
    """0.98, 1.0, 0.99: mean 0.99, sd 0.01, half-width 4.302653 · 0.01 / √3 = 0.02484: 1.0148 is no accuracy."""
    free = summaries.summarise([0.98, 1.0, 0.99])
    assert free.half_width == pytest.approx(0.0248414, rel=1e-4)
    assert not free.is_cut
    cut = summaries.summarise([0.98, 1.0, 0.99], (0.0, 1.0))
    assert (cut.mean, cut.sd, cut.low, cut.high) == (free.mean, free.sd, free.low, 1.0)
    assert cut.is_cut
    assert cut.half_width is None
    assert summaries.summarise([0.5, 0.6], (0.0, 1.0)).is_cut  # ± 0.64 passes both ends.
    assert not summaries.summarise([0.5, 0.51, 0.52], (0.0, 1.0)).is_cut
