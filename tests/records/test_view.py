"""Values by column are those of the rows, one by one, however the rows are kept."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mnist_sweep.records.columns import Columns, FlatRow, Stacked, with_values
from mnist_sweep.records.view import View

NAMES = ("a", "b", "c", "d")
plain = st.dictionaries(
    st.sampled_from(NAMES), st.sampled_from([None, 1, 2, 1.0, True, "x"]), max_size=4
)
ways = st.sampled_from(["plain", "first", "second", "first with more", "second with more"])


def kept(rows):
    """The rows as they may come: in memory, or of one of two directories, some with more values."""
    made = [None] * len(rows)
    for source in ("first", "second"):
        places = [place for place, (way, _) in enumerate(rows) if way.startswith(source)]
        stacked = Stacked([rows[place][1] for place in places])
        columns = Columns([stacked], [(0, number) for number in range(len(places))])
        for number, place in enumerate(places):
            made[place] = FlatRow(columns, number)
            if rows[place][0].endswith("more"):
                made[place] = with_values(made[place], {"d": source})
    return [row if one is None else one for one, (_, row) in zip(made, rows, strict=True)]


@given(st.lists(st.tuples(ways, plain), max_size=8))
def test_a_view_says_what_the_rows_say(rows):
    found = kept(rows)
    view = View(found)
    for name in NAMES:
        here = [row[name] for row in found if name in row]
        assert repr(view.values(name)) == repr([row.get(name) for row in found])
        assert sorted(map(repr, view.known(name))) == sorted(map(repr, here))
        for other in NAMES:
            same = all(row[name] == row.get(other) for row in found if name in row)
            assert view.repeats(name, other) == same
        if view.alike(name):
            assert len(set(map(repr, here))) <= 1
        if view.constant(name):
            assert len(set(map(repr, here))) <= 1
            assert len(here) == len(found)


def test_a_point_without_a_record_does_not_make_all_the_others_slow(monkeypatch):
    stacked = Stacked([{"a": n, "b": 1} for n in range(50)])
    columns = Columns([stacked], [(0, n) for n in range(50)])
    rows = [*(FlatRow(columns, n) for n in range(50)), {"b": 1}]
    monkeypatch.setattr(FlatRow, "get", None)
    monkeypatch.setattr(FlatRow, "__getitem__", None)
    view = View(rows)
    assert view.values("a") == [*range(50), None]
    assert view.known("a") == list(range(50))
    assert view.constant("b")
    assert not view.constant("a")
    assert View([row for row in rows if "a" in row]).constant("b")
    assert View([*rows[:50], {"c": 1}]).alike("b")
    assert not View([*rows[:50], {"c": 1}]).constant("b")
    assert not View([*rows[:50], {"b": 2}]).alike("b")
