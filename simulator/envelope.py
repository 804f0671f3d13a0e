"""What a workflow wraps around Slack's pages before it posts them: the run, the channel, the link of the chain."""

from typing import Any

from pydantic import SecretStr

from simulator.callbacks import Callback
from simulator.slack.workspace import Workspace

Json = dict[str, Any]


class Run:
    """One trigger: where its pages go and what every one of them carries."""

    def __init__(self, connection: str, workspace: Workspace, trigger: Json) -> None:
        self.connection, self.workspace, self.trigger = connection, workspace, trigger

    @property
    def is_whole(self) -> bool:
        """Whether the trigger says what a workflow cannot do without."""
        return all(self.trigger.get(name) for name in ("run_id", "run_token", "callback_url"))

    def text(self, name: str) -> str:
        """A field of the trigger as Slack's argument."""
        value = self.trigger.get(name)
        return "" if value is None else str(value)

    def bounds(self) -> Json:
        """What history and replies are asked with alike."""
        return {
            "latest": self.text("latest"),
            "inclusive": "true" if self.trigger.get("inclusive") else "false",
            "limit": self.text("limit") or "200",
            "include_all_metadata": "true" if self.trigger.get("include_all_metadata") else "false",
        }

    def callback(self, channel: str, thread: str, cursor: str, page: Json) -> Callback:
        """The page in its envelope."""
        body = {
            "connection": self.connection,
            "run_id": self.trigger.get("run_id"),
            "attempt": self.trigger.get("attempt"),
            "channel": channel,
            "thread_ts": thread,
            "oldest": "0" if thread else self.text("oldest"),
            "latest": self.text("latest"),
            **chain(cursor, page),
            "messages": page.get("messages") or [],
        }
        bearer = SecretStr(self.text("run_token"))
        url = self.text("callback_url")
        return Callback("messages", url, bearer, self.connection, self.workspace.team, body, in_run=True)


def next_cursor(page: Json) -> str:
    """The cursor of the next page, "" at the end."""
    return str((page.get("response_metadata") or {}).get("next_cursor") or "")


def parents(page: Json) -> list[str]:
    """The `ts` of every message in a page that has replies of its own."""
    found = page.get("messages") or []
    return [str(m["ts"]) for m in found if m.get("reply_count") and str(m.get("thread_ts")) == str(m.get("ts"))]


def chain(cursor: str, page: Json) -> Json:
    """The link of a page in its chain; lists have no `has_more` of their own. Slack's refusal is passed on."""
    following = next_cursor(page)
    link: Json = {"cursor": cursor, "next_cursor": following, "has_more": bool(page.get("has_more", bool(following)))}
    if page.get("is_limited"):
        link["is_limited"] = True
    return link if page.get("ok") else {**link, "ok": False, "error": page.get("error")}
