"""Directory pages come from whatever team the user has connected, and say of no sender which one that is.

While the newest look sees another team than the connection's, nothing of them is kept. Between a reconnect and the next
look a page is held against its own words (`pipeline.rules.teams`): one in doubt waits for a look that is newer than it.
"""

from typing import Final

from pipeline.batch import Work
from pipeline.errors import Unavailable
from pipeline.rules.teams import names_others_only
from pipeline.stages.stores import Stores
from pipeline.store.looks import Looks

OTHER_TEAM: Final = "other_team"
_MODEL: Final = {"channels": "allowed_slack_channel", "users": "user"}


def hold_to_team(stores: Stores, works: list[Work], team: str) -> None:
    """Drop, and count, the directory pages that are another team's; keep back those in doubt."""
    looks = Looks(stores.client, stores.shards)
    for work in works:
        model, name = _MODEL.get(work.header.kind), work.header.connection
        if model is None:
            continue
        doubt = names_others_only(work.raw, team)
        belongs = looks.belongs(name, team, work.header.received_at, in_doubt=doubt)
        if belongs is None:
            _look_now(stores, name)
            work.held = Unavailable("team in doubt")
        elif not belongs:
            work.dropped[f"{OTHER_TEAM}.{model}"] += len(work.raw)
            work.raw = []


def of_another_team(work: Work) -> bool:
    """Whether a page was dropped for its team: it proves nothing of the connection's directory."""
    return any(reason.startswith(f"{OTHER_TEAM}.") for reason in work.dropped)


def _look_now(stores: Stores, connection: str) -> None:
    """A look that fails has its own pace; the page waits for it."""
    keys = stores.shards.of(connection)
    if not stores.schedule.failing(keys, "look", connection):
        stores.schedule.sooner(keys, "look", connection, stores.now_us())
