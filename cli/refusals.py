"""What went wrong with Paragon, said to a person: whose no it was, and when to try again."""

import time

from pipeline.errors import Rejected, SluiceError, Unavailable
from pipeline.paragon.errors import AccessRefused, RequestRefused, SlackRefused

_OUTAGES = {
    "paragon_timeout": "Paragon did not answer in time",
    "paragon_deadline": "Paragon's answer did not end in time",
    "paragon_unreachable": "Paragon cannot be reached",
    "paragon_answer": "Paragon's answer is not what it should be",
    "paragon_answer_too_long": "The answer is longer than is taken",
    "paragon_answer_encoded": "The answer is compressed though none was asked for",
    "slack_ratelimited": "Slack's rate limit is reached",
}


def sentence(error: SluiceError, who: str = "Slack", *, writes: bool = False, now: float | None = None) -> str:
    """`who` is the integration that was called; `writes`: whether a write may have been done; `now` in Unix seconds."""
    match error:
        case SlackRefused():
            return f"{who} refused: {error.code or f'status {error.status}'}.{_mend(error)}"
        case AccessRefused(status=0):
            return "Paragon's certificate does not verify: look at SLUICE_PARAGON_…_URL and at what lies between."
        case AccessRefused():
            told = "says that the user is not authenticated" if error.status == 200 else f"refused us ({error.status})"
            return f"Paragon {told}: check project id, signing key and audience (SLUICE_PARAGON_…)."
        case RequestRefused():
            code = f", {error.code}" if error.code and error.code != str(error.status) else ""
            return f"Paragon refused the request ({error.status}{code}): asking again changes nothing."
        case Unavailable():
            what = _OUTAGES.get(error.what, f"Paragon is not available ({error.what})")
            lost = (
                " Whether it was done is not known: look before you send it again." if writes and _open(error) else ""
            )
            return f"{what}.{lost} {_when(error.retry_after, time.time() if now is None else now)}"
        case Rejected():
            return f"This cannot be asked: {error}."
    return str(error)


def _open(error: Unavailable) -> bool:
    """Whether a write may have been done: there was no answer, or one of a server in trouble."""
    return error.what not in ("slack_ratelimited", "paragon_429")


def _when(wait: float | None, now: float) -> str:
    if wait is None:
        return "Try again later."
    return f"Try again in {wait:.0f} s, at {time.strftime('%H:%M:%S', time.localtime(now + wait))}."


def _mend(error: SlackRefused) -> str:
    if error.code in ("invalid_auth", "token_revoked", "token_expired", "account_inactive", "not_authed"):
        return " The user has to connect Slack again."
    return ""
