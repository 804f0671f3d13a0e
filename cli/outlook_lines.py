"""What pulls of a connection will take, as lines for a person: how often, how long, what is read again. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from cli.moments import span
from cli.run_lines import counted
from pipeline.rules.outlook import Outlook

_BY: Final = {"hand": "set by hand", "pages": "found out from its pages"}


def said_of(plan: Outlook, shown: Mapping[str, Any]) -> list[str]:
    """Three lines; `shown` is the plan as the API shows it."""
    return [_often(plan, shown), _backfill(plan), _again(plan)]


def _often(plan: Outlook, shown: Mapping[str, Any]) -> str:
    rate = f"Slack's {plan.regime.name} rate ({_BY[shown['rate_by']]})"
    if plan.period > plan.shortest:
        return f"Pulled every {span(plan.period)}; {rate} allows every {span(plan.shortest)}."
    return f"Pulled every {span(plan.period)}: {counted(plan.channels, 'channel')} take so long at {rate}."


def _backfill(plan: Outlook) -> str:
    if plan.eta is None:
        return "Backfill: every channel is read to its start."
    left = f"{plan.unfinished} of {counted(plan.channels, 'channel')} not read to the start yet"
    return f"Backfill: {left}; about {counted(plan.requests, 'request')}, {span(plan.eta)}."


def _again(plan: Outlook) -> str:
    if not (plan.unread or plan.moved):
        return "Re-reading: nothing is left for this night."
    days = f"{counted(plan.unread, 'day')} of channels"
    return f"Re-reading: {days} and {counted(plan.moved, 'thread')} that moved are still to be read again."
