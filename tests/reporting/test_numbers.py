"""Numbers have as many digits as tell networks apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_sweep.metrics import Format
from mnist_sweep.reporting.numbers import (
    NOTHING,
    duration,
    setting,
    three_digits,
    written,
)


@pytest.mark.parametrize(
    ("value", "style", "text"),
    [
        (0.97434, Format.PERCENT, "97.43"), (1.0, Format.PERCENT, "100.00"),
        (0.97434, Format.SHARE, "0.9743"), (0.0009782, Format.LOSS, "9.78e-04"),
        (2.713e-05, Format.LOSS, "2.71e-05"), (0.0123, Format.LOSS, "0.0123"),
        (0.0, Format.LOSS, "0"), (0.831, Format.SECONDS, "0.831"), (14.23, Format.SECONDS, "14.2"),
        (142.4, Format.SECONDS, "142"), (1420.0, Format.SECONDS, "1,420"),
        (9.999, Format.SECONDS, "10.0"), (123456, Format.COUNT, "123,456"),
        (None, Format.SHARE, NOTHING), (None, Format.SETTING, "null"),
        (True, Format.SETTING, "true"), (0.001, Format.SETTING, "0.001"),
        (300, Format.SETTING, "300"), (0.1 + 0.2, Format.SETTING, "0.3"),
        ("a\nb", Format.SETTING, r"a\nb"),
    ],
)  # fmt: skip
def test_a_value_is_written_as_its_column_says(value, style, text):
    assert written(value, style) == text


@given(st.floats(1e-4, 1e6))
def test_three_digits_are_within_half_a_percent(value):
    assert float(three_digits(value).replace(",", "")) == pytest.approx(value, rel=0.0051)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_setting_reads_back_to_twelve_digits(value):
    assert float(setting(value)) == pytest.approx(value, rel=1e-11)


def test_a_setting_of_a_range_is_shown_without_rounding_errors():
    assert [setting(0.1 + k * 0.1) for k in range(4)] == ["0.1", "0.2", "0.3", "0.4"]


def test_durations_are_read_as_people_say_them():
    assert [duration(s) for s in (0.4, 59.4, 59.6, 65, 3599.6, 7380)] == [
        "0 s", "59 s", "1 min 0 s", "1 min 5 s", "1 h 0 min", "2 h 3 min",
    ]  # fmt: skip
