"""Whether a channel is still what somebody said yes to. Pure.

A channel that gets another id, or that another company is let into, is not followed: it is paused, and a person
decides. What counts is what was known when it was allowed or last confirmed, its *baseline*: evidence that is not newer
asks nobody twice.

External means that a foreign organisation reads the channel: Slack's `is_ext_shared`. `is_org_shared` is between
workspaces of one company, and with `is_pending_ext_shared` nobody has been let in yet.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final, Literal, NamedTuple, get_args

from pipeline.models import AllowedSlackChannel

Change = Literal["id_changed", "shared_externally"]
PauseReason = Literal["id_changed", "shared_externally", "operator"]
REASONS: Final[tuple[PauseReason, ...]] = get_args(PauseReason)
SAYS: Final[Mapping[PauseReason, str]] = {
    "id_changed": "Slack gave the channel another id: put the new id on the list in place of this one.",
    "shared_externally": "Another company was let into the channel: resume it, or take it off the list.",
    "operator": "An operator paused it, and resumes it.",
}
"""What a pause means, and what ends it."""
Records = Mapping[str, AllowedSlackChannel]
Earlier = Mapping[str, Collection[str]]
"""Channel id → names that it had before, as Slack lists them."""
_NO_NAMES: Final[Earlier] = {}


class Evidence(NamedTuple):
    """What a page tells of a channel. `at`: when it happened, by Slack's clock (microseconds), where the page says."""

    channel: str
    change: Change
    new_id: str | None = None
    at: int | None = None


class Baseline(NamedTuple):
    """Whether a channel was known to be external (None: nothing was known of it), since when (`external_at`), and when
    somebody said yes to the channel (`at`); microseconds.
    """

    external: bool | None = None
    external_at: int = 0
    at: int = 0


class Judgement(NamedTuple):
    """What a batch shows: channels to pause, and baselines that are to say "not external" from now on."""

    pauses: tuple[Evidence, ...] = ()
    settled: tuple[str, ...] = ()


def judge(
    notices: Iterable[Evidence],
    seen: Iterable[AllowedSlackChannel],
    known: Records,
    baselines: Mapping[str, Baseline],
    earlier: Earlier = _NO_NAMES,
) -> Judgement:
    """Hold what a batch shows against the baselines of the allowed channels, which are all that counts.

    `seen` are records of directory pages, in their order; `known` are the directory's earlier ones of allowed channels
    and of `twins`. Of several changes of one kind the first stands.
    """
    pauses: dict[tuple[str, Change], Evidence] = {}
    settled: set[str] = set()
    found = [one for one in notices if one.channel in baselines and _is_news(one, baselines[one.channel])]
    for record in seen:
        found += [
            Evidence(old, "id_changed", record.channel)
            for old in twins(record, known, earlier)
            if old in baselines and record.channel not in known
        ]
        baseline = baselines.get(record.channel)
        if baseline is None:
            continue
        if record.is_ext_shared and not _was_external(baseline, known.get(record.channel)):
            found.append(Evidence(record.channel, "shared_externally"))
        if not record.is_ext_shared and baseline.external is not False:
            settled.add(record.channel)
    for one in found:
        pauses.setdefault((one.channel, one.change), one)
    return Judgement(tuple(pauses.values()), tuple(sorted(settled)))


def twins(record: AllowedSlackChannel, known: Records, earlier: Earlier = _NO_NAMES) -> list[str]:
    """The known channels that this one seems to be under a new id: made in the same second, and of the same name, or of
    one that it had `earlier`.

    Slack names no earlier id in its lists, and a team has no two channels of one name.
    """
    names = {record.name, *earlier.get(record.channel, ())} - {None}
    if record.created_at is None:
        return []
    return [
        other.channel
        for other in known.values()
        if other.created_at == record.created_at and other.name in names and other.channel != record.channel
    ]


def is_direct(channel: str, record: AllowedSlackChannel | None) -> bool:
    """Whether it is a direct message, of two or of several: by the directory's flags, since a prefix is no type test.

    What the directory does not know is taken for one where its id is a direct message's in all of Slack's papers.
    """
    if record is None:
        return channel.startswith("D")
    return record.is_im or record.is_mpim


def _is_news(notice: Evidence, baseline: Baseline) -> bool:
    """Whether a notice tells what was not known yet; one without a time is taken for new."""
    sharing = notice.change == "shared_externally"
    if sharing and baseline.external:
        return False
    return notice.at is None or notice.at > (baseline.external_at if sharing else baseline.at)


def _was_external(baseline: Baseline, earlier: AllowedSlackChannel | None) -> bool:
    """By the baseline; of lists that are older than baselines, and of channels allowed unseen, by the directory."""
    if baseline.external is None:
        return earlier is not None and earlier.is_ext_shared
    return baseline.external
