"""How fast Slack lets an app of a team read history, and what follows for the planner. Pure.

Slack's limits are per method, workspace and app (https://docs.slack.dev/apis/web-api/rate-limits): 50 and more requests
a minute with pages of up to 999, or, for an app that is sold outside the Marketplace and was made after 29 May 2025,
one request a minute with pages of at most 15 messages.
"""

from typing import Final, Literal, NamedTuple

RegimeName = Literal["standard", "restricted"]

_MINUTE_US: Final = 60 * 1_000_000
_REFUSALS: Final = 3
_ROOM: Final = 0.8
"""The part of the limit that is planned with: re-asks and the team's other calls need the rest."""


class Regime(NamedTuple):
    """What one team's app may do, and how the planner uses it.

    `limit` is asked for a page; `channels` share one trigger; a slice of history that took fewer than `few` requests is
    followed by a longer one, one that took more than `many` by a shorter one; `flights` runs of a connection are out at
    a time.
    """

    name: RegimeName
    requests_a_minute: float
    limit: int
    channels: int
    few: int
    many: int
    flights: int


STANDARD: Final = Regime("standard", 50, 200, channels=20, few=3, many=40, flights=4)
RESTRICTED: Final = Regime("restricted", 1, 15, channels=1, few=3, many=30, flights=1)
REGIMES: Final[dict[str, Regime]] = {regime.name: regime for regime in (STANDARD, RESTRICTED)}


def of_limit(limit: int) -> Regime:
    """The regime that a run was asked under, by the page limit that it was asked with."""
    return RESTRICTED if limit <= RESTRICTED.limit else STANDARD


class Page(NamedTuple):
    """A page of history: Slack's `error`, how many messages, whether more are to come, how many were asked for."""

    error: str | None
    messages: int
    has_more: bool
    asked: int


class Evidence(NamedTuple):
    """What a team's pages of history have shown so far.

    `refusals` pages that Slack refused with `ratelimited`, `largest` the most messages on one page, `cut` whether a
    page ended at 15 messages with more to come although more were asked for.
    """

    refusals: int = 0
    largest: int = 0
    cut: bool = False

    def page(self, page: Page) -> "Evidence":
        """With one more page. What proves nothing more is not counted: then it hardly ever changes."""
        refused = page.error in ("ratelimited", "rate_limited")
        cut = page.has_more and page.messages == RESTRICTED.limit < page.asked
        largest = min(max(self.largest, page.messages), RESTRICTED.limit + 1)
        return Evidence(min(self.refusals + refused, _REFUSALS), largest, self.cut or cut)

    @property
    def regime(self) -> Regime:
        """What it proves. One larger page proves the standard regime, whatever else: 429s happen there, too."""
        if self.largest > RESTRICTED.limit:
            return STANDARD
        return RESTRICTED if self.cut or self.refusals >= _REFUSALS else STANDARD


def shortest_period(channels: int, regime: Regime) -> int:
    """The microseconds between two pulls of so many channels that the regime can keep; one request a channel."""
    return int(channels * _MINUTE_US / (regime.requests_a_minute * _ROOM))


def time_for(requests: float, regime: Regime) -> int:
    """How many microseconds so many requests take."""
    return int(requests * _MINUTE_US / (regime.requests_a_minute * _ROOM))
