"""The switchboard of faults: names, draws by seed, each key once, and what is counted."""

import pytest

from simulator.faults import FAULTS, PATIENCE, RATES, Faults, UnknownFault, parse

KEYS = [(f"C{number}", "", "", "1") for number in range(400)]


def test_names_are_taken_in_their_own_order_and_all_is_every_one():
    assert parse("late, drop") == ("drop", "late")
    assert parse("all") == FAULTS
    assert parse("") == ()
    with pytest.raises(UnknownFault, match="there is no fault flood"):
        parse("drop,flood")


def test_the_same_seed_strikes_the_same_pages_in_whatever_order_they_come():
    def struck(seed, keys):
        faults = Faults(seed, FAULTS)
        faults.struck("drop")  # nothing is overdue any more
        return {key for key in keys if faults.strikes("drop", *key)}

    assert struck(7, KEYS) == struck(7, reversed(KEYS))
    assert struck(7, KEYS) != struck(8, KEYS)


@pytest.mark.parametrize("name", RATES)
def test_a_fault_strikes_about_as_often_as_its_rate_says_and_no_page_twice(name):
    faults = Faults(3, [name])
    faults.struck(name)
    struck = [key for key in KEYS if faults.strikes(name, *key)]
    assert 0.3 * RATES[name] < len(struck) / len(KEYS) < 2 * RATES[name]
    assert not any(faults.strikes(name, *key) for key in struck)


def test_what_is_off_never_strikes_and_what_never_struck_takes_a_chance_at_last():
    faults = Faults(1, ["drop"])
    assert not any(faults.strikes("late", *key) for key in KEYS)
    harmless = [key for key in KEYS if faults.draw("drop", *key) >= RATES["drop"]]
    assert [faults.strikes("drop", *key) for key in harmless[: PATIENCE + 1]] == [False] * PATIENCE + [True]


def test_a_state_holds_only_while_its_fault_is_on():
    faults = Faults(1, ["credential"])
    faults.begin("disabled")
    faults.begin("credential")
    assert faults.present == {"credential"}
    faults.switch([])
    assert not faults.holds("credential")


def test_what_should_have_been_refused_and_was_not_is_counted_apart():
    faults = Faults(1, ["tutorial"])
    for status in (401, 422, 202, 0):
        faults.told("tutorial", status)
    assert (faults.counts["tutorial"], faults.taken["tutorial"]) == (4, 2)
