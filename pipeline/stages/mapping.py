"""map: raw Slack objects become internal records; one that cannot become one is a dead letter by itself."""

from pipeline.batch import Batch, Dead, Mapped, Work
from pipeline.envelope import Undecodable
from pipeline.errors import Rejected
from pipeline.models import Internal
from pipeline.rules.exclusion import people_in, person_of
from pipeline.rules.showing import showing
from pipeline.slack.directory import map_channel, map_user
from pipeline.slack.mapping import map_message
from pipeline.slack.names import Names, names_wanted
from pipeline.stages.stores import Stores

_MODEL = {"messages": "message", "channels": "allowed_slack_channel", "users": "user"}


def map_records(stores: Stores, batch: Batch) -> Batch:
    """The batch with internal records. Directory names are looked up once for all of it."""
    works = [work for work in batch.live() if work.envelope is not None]
    names = _names(stores, batch, [work for work in works if work.header.kind == "messages"])
    nameless = Names(users={person: person for team, person in batch.excluded if team == batch.team})
    for work in works:
        if work.envelope is not None and work.header.kind == "messages":
            since = stores.ledger.counted_since(work.epoch)
            work.shows = showing(work.raw, thread=work.envelope.thread_ts or "", since=since)
        for raw in work.raw:
            _map(work, raw, batch, names if work.header.kind == "messages" else nameless)
        work.raw = []
    return batch


def _map(work: Work, raw: object, batch: Batch, names: Names) -> None:
    try:
        if isinstance(raw, Undecodable):
            raise Rejected(raw.reason)
        record = _record(work, raw, batch.team, names)
    except Rejected as error:
        if people_in(raw, batch.team) & batch.excluded:  # a dead letter would keep it
            work.dropped[f"excluded.{_MODEL[work.header.kind]}"] += 1
            return
        work.dead.append(Dead(error.reason, raw, _MODEL[work.header.kind]))
        return
    if record is None:
        work.dropped["notice.message"] += 1
        return
    if person_of(record) in batch.excluded:
        work.dropped[f"excluded.{record.model}"] += 1
        return
    work.mapped.append(Mapped(record, raw))
    if work.header.kind != "messages":
        work.directory.append(record)


def _record(work: Work, raw: object, team: str, names: Names) -> Internal | None:
    match work.header.kind:
        case "messages":
            channel = (work.envelope.channel if work.envelope else None) or ""
            return map_message(raw, team=team, channel=channel, epoch=work.epoch, names=names, census=work.census)
        case "channels":
            return map_channel(raw, team=team, epoch=work.epoch, names=names, census=work.census)
        case _:
            return map_user(raw, team=team, epoch=work.epoch, census=work.census)


def _names(stores: Stores, batch: Batch, works: list[Work]) -> Names:
    """Display names of the users, and names of the allowed channels, that these messages mention.

    Who was erased is called by the id, whatever a label in the text says.
    """
    wanted = names_wanted(raw for work in works for raw in work.raw)
    if not wanted:
        return Names()
    org = works[0].org
    channels = sorted(name for name in wanted if batch.allowed.admits(name))
    users = sorted(wanted.difference(channels))
    erased = {person: person for person in users if (batch.team, person) in batch.excluded}
    return Names(
        users=stores.directory.user_names(org, batch.team, users) | erased,
        channels=stores.directory.channel_names(org, batch.team, channels),
    )
