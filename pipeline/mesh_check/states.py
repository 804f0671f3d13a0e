"""Delivery and order: each record once, in its newest state. Pure."""

from pipeline.mesh_check.promise import TEAM, Promise, gone, message, there
from pipeline.models import AllowedSlackChannel, Internal, SyncStatus, User
from pipeline.rules.versions import version


def takes_every_model(e: int) -> Promise:
    """Each model that Sluice delivers."""
    channel = AllowedSlackChannel(id=f"{TEAM}:CMODELS", version=version(e), team=TEAM, channel="CMODELS", name="models")
    user = User(id=f"{TEAM}:UMODELS", version=version(e), kind="org", team=TEAM, user_id="UMODELS", name="models")
    status = SyncStatus(id=f"{TEAM}:CMODELS:scratch", version=version(e), team=TEAM, channel="CMODELS", user="x")
    text = message("CMODELS", 1_000_000, e, "one")
    records: list[Internal] = [channel, user, status, text]
    return Promise(
        "takes every model",
        "delivery",
        "messages, channels, users and sync states are there as they were sent",
        "a model that Sluice delivers does not arrive as it was sent",
        [(record.model, [record]) for record in records],
        there(channel, name="models") | there(user, name="models") | there(status) | there(text, text="one"),
    )


def keeps_text(e: int) -> Promise:
    """Text as it was written."""
    said = 'ünï ∑ 漢字 \U0001f600 \u00a0 <b>&amp; "q" \\ \t\n' + "x" * 10_000 + " "
    text = message("CTEXT", 1_000_000, e, said)
    return Promise(
        "keeps text as it is",
        "delivery",
        "characters of every kind and length come back unchanged",
        "text comes back changed or not at all",
        [("message", [text])],
        there(text, text=said),
    )


def repeats(e: int) -> Promise:
    """The same record three times, once alone."""
    texts = [message("CREPEAT", at * 1_000_000, e, "same") for at in (1, 2, 3)]
    return Promise(
        "a repeat changes nothing",
        "delivery",
        "a record that is sent again stands there once",
        "a record that is sent again stands there twice, or not at all: a repeated batch is counted twice",
        [("message", texts), ("message", texts[:1]), ("message", texts)],
        there(*texts, text="same"),
    )


def newer_replaces(e: int) -> Promise:
    """An edit."""
    old, new = message("CEDIT", 1_000_000, e, "old"), message("CEDIT", 1_000_000, e + 1, "new")
    return Promise(
        "a newer version replaces",
        "order",
        "an edit replaces what was there",
        "an edit does not arrive",
        [("message", [old]), ("message", [new])],
        there(new, text="new"),
    )


def older_does_not(e: int) -> Promise:
    """Older after newer, in calls of their own and within one."""
    apart = [message("CREORDER", 1_000_000, e + step, str(step)) for step in (1, 0)]
    within = [message("CREORDER", 2_000_000, e + step, str(step)) for step in (1, 0)]
    revision = [message("CREORDER", 3_000_000, e, text).model_copy(update={"version": version(e, r)}) for text, r in
                (("late", 2**52), ("early", 2**51))]  # fmt: skip
    return Promise(
        "an older version does not",
        "order",
        "an older version that comes late changes nothing",
        "an older version that comes late replaces the newer one",
        [("message", apart[:1]), ("message", apart[1:]), ("message", within), *(("message", [r]) for r in revision)],
        there(apart[0], text="1") | there(within[0], text="1") | there(revision[0], text="late"),
    )


def deletes(e: int) -> Promise:
    """A deletion, and the older state that comes after it."""
    text, other = (message("CDELETE", at, e, "x") for at in (1_000_000, 2_000_000))
    tombstone = text.model_copy(update={"version": version(e + 1), "deleted": True, "text": "", "source_text": ""})
    early = other.model_copy(update={"version": version(e + 1), "deleted": True, "text": "", "source_text": ""})
    return Promise(
        "a deletion holds",
        "order",
        "what is deleted is gone, also where the deletion came first",
        "what is deleted is still there, or comes back with an older version",
        [("message", [text]), ("message", [tombstone]), ("message", [early]), ("message", [text, other])],
        gone(text, other),
    )


def revives(e: int) -> Promise:
    """A newer version after a deletion."""
    text = message("CREVIVE", 1_000_000, e, "old")
    tombstone = text.model_copy(update={"version": version(e + 1), "deleted": True, "text": "", "source_text": ""})
    again = message("CREVIVE", 1_000_000, e + 2, "again")
    return Promise(
        "a newer version revives",
        "order",
        "what comes back after its deletion is there again",
        "what comes back after its deletion stays away",
        [("message", [text]), ("message", [tombstone]), ("message", [again])],
        there(again, text="again"),
    )


STATES = (takes_every_model, keeps_text, repeats, newer_replaces, older_does_not, deletes, revives)
