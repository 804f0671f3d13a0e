"""A whole workspace out of a configuration and its number."""

import random

from simulator.config import SimulatorConfig
from simulator.generate.cast import cast_of
from simulator.generate.history import fill
from simulator.generate.ids import canary, slack_id
from simulator.generate.people import people
from simulator.generate.rooms import rooms
from simulator.slack.channel import Channel
from simulator.slack.workspace import Workspace


def generate(config: SimulatorConfig, index: int) -> Workspace:
    """Workspace number `index`: `config.channels` channels that hold `config.messages` messages together."""
    rng = random.Random(f"{config.seed}/{index}")
    team = slack_id(rng, "T")
    users = people(rng, team, config.anchor)
    members = [user["id"] for user in users if not user.get("is_bot")]
    records = rooms(rng, team, members, config.channels, config.anchor)
    marks = [(record["id"], canary(config.seed, team, record["id"])) for record in records]
    cast = cast_of(rng, team, users, marks)
    channels = {}
    for record, (channel_id, mark), count in zip(
        records, marks, _shares(rng, config.messages, config.channels), strict=True
    ):
        channels[channel_id] = Channel(record, mark)
        fill(channels[channel_id], cast, count, config.anchor)
    return Workspace(team, f"Workspace {index}", users, channels)


def _shares(rng: random.Random, messages: int, channels: int) -> list[int]:
    """How many messages each channel gets: uneven, all of them together `messages`."""
    weights = [rng.uniform(0.3, 2.0) for _ in range(channels)]
    shares = [int(messages * weight / sum(weights)) for weight in weights]
    for at in range(messages - sum(shares)):
        shares[at % channels] += 1
    return shares
