"""The members of a generated team: people, guests, the departed, bots, and Slackbot; no two records alike in shape."""

import random
from typing import Any

from simulator.generate.ids import slack_id
from simulator.generate.words import BOTS, PEOPLE

Json = dict[str, Any]


def people(rng: random.Random, team: str, anchor: int) -> list[Json]:
    """The users of a team, sorted by id, as `users.list` shows them."""
    members = [_person(rng, team, index, name, anchor) for index, name in enumerate(PEOPLE)]
    members += [_bot(rng, team, name, anchor) for name in BOTS]
    return sorted([*members, _slackbot(team)], key=lambda user: str(user["id"]))


def _person(rng: random.Random, team: str, index: int, name: str, anchor: int) -> Json:
    user_id = slack_id(rng, "W" if index in (5, 14) else "U")
    handle = f"user{index:02d}"
    user: Json = {
        "id": user_id,
        "team_id": team,
        "name": handle,
        "deleted": False,
        "color": "9f69e7",
        "real_name": name,
        "tz": rng.choice(["Europe/Paris", "Asia/Tokyo", "America/Los_Angeles", "Asia/Kolkata"]),
        "tz_label": "Local time",
        "tz_offset": rng.choice([3600, 32400, -28800, 19800]),
        "profile": _profile(rng, team, index, name, handle),
        "is_admin": index == 0,
        "is_owner": index == 0,
        "is_primary_owner": index == 0,
        "is_restricted": False,
        "is_ultra_restricted": False,
        "is_bot": False,
        "is_app_user": False,
        "updated": anchor - rng.randrange(100_000, 9_000_000),
        "is_email_confirmed": True,
    }
    return _peculiar(user, index)


def _profile(rng: random.Random, team: str, index: int, name: str, handle: str) -> Json:
    profile: Json = {
        "real_name": name,
        "real_name_normalized": name,
        "display_name": "" if index % 3 == 0 else name.split(" ")[0],
        "display_name_normalized": "" if index % 3 == 0 else name.split(" ")[0],
        "title": "",
        "status_text": "",
        "avatar_hash": f"{rng.getrandbits(48):012x}",
        "image_72": f"https://avatars.example.com/{handle}_72.png",
        "team": team,
        "fields": (None, {}, [])[index % 3],
    }
    if index % 4:
        profile["email"] = f"{handle}@{team.lower()}.example.com"
    return profile


def _peculiar(user: Json, index: int) -> Json:
    """What real member lists are irregular in."""
    if index in (3, 11):
        user.update(deleted=True, is_forgotten=index == 11)
        for name in ("real_name", "tz", "tz_label", "tz_offset", "is_admin", "is_owner", "is_primary_owner"):
            user.pop(name)
    elif index == 4:
        user.update(is_restricted=True)
    elif index == 5:
        grid = {"id": user["id"], "enterprise_id": "E0123456789", "enterprise_name": "Example Grid"}
        user["enterprise_user"] = grid | {"is_admin": False, "teams": [user["team_id"], "T0SISTER000"]}
    elif index == 6:
        user.update(is_restricted=True, is_ultra_restricted=True)
    elif index == 7:
        user.pop("updated")
    elif index == 8:
        user.update(is_stranger=True, team_id="T0FOREIGN00")
    elif index == 9:
        user.update(is_invited_user=True, is_email_confirmed=False)
    elif index == 12:
        user.update(deleted=True, is_restricted=True)
    return user


def _bot(rng: random.Random, team: str, name: str, anchor: int) -> Json:
    profile = {"real_name": name, "display_name": "", "bot_id": slack_id(rng, "B"), "api_app_id": slack_id(rng, "A"),
               "always_active": False, "team": team, "fields": None}  # fmt: skip
    return {"id": slack_id(rng, "U"), "team_id": team, "name": name, "deleted": False, "real_name": name,
            "profile": profile, "is_bot": True, "is_app_user": False, "updated": anchor - 5_000_000,
            **({"is_workflow_bot": True} if name == BOTS[1] else {})}  # fmt: skip


def _slackbot(team: str) -> Json:
    profile = {"real_name": "Slackbot", "display_name": "Slackbot", "fields": {}, "team": team, "always_active": True}
    return {"id": "USLACKBOT", "team_id": team, "name": "slackbot", "deleted": False, "real_name": "Slackbot",
            "profile": profile, "is_bot": False, "is_app_user": False, "updated": 0}  # fmt: skip
