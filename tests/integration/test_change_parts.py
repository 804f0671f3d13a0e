"""Parts of a change that depend on guards of their own."""

from sluice import Sluice

from pipeline.store.scripts import Changes


def test_a_part_is_left_out_where_a_guard_of_its_own_fails_and_the_rest_is_applied(sluice: Sluice) -> None:
    client = sluice.client
    client.set("{s0}:there", "1")
    changes = Changes().do("SET", "{s0}:before", "1")
    for name, expected in (("kept", "1"), ("left", "2")):
        changes.when(changes.part().expect(expected, "GET", "{s0}:there").do("SET", f"{{s0}}:{name}", "1"))
    assert changes.do("SET", "{s0}:after", "1").commit(client) == 0
    assert [client.exists(f"{{s0}}:{name}") for name in ("before", "kept", "left", "after")] == [1, 1, 0, 1]


def test_parts_see_what_the_parts_before_them_did_and_can_hold_parts(sluice: Sluice) -> None:
    changes = Changes()
    for value in ("first", "second"):
        part = changes.part().expect(0, "EXISTS", "{s0}:once").do("SET", "{s0}:once", value)
        part.when(part.part().expect("first", "GET", "{s0}:once").do("SET", "{s0}:inner", value))
        changes.when(part)
    assert changes.commit(sluice.client) == 0
    assert (sluice.client.get("{s0}:once"), sluice.client.get("{s0}:inner")) == (b"first", b"first")


def test_a_change_that_is_refused_applies_no_part(sluice: Sluice) -> None:
    changes = Changes().expect("x", "GET", "{s0}:there")
    changes.when(changes.part().do("SET", "{s0}:part", "1"))
    assert changes.commit(sluice.client) == 1
    assert sluice.client.exists("{s0}:part") == 0
