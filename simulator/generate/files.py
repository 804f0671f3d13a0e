"""Messages with files: pictures, snippets, canvases, lists, stubs, and what old exports say of them."""

from typing import Any

from simulator.generate.cast import Cast
from simulator.generate.ids import slack_id
from simulator.generate.words import PLAIN

Json = dict[str, Any]


def with_file(cast: Cast, canary: str) -> Json:
    """One file, or a second one that the plan's limit hides; or the old single `file` beside the list."""
    hosted = _hosted(cast, canary, cast.rng.choice(["png", "pdf", "mp4", "email", "text", "gdoc"]))
    message: Json = {"type": "message", "user": cast.user(), "text": f"Here is the plan {canary}", "files": [hosted]}
    kind = cast.rng.randrange(3)
    if kind == 1:
        message["files"].append({"id": slack_id(cast.rng, "F"), "mode": "hidden_by_limit"})
    elif kind == 2:
        message.update(subtype="file_share", file=hosted, upload=True)
    return message


def stubs(cast: Cast, canary: str) -> Json:
    """Files of which nothing is left but an id: over the limit, deleted, or another company's."""
    left = [{"mode": "hidden_by_limit"}, {"mode": "tombstone"}, {"mode": "external", "file_access": "access_denied"},
            {"mode": "file_access", "file_access": "check_file_info"}]  # fmt: skip
    files = [{"id": slack_id(cast.rng, "F"), **stub} for stub in cast.rng.sample(left, 2)]
    return {"type": "message", "user": cast.user(), "text": f"All gone {canary}", "files": files}


def canvas(cast: Cast, canary: str) -> Json:
    """A canvas or a list, whose title is its text."""
    kind = cast.rng.choice(["quip", "list"])
    file = {**_hosted(cast, canary, kind), "mode": kind, "pretty_type": "Canvas", "title": f"Plan of the week {canary}"}
    return {"type": "message", "user": cast.user(), "text": "", "files": [file]}


def commented(cast: Cast, canary: str) -> Json:
    """What messages with files were called before 2018: a comment has its words in `comment` too."""
    user, file = cast.user(), _hosted(cast, canary, "png")
    subtype = cast.rng.choice(["file_comment", "file_mention", "document_mention"])
    words = f"{cast.rng.choice(PLAIN)} {canary}"
    message = {"type": "message", "subtype": subtype, "file": file, "text": f"<@{user}> commented on a file: {words}"}
    if subtype != "file_comment":
        return {**message, "user": user}
    comment = {"id": slack_id(cast.rng, "Fc"), "timestamp": 1_500_000_000, "user": user, "comment": words}
    return {**message, "comment": comment, "is_intro": True}


def _hosted(cast: Cast, canary: str, kind: str) -> Json:
    file_id, name = slack_id(cast.rng, "F"), f"plan-{cast.rng.randrange(1000)}.{kind}"
    mimetype = {"png": "image/png", "pdf": "application/pdf", "mp4": "video/mp4"}.get(kind, "text/plain")
    where: Json = {"channels": [cast.place(canary)], "groups": [], "ims": []} if cast.rng.random() < 0.5 else {}
    return {"id": file_id, "created": 1700000000, "name": name, "title": name, "mimetype": mimetype, "size": 4096,
            "filetype": kind, "user": cast.user(), "mode": "hosted", "is_external": kind == "gdoc",
            "url_private": f"https://files.example.com/{file_id}/{name}", **where}  # fmt: skip
