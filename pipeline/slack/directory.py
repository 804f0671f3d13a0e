"""The directory of a team: raw users and channels to internal records. Pure; raises only `Rejected`."""

from pipeline.models import AllowedSlackChannel, User
from pipeline.rules.versions import version
from pipeline.slack.author import SLACKBOT, display_name
from pipeline.slack.census import Census
from pipeline.slack.characters import text_or_none
from pipeline.slack.names import Names
from pipeline.slack.raw import SlackChannel, SlackProfile, SlackUser


def map_user(raw: object, *, team: str, epoch: int, census: Census | None = None) -> User:
    """One member of the team. Raises `Rejected`: not_an_object, no_id, bad_id.

    `display_name` is what Slack shows: the profile's display name, else its real name, else the user's real
    name, else the handle; None for a deleted user who has none of them.
    """
    user = SlackUser.read(raw)
    if census is not None and isinstance(raw, dict):
        census.fields("user", raw)
    profile = SlackProfile.read_part(user.profile)
    return User(
        id=f"{team}:{user.id}",
        version=version(epoch, _updated(user.updated)),
        kind="org",
        team=team,
        user_id=user.id,
        name=user.name,
        real_name=profile.real_name or user.real_name,
        display_name=display_name(profile, user.real_name) or user.name,
        email=profile.email,
        tz=user.tz,
        tz_offset=user.tz_offset,
        is_bot=user.is_bot or user.is_workflow_bot or user.id == SLACKBOT,
        is_guest=user.is_restricted or user.is_ultra_restricted,
        is_deactivated=user.deleted or user.is_forgotten,
    )


def map_channel(
    raw: object,
    *,
    team: str,
    epoch: int,
    allowed_by: str | None = None,
    allowed_at: int | None = None,
    list_version: str | None = None,
    names: Names | None = None,
    census: Census | None = None,
) -> AllowedSlackChannel:
    """One conversation of any kind; `allowed_at` is in microseconds. Raises `Rejected`: as `map_user`.

    Of `names` only who was erased is asked for: a topic stays as Slack has it, without their labels.
    """
    channel = SlackChannel.read(raw)
    if census is not None and isinstance(raw, dict):
        census.fields("channel", raw)
    return AllowedSlackChannel(
        id=f"{team}:{channel.id}",
        version=version(epoch, _updated(channel.updated)),
        team=team,
        channel=channel.id,
        name=channel.name,
        is_private=channel.is_private or channel.is_group,
        is_im=channel.is_im,
        is_mpim=channel.is_mpim,
        is_shared=channel.is_shared or channel.is_ext_shared or channel.is_org_shared,
        is_ext_shared=channel.is_ext_shared,
        is_archived=channel.is_archived,
        topic=_described(channel.topic, names),
        purpose=_described(channel.purpose, names),
        members=_members(channel),
        created_at=None if channel.created is None else channel.created * 1_000_000,
        allowed_by=allowed_by,
        allowed_at=allowed_at,
        list_version=list_version,
    )


def earlier_names(raw: object) -> frozenset[str]:
    """The names that a conversation had before, `previous_names`. Never raises."""
    listed = raw.get("previous_names") if isinstance(raw, dict) else None
    return frozenset(filter(None, map(text_or_none, listed if isinstance(listed, list) else ())))


def _updated(value: object) -> int:
    """`updated` as it is, in whatever unit Slack gave it: it only orders states of one record."""
    return value if type(value) is int else 0


def _described(value: object, names: Names | None) -> str:
    """A topic or purpose: `{value, creator, last_set}`."""
    text = text_or_none(value.get("value") if isinstance(value, dict) else value) or ""
    return names.unlabelled(text) if names else text


def _members(channel: SlackChannel) -> int | None:
    if channel.num_members is None and isinstance(channel.members, list):
        return len(channel.members)
    return channel.num_members
