"""Whether a directory page can be one of the connection's team, by what its records say of themselves. Pure.

Strangers are no sign: a Grid and shared channels bring users and channels of other teams among a team's own. Only a
page that names teams and never the connection's is in doubt; one whose records were stripped of all teams says nothing.
"""

from collections.abc import Iterable
from typing import Any, Final

_OF_A_CHANNEL: Final = ("context_team_id", "team_id", "enterprise_id", "conversation_host_id")
_LISTS: Final = ("shared_team_ids", "internal_team_ids")


def names_others_only(records: Iterable[object], team: str) -> bool:
    """Whether raw users or channels name teams, and none of them this one."""
    named: set[str] = set()
    for raw in records:
        named |= _teams(raw)
        if team in named:
            return False
    return bool(named)


def _teams(raw: object) -> set[str]:
    if not isinstance(raw, dict):
        return set()
    grid = _part(raw, "enterprise_user")
    said: list[Any] = [raw.get(name) for name in _OF_A_CHANNEL]
    said += [_part(raw, "profile").get("team"), grid.get("enterprise_id"), *_list(grid, "teams")]
    said += [one for name in _LISTS for one in _list(raw, name)]
    return {one for one in said if isinstance(one, str) and one}


def _part(raw: dict[str, Any], name: str) -> dict[str, Any]:
    found = raw.get(name)
    return found if isinstance(found, dict) else {}


def _list(raw: dict[str, Any], name: str) -> list[Any]:
    found = raw.get(name)
    return found if isinstance(found, list) else []
