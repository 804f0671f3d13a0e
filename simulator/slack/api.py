"""Slack's Web API: the few methods that are used, in Slack's own formats.

Errors are HTTP 200 with `{"ok": false, "error": ...}`; lists are paged with cursors.
"""

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulator.answers import answer
from simulator.faults import Faults
from simulator.slack.changes import free_ts, marked, write
from simulator.slack.channel import Channel
from simulator.slack.paging import SlackError, Slice, decode_cursor, encode_cursor, limit_of, micros, stamp
from simulator.slack.rates import READING, RESTRICTED_LIMIT, RateLimits, Regime
from simulator.slack.shortening import Shortening
from simulator.slack.workspace import Workspace, page_by_id, type_of

Json = dict[str, Any]
Args = dict[str, str]
Find = Callable[[str], Workspace | None]

HISTORY_CAP, LIST_CAP, DEFAULT = 999, 1000, 100


class SlackApi:
    """`find` maps a token to its workspace; `page_limit` caps every page, so that small workspaces page too.

    `rates` and `regime` are Slack's limits (`free`: none); `faults` may strike what the workflows ask for.
    """

    def __init__(
        self,
        find: Find,
        page_limit: int,
        *,
        faults: Faults | None = None,
        rates: RateLimits | None = None,
        regime: Regime = "free",
        shortening: Shortening | None = None,
    ) -> None:
        self._find = find
        self._page_limit = page_limit
        self._faults, self._rates, self._standing = faults or Faults(), rates or RateLimits(), regime
        self._short = shortening or Shortening()
        self._methods: dict[str, Callable[[Workspace, Args], Json]] = {
            "auth.test": self._auth_test,
            "conversations.list": self._conversations_list,
            "conversations.info": self._conversations_info,
            "conversations.history": self._conversations_history,
            "conversations.replies": self._conversations_replies,
            "users.list": self._users_list,
            "chat.postMessage": self._chat_post_message,
        }

    def app(self) -> Starlette:
        """The API as an application of its own, mounted at /slack and called in process by the workflows."""
        return Starlette(routes=[Route("/api/{method}", self.endpoint, methods=["GET", "POST"])])

    async def endpoint(self, request: Request) -> Response:
        """One call, its arguments in the query, a form or a JSON body, its token in the header."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        method, args = request.path_params["method"], await arguments(request)
        if (wait := self._refused(method, token, args)) is not None:
            headers = {"Retry-After": f"{wait:.3f}" if wait % 1 else str(int(wait))}  # scaled, as everything is
            return answer({"ok": False, "error": "ratelimited"}, 429, headers)
        return answer(self._said(method, args) or self.call(method, token, args))

    @property
    def regime(self) -> Regime:
        """What holds for every team right now."""
        return "restricted" if self._faults.holds("restricted") else self._standing

    def _refused(self, method: str, token: str, args: Args) -> float | None:
        """The seconds that a call has to wait for, None where it is answered."""
        if (found := self._find(token)) is None:
            return None
        if method in READING and self._faults.strikes("rate_limit", method, *_key(args)):
            # Half of the bursts outlast all of Paragon's retries (190 s).
            self._rates.close(found.team, method, 0.5 if self._faults.draw("burst", method, *_key(args)) < 0.5 else 4.0)
            self._faults.struck("rate_limit")
        wait = self._rates.take(found.team, method, self.regime)
        if wait is not None and self._faults.holds("restricted"):
            self._faults.struck("restricted")
        return wait

    def _said(self, method: str, args: Args) -> Json | None:
        """Slack's refusal of a page of messages, where one strikes."""
        if method not in READING or not self._faults.strikes("ok_false", method, *_key(args)):
            return None
        self._faults.struck("ok_false")
        return {"ok": False, "error": "internal_error"}

    def call(self, method: str, token: str, args: Args) -> Json:
        """The method's answer as Slack's JSON."""
        try:
            return {"ok": True, **self._method(method)(self._workspace(token), args)}
        except SlackError as error:
            return {"ok": False, "error": error.code}

    def _method(self, method: str) -> Callable[[Workspace, Args], Json]:
        if method not in self._methods:
            raise SlackError("unknown_method")
        return self._methods[method]

    def _workspace(self, token: str) -> Workspace:
        if not token:
            raise SlackError("not_authed")
        found = self._find(token)
        if found is None:
            raise SlackError("invalid_auth")
        return found

    def _limit(self, args: Args, cap: int, default: int = DEFAULT) -> int:
        limit = min(limit_of(args.get("limit", ""), default, cap), self._page_limit)
        return self._short.limit(limit, *_key(args))

    def _reading_limit(self, args: Args, cap: int, default: int = DEFAULT) -> int:
        return min(self._limit(args, cap, default), RESTRICTED_LIMIT if self.regime == "restricted" else cap)

    def _auth_test(self, workspace: Workspace, args: Args) -> Json:
        url = f"https://{workspace.team.lower()}.slack.example/"
        return {"url": url, "team": workspace.name, "team_id": workspace.team, "user_id": workspace.installer}

    def _conversations_list(self, workspace: Workspace, args: Args) -> Json:
        types = set((args.get("types") or "public_channel").split(","))
        archived = not _truth(args.get("exclude_archived", ""))
        records = [c.record for c in workspace.channels.values() if type_of(c.record) in types]
        records = [r for r in records if archived or not r.get("is_archived")]
        page, following = self._by_id("team", records, args)
        return {"channels": page, "response_metadata": {"next_cursor": following}}

    def _conversations_info(self, workspace: Workspace, args: Args) -> Json:
        return {"channel": workspace.channel(args.get("channel", "")).record}

    def _users_list(self, workspace: Workspace, args: Args) -> Json:
        page, following = self._by_id("user", workspace.users, args)
        return {"members": page, "cache_ts": 1_700_000_000, "response_metadata": {"next_cursor": following}}

    def _by_id(self, kind: str, records: list[Json], args: Args) -> tuple[list[Json], str]:
        cursor = args.get("cursor", "")
        start = decode_cursor(kind, cursor) if cursor else ""
        page, following = page_by_id(records, start, self._limit(args, LIST_CAP))
        return page, encode_cursor(kind, following) if following else ""

    def _conversations_history(self, workspace: Workspace, args: Args) -> Json:
        channel = workspace.channel(args.get("channel", ""))
        window = _window(args)
        page = channel.history(**window, limit=self._reading_limit(args, HISTORY_CAP))
        # A cursor is where the page begins: one above its newest message is another cursor for the same place.
        if page.keys and window["start"] != stamp(page.keys[0] + 1) and self._short.empties(*_key(args)):
            page = Slice([], page.keys[0] + 1)
        extra = {"pin_count": 0, "channel_actions_ts": None, "channel_actions_count": 0}
        return {**_shown(channel, page), **extra, **self._limited(args)}

    def _conversations_replies(self, workspace: Workspace, args: Args) -> Json:
        channel = workspace.channel(args.get("channel", ""))
        limit = self._reading_limit(args, LIST_CAP, LIST_CAP)
        page = channel.replies(args.get("ts", ""), **_window(args), limit=limit)
        return {**_shown(channel, page), **self._limited(args)}

    def _chat_post_message(self, workspace: Workspace, args: Args) -> Json:
        """In the name of whoever installed the app; the next pull finds it."""
        channel = workspace.channel(args.get("channel", ""))
        if not args.get("text"):
            raise SlackError("no_text")
        thread = {"thread_ts": args["thread_ts"]} if args.get("thread_ts") else {}
        ts = free_ts(channel, time.time_ns() // 1000)
        message = {"type": "message", "user": workspace.installer, "ts": ts, "text": marked(args["text"], channel)}
        write(channel, message | thread)
        return {"channel": args["channel"], "ts": ts, "message": message | thread}

    def _limited(self, args: Args) -> Json:
        """The plan hides what is older, says Slack on some pages."""
        if not self._faults.strikes("limited", *_key(args)):
            return {}
        self._faults.struck("limited")
        return {"is_limited": True}


def _key(args: Args) -> tuple[str, ...]:
    """What tells a page from others: not its bounds, which move with the clock."""
    return tuple(args.get(name, "") for name in ("channel", "ts", "cursor"))


def _window(args: Args) -> dict[str, Any]:
    cursor = args.get("cursor", "")
    start = stamp(int(_digits(decode_cursor("next_ts", cursor)))) if cursor else ""
    inclusive = _truth(args.get("inclusive", ""))
    return {"oldest": args.get("oldest", ""), "latest": args.get("latest", ""), "inclusive": inclusive, "start": start}


def _digits(value: str) -> str:
    micros(value[:-6] or "0", "invalid_cursor")
    if not value.isdigit():
        raise SlackError("invalid_cursor")
    return value


def _shown(channel: Channel, page: Slice) -> Json:
    """Slack leaves `response_metadata` out where nothing follows."""
    body: Json = {"messages": [channel.messages[key] for key in page.keys], "has_more": page.next_key is not None}
    if page.next_key is not None:
        body["response_metadata"] = {"next_cursor": encode_cursor("next_ts", str(page.next_key))}
    return body


def _truth(value: str) -> bool:
    return value.lower() in ("1", "true")


async def arguments(request: Request) -> Args:
    """The arguments of a call: the query, then a JSON or form body over it."""
    args = dict(request.query_params)
    if "json" in request.headers.get("content-type", ""):
        args.update(_flat(await request.body()))
    elif "urlencoded" in request.headers.get("content-type", ""):
        args.update(parse_qsl((await request.body()).decode("utf-8", "replace")))
    return args


def _flat(body: bytes) -> Args:
    try:
        value = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(value, dict):
        return {}
    return {name: str(part).lower() if isinstance(part, bool) else str(part) for name, part in value.items()}
