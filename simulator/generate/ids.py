"""Slack-like ids and canaries, drawn from the seed."""

import hashlib
import random

ALPHABET = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"


def slack_id(rng: random.Random, prefix: str) -> str:
    """An id as Slack writes them: a letter for the kind, then ten letters and digits."""
    return prefix + "0" + "".join(rng.choices(ALPHABET, k=9))


def canary(seed: int, team: str, channel: str) -> str:
    """The word that every message of a channel carries, and nothing else does."""
    return "canary-" + hashlib.sha256(f"{seed}/{team}/{channel}".encode()).hexdigest()[:16]
