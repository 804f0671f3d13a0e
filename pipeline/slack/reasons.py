"""Why a raw Slack object is quarantined: the closed list of the mapping's `Rejected` reasons."""

from enum import StrEnum


class Reason(StrEnum):
    """One constant word each. Only a missing or contradictory identity rejects; everything else is data."""

    NOT_AN_OBJECT = "not_an_object"
    """The item of the page is no JSON object."""
    NO_TS = "no_ts"
    """A message without `ts`, or a wrapper that does not say which message it is about."""
    BAD_TS = "bad_ts"
    """`ts` is not Slack's string of digits, a point and digits (a number has already lost digits)."""
    NO_ID = "no_id"
    """A user or channel without `id`."""
    BAD_ID = "bad_id"
    """`id` is no string of 1 to 64 letters, digits, `_`, `-` or `.`."""
    NO_INNER = "no_inner"
    """`message_changed` without the message."""
    NESTED_WRAPPER = "nested_wrapper"
    """A wrapper inside a wrapper: which state is the newest cannot be told."""
    CHANNEL_MISMATCH = "channel_mismatch"
    """The message names another channel than its envelope: by `channel` or `channel_id`, also inside a wrapper."""
