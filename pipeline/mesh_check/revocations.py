"""Revocation: what a retraction covers is gone, whenever it came, and nothing beside it. Pure."""

from pipeline.mesh_check.promise import TEAM, Promise, Sends, fence, gone, message, there
from pipeline.models import AllowedSlackChannel, Retraction
from pipeline.rules.versions import epoch_digits, version


def retracts_what_is_there(e: int) -> Promise:
    """A channel is revoked: its messages and its own record go, another channel's stay."""
    texts = [message("CREVOKED", at, e, "x") for at in (1_000_000, 2_000_000)]
    own = AllowedSlackChannel(id=f"{TEAM}:CREVOKED", version=version(e), team=TEAM, channel="CREVOKED", name="r")
    other = message("CSTAYS", 1_000_000, e, "stays")
    fences = [fence("CREVOKED", e + 5), fence("CREVOKED", e + 5, "allowed_slack_channel")]
    sends: Sends = [("message", [*texts, other]), ("allowed_slack_channel", [own]), ("retraction", fences)]
    return Promise(
        "retracts what is there",
        "revocation",
        "a revoked channel's records are gone, and only those",
        "a revoked channel's records stay, or another channel's go",
        sends,
        gone(*texts, own) | there(other, text="stays"),
    )


def retracts_what_comes_later(e: int) -> Promise:
    """What was on its way when the channel was revoked."""
    text = message("CLATE", 1_000_000, e, "late")
    return Promise(
        "retracts what comes later",
        "revocation",
        "what was on its way at the revocation does not appear",
        "what was on its way at the revocation appears",
        [("retraction", [fence("CLATE", e + 5)]), ("message", [text])],
        gone(text),
    )


def lets_through_again(e: int) -> Promise:
    """A channel that is allowed again: what is read after the fence lives, the same id too."""
    dead, again = message("CAGAIN", 1_000_000, e, "dead"), message("CAGAIN", 1_000_000, e + 6, "again")
    equal = message("CAGAIN", 2_000_000, e + 5, "equal")
    return Promise(
        "lets through what is newer",
        "revocation",
        "what is read after a channel was allowed again is there",
        "a channel that is allowed again stays empty",
        [("message", [dead]), ("retraction", [fence("CAGAIN", e + 5)]), ("message", [again, equal])],
        there(again, text="again") | there(equal, text="equal"),
    )


def fences_only_rise(e: int) -> Promise:
    """A lower fence after a higher one opens nothing; a higher one after a lower closes more."""
    text, late = message("CRISE", 1_000_000, e + 3, "x"), message("CRISE", 2_000_000, e + 3, "x")
    fences = [fence("CRISE", e + below) for below in (2, 5, 1)]
    return Promise(
        "retractions only rise",
        "revocation",
        "a retraction that comes late takes none back",
        "a retraction that comes late takes a higher one back",
        [("message", [text]), *(("retraction", [one]) for one in fences), ("message", [late])],
        gone(text, late),
    )


def retracts_by_window_and_lane(e: int) -> Promise:
    """A sweep of one lane and one window: (after, until]."""
    at = [message("CSWEEP", second * 1_000_000, e, str(second)) for second in (1, 2, 3)]
    reply = message("CSWEEP", 2_500_000, e, "reply", lane="thread:1.000000", thread_ts="1.000000")
    window = fence("CSWEEP", e + 5, match={"lane": "history"}, after=1_000_000, until=2_000_000)
    later = message("CSWEEP", 1_500_000, e, "later")
    return Promise(
        "retracts a window of a lane",
        "revocation",
        "what was deleted in Slack goes, and nothing beside it",
        "what was deleted in Slack stays, or what lies beside it goes",
        [("message", [*at, reply]), ("retraction", [window]), ("message", [later])],
        there(at[0], at[2], reply) | gone(at[1], later),
    )


def retracts_a_person(e: int) -> Promise:
    """Erasure: everything of one author, in every channel."""
    theirs = [message(f"CPERSON{n}", 1_000_000, e, "x", author_id="UGONE", author_kind="user") for n in (1, 2)]
    other = message("CPERSON1", 2_000_000, e, "y", author_id="USTAYS", author_kind="user")
    erasure = Retraction(
        id=f"message:{TEAM}:author:UGONE",
        version=version(e + 5),
        target="message",
        match={"team": TEAM, "author_id": "UGONE"},
        below=epoch_digits(e + 5),
        reason="mesh_check",
    )
    late = message("CPERSON2", 3_000_000, e, "x", author_id="UGONE", author_kind="user")
    return Promise(
        "retracts a person",
        "revocation",
        "one author's messages are gone from every channel",
        "an erased author's messages stay, or another's go",
        [("message", [*theirs, other]), ("retraction", [erasure]), ("message", [late])],
        gone(*theirs, late) | there(other),
    )


REVOCATIONS = (
    retracts_what_is_there,
    retracts_what_comes_later,
    lets_through_again,
    fences_only_rise,
    retracts_by_window_and_lane,
    retracts_a_person,
)
