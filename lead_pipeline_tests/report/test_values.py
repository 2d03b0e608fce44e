"""How figures are written."""

from __future__ import annotations

import pytest

from lead_pipeline.report import values


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (values.number(1234), "1,234"),
        (values.number(None), values.NOTHING),
        (values.bounded(3, 3), "3"),
        (values.bounded(3, 1200), f"3{values.NOTHING}1,200"),
        (values.bounded(None, 3), "not known"),
        (values.change(2, 2), "+2"),
        (values.change(0, 0), "±0"),
        (values.change(-2, 5), f"{values.MINUS}2 to +5"),
        (values.share(0.5), "50%"),
        (values.share(0), "0%"),
        (values.share(0.0123), "1.2%"),
        (values.share(None), values.NOTHING),
        (values.bounded_share(0.5, 0.504), "50%"),
        (values.bounded_share(0.1, 0.25), f"10{values.NOTHING}25%"),
        (values.days(0.04), "0.0"),
        (values.days(12.6), "13"),
        (values.bounded_days(2.0, None), "at least 2.0"),
        (values.bounded_days(2.0, 30.0), f"2.0{values.NOTHING}30"),
        (values.length(20), "under 1 min"),
        (values.length(125), "2 min"),
        (values.length(3600 * 1.5), "1.5 h"),
        (values.length(86400 * 40), "40 d"),
        (values.bounded_length(60, 7200), "1 min to 2.0 h"),
        (values.bounded_length(None, 7200), values.NOTHING),
    ],
)
def test_a_figure_is_written_so(written: str, text: str) -> None:
    assert written == text
