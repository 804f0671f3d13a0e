"""A callback's body held against the contract of docs/workflows.md, in plain words. Pure: nothing is kept or sent.

    sender ▶ media type ▶ envelope ▶ sender again ▶ names ▶ records ▶ what it proves ▶ Verdict

The status is the one that the webhook would answer; a test posts the same bodies to the webhook itself. A verdict
holds names of fields, counts and words of ours, never a value that was sent.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from pipeline.contract_fields import CURSOR_CHAIN, is_a_name, missing, unfilled
from pipeline.contract_pages import Finding, Level, Page, judge
from pipeline.contract_refusals import WANTED, Refusal, Signature, Terms, refusals
from pipeline.envelope import LISTS, Envelope, EnvelopeError, Kind, read_envelope, read_records
from pipeline.payload import read_object
from pipeline.rules.coverage import page_facts
from pipeline.rules.showing import Showing

_ALONE: Final = "directory"


class Verdict(Struct, frozen=True, kw_only=True):
    """What would happen. `unidentified` records would be dead letters; `facts` are what the page proves to
    `pipeline.rules.coverage`, of `channel`.
    """

    kind: Kind
    status: int
    says: str
    findings: list[Finding] = []
    records: int = 0
    unidentified: int = 0
    channel: str = ""
    facts: list[str] = []

    @property
    def proves(self) -> bool:
        """Whether the page would count as proof for its window or its directory."""
        return bool(self.facts)

    @property
    def flawless(self) -> bool:
        """Whether nothing is wrong or in the way."""
        return self.status == 202 and not any(one.level in ("fail", "warn") for one in self.findings)


def guess_kind(body: bytes) -> Kind:
    """The kind by the list that the body has; messages where it has none."""
    try:
        fields = read_object(body)
    except EnvelopeError:
        return "messages"
    return next((kind for kind, name in LISTS.items() if name in fields), "messages")


def check(
    kind: Kind, body: bytes, query: Mapping[str, str], signature: Signature | None = None, terms: Terms | None = None
) -> Verdict:
    """Hold one callback against the contract."""
    signature, terms = signature or Signature(), terms or Terms()
    page, read = Page(kind, body, query), _read(kind, body, query)
    refused = refusals(kind, body, signature, terms, read)
    named = [] if isinstance(read, EnvelopeError) and read.location == "body" else missing(page) + unfilled(page)
    findings = [*named, *(Finding("fail", field, says) for _, field, says in refused)]
    if signature.by == "unseen":
        findings.append(Finding("note", "Authorization", f"{WANTED[kind]} Without it the answer is 401."))
    if refused or isinstance(read, EnvelopeError):
        return Verdict(kind=kind, status=refused[0][0], says=_refused(refused[0]), findings=_sorted(findings))
    return _taken(page, read, signature, findings)


def _taken(page: Page, envelope: Envelope, signature: Signature, findings: list[Finding]) -> Verdict:
    judged = judge(page.kind, [] if envelope.gap else read_records(page.body, page.kind), envelope.channel or "")
    findings = [*findings, *judged.findings]
    reason = _unproved(envelope, signature)
    facts = [] if reason else _facts(envelope, judged.shows)
    if envelope.gap:
        findings.append(Finding("note", "ok", "Slack refused the call: taken, and noted as a gap that is asked again."))
    elif reason:
        findings.append(Finding("warn", "", f"It proves nothing: {reason}."))
    return Verdict(
        kind=page.kind,
        status=202,
        says=_accepted(envelope, len(judged.dead), reason),
        findings=_sorted(findings),
        records=envelope.count,
        unidentified=len(judged.dead),
        channel=envelope.channel or "",
        facts=facts,
    )


def _read(kind: Kind, body: bytes, query: Mapping[str, str]) -> Envelope | EnvelopeError:
    try:
        return read_envelope(kind, body, query)
    except EnvelopeError as error:
        return error


def _refused(first: Refusal) -> str:
    status, _, says = first
    return f"It would get {status}, and nothing of it is taken. {says}"


def _unproved(envelope: Envelope, signature: Signature) -> str:
    """Why the page proves nothing; "" where it does."""
    if envelope.gap:
        return "Slack refused the call, so there is no page"
    if envelope.kind == "messages":
        if signature.by == "secret":
            return "it belongs to no run"
        if envelope.thread_ts is None:
            return 'it does not say whether it is history (`"thread_ts": ""`) or a thread'
        if is_a_name(envelope.channel):
            return "only an id of a channel can be on a list"
    elif envelope.snapshot:
        return ""
    elif not envelope.run_id:
        return "it names neither its execution (`run_id`) nor itself the whole list (`snapshot`)"
    return _unchained(envelope)


def _unchained(envelope: Envelope) -> str:
    if envelope.cursor is None:
        return CURSOR_CHAIN["cursor"]
    if envelope.has_more is None:
        return CURSOR_CHAIN["has_more" if envelope.kind == "messages" else "next_cursor"]
    return CURSOR_CHAIN["next_cursor"] if envelope.has_more and not envelope.next_cursor else ""


def _facts(envelope: Envelope, shows: Showing) -> list[str]:
    if envelope.kind != "messages" and envelope.snapshot:
        return page_facts(_ALONE, "", cursor="", next_cursor="", has_more=False)
    return page_facts(
        envelope.channel or _ALONE,
        envelope.thread_ts or "",
        cursor=envelope.cursor,
        next_cursor=envelope.next_cursor,
        has_more=envelope.has_more,
        shows=shows,
    )


def _accepted(envelope: Envelope, dead: int, reason: str) -> str:
    said = [f"It would get 202 and be kept: {envelope.count} records"]
    said.append(f"{dead} of them become dead letters" if dead else "")
    where = "as far as their channel is allowed" if envelope.kind == "messages" else "into the directory"
    said.append(f"{'the rest' if dead else 'all'} go on, {where}" if envelope.count > dead else "")
    last = "the page counts as proof"
    if reason:
        last = f"it proves nothing, since {reason}, and is asked again"
    return ", ".join(filter(None, said)) + f"; {last}."


def _sorted(findings: list[Finding]) -> list[Finding]:
    """One finding a field and level, the first; the worst first."""
    order: list[Level] = ["fail", "warn", "note"]
    kept: dict[tuple[str, str], Finding] = {}
    for found in sorted(findings, key=lambda one: order.index(one.level)):
        kept.setdefault((found.field, "" if found.field else found.says), found)
    return list(kept.values())


__all__ = ["Finding", "Signature", "Terms", "Verdict", "check", "guess_kind"]
