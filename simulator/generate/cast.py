"""Who and what a generated message can speak of."""

import random
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Cast:
    """The team's people, bots and channels, and the dice. `others` are (channel id, its canary) of all channels."""

    rng: random.Random
    team: str
    members: list[str]
    bots: list[tuple[str, str, str]]
    others: list[tuple[str, str]]

    def user(self) -> str:
        """Somebody."""
        return self.rng.choice(self.members)

    def place(self, canary: str) -> str:
        """The channel that has this canary."""
        return next(channel for channel, mark in self.others if mark == canary)

    def bot(self) -> tuple[str, str, str]:
        """A bot as (user id, bot id, app id)."""
        return self.rng.choice(self.bots)


def cast_of(rng: random.Random, team: str, users: list[Json], others: list[tuple[str, str]]) -> Cast:
    """The cast out of a team's user records."""
    people = [u["id"] for u in users if not u.get("is_bot") and u["id"] != "USLACKBOT"]
    robots = [u for u in users if u.get("is_bot")]
    bots = [(u["id"], u["profile"]["bot_id"], u["profile"]["api_app_id"]) for u in robots]
    return Cast(rng, team, people, bots, others)
