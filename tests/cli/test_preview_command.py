"""`./sluice preview`: records on stdout, the account on stderr, and a sentence for whatever is no Slack JSON."""

import json
import sys

import pytest

from cli.__main__ import main
from cli.exits import Exit

MESSAGE = {"type": "message", "channel": "C1", "ts": "1700000000.000100", "user": "U1", "text": "hi <@U1> in <#C2>"}


class Shown:
    """What one call said."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.err = status, err
        self.records = [json.loads(line) for line in out.splitlines()]

    @property
    def report(self) -> dict:
        return json.loads(self.err)


@pytest.fixture
def preview(capfdbinary, tmp_path):
    def call(content: object, *options: str, kind: str = "messages") -> Shown:
        if not isinstance(content, bytes):
            content = json.dumps(content).encode()
        path = tmp_path / "input"
        path.write_bytes(content)
        status = main(["preview", "--kind", kind, *options, str(path)])
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return Shown(status, out.decode(), err.decode().replace(str(path), "FILE"))

    return call


@pytest.mark.parametrize(
    "content",
    [
        [MESSAGE],
        MESSAGE,
        {"ok": True, "messages": [MESSAGE], "has_more": False, "response_metadata": {"next_cursor": ""}},
        {"connection": "a/b", "run_id": "r", "channel": "C1", "thread_ts": "", "messages": [MESSAGE]},
        b"\xef\xbb\xbf" + json.dumps([MESSAGE], indent=1).encode(),
        json.dumps(MESSAGE).encode() + b"\n\n",
        json.dumps(MESSAGE, indent=2).encode() + b"\n",
    ],
    ids=["list", "one message", "response", "callback", "pretty, with a byte order mark", "a line", "pretty object"],
)
def test_every_kind_of_input_gives_the_record_that_the_pipeline_would_deliver(preview, content):
    shown = preview(content, "--allow", "C1")
    assert shown.status == Exit.DONE
    assert [record["id"] for record in shown.records] == ["T0PREVIEW:C1:1700000000.000100"]
    assert shown.records[0]["version"] == "0" * 16 + "1700000000000100"


def test_lines_may_be_records_pages_or_lists_and_one_broken_line_costs_itself_only(preview):
    lines = [MESSAGE, {"channel": "C1", "messages": [MESSAGE, MESSAGE]}, [MESSAGE]]
    content = b"\n".join(json.dumps(line).encode() for line in lines)
    broken = content.replace(b"\n", b'\n{"ts": "1.0", "text": \n', 1) + b'\n{"ts": "1.0", "channel": "C1", nope}'
    assert len(preview(content, "--allow", "C1").records) == 4
    shown = preview(broken, "--allow", "C1")
    assert (len(shown.records), shown.status) == (4, Exit.BAD_INPUT)
    assert "line 2, byte" in shown.err
    assert "line 5, byte" in shown.err
    assert "All other lines were read." in shown.err


def test_nothing_is_allowed_unless_it_is_said_and_a_star_allows_what_is_named(preview):
    content = [MESSAGE, {**MESSAGE, "channel": {"id": "C2"}}, {**MESSAGE, "channel": None}]
    assert preview(content, "--json").report["withheld"] == {"no_list": 2, "unknown_channel": 1}
    some = preview(content, "--json", "--allow", "C1,C9")
    assert (some.report["withheld"], len(some.records)) == ({"not_allowed": 1, "unknown_channel": 1}, 1)
    everything = preview(content, "--json", "--allow", "*")
    assert (everything.report["withheld"], len(everything.records)) == ({"unknown_channel": 1}, 2)


def test_the_option_for_the_channel_goes_over_what_page_and_message_say(preview):
    inner = {**MESSAGE, "channel": "C8", "channel_id": "C9"}
    changed = {"subtype": "message_changed", "ts": "9.0", "message": inner, "previous_message": inner}
    content = {"channel": "C7", "messages": [MESSAGE, changed]}
    shown = preview(content, "--channel", "C5", "--allow", "C5")
    assert [record["channel"] for record in shown.records] == ["C5", "C5"]
    without = preview(content, "--json", "--allow", "C7")
    assert without.report["quarantined"] == {"channel_mismatch": 2}
    assert without.status == Exit.QUARANTINED


def test_a_channel_that_the_page_names_behind_its_messages_is_found_in_a_file(preview):
    shown = preview({"messages": [{**MESSAGE, "channel": None}], "channel": "C1"}, "--allow", "C1")
    assert (len(shown.records), shown.status) == (1, Exit.DONE)


def test_notices_wrappers_deletions_and_the_unmappable_are_counted(preview):
    content = [
        {"ts": "1.0", "subtype": "message_replied"},
        {"ts": "2.0", "subtype": "message_deleted", "deleted_ts": "1.5"},
        {"text": "no ts"},
        "junk",
        {"ts": "3.0", "reactions": [], "count": 10**400},
    ]
    shown = preview(content, "--channel", "C1", "--allow", "*", "--json")
    report = shown.report
    assert report["dropped"] == {"notice": 1}
    assert report["wrappers"] == {"message_deleted": 1}
    assert report["deleted"] == 1
    assert report["quarantined"]["no_ts"] == 1
    assert report["first_quarantined"][0]["record"] == 3
    assert sum(sum(report[kind].values()) for kind in ("written", "dropped", "withheld", "quarantined")) == 5
    assert shown.status == Exit.QUARANTINED


def test_a_notice_that_a_channel_changed_is_counted_and_is_no_dead_letter(preview):
    notice = {"type": "channel_id_changed", "old_channel_id": "C1", "new_channel_id": "C2", "event_ts": "9.0"}
    shown = preview([notice], "--channel", "C1", "--allow", "C1", "--json")
    assert (shown.report["dropped"], shown.report["channel_notices"]) == ({"notice": 1}, {"id_changed": 1})
    assert shown.status == Exit.DONE


def test_direct_messages_are_withheld_unless_they_may_be_allowed(preview, tmp_path):
    known = tmp_path / "known.json"
    known.write_text(json.dumps([{"id": "D1", "is_channel": True}, {"id": "C1", "is_mpim": True}]))
    content = [MESSAGE, {**MESSAGE, "channel": "D1"}]
    by_id = preview(content, "--allow", "*", "--json")
    assert (by_id.report["withheld"], by_id.records[0]["channel"]) == ({"direct_message": 1}, "C1")
    told = preview(content, "--allow", "*", "--json", "--directory", str(known))
    assert (told.report["withheld"], told.records[0]["channel"]) == ({"direct_message": 1}, "D1")
    assert len(preview(content, "--allow", "*", "--direct-messages").records) == 2
    channels = [{"id": "D7", "is_im": True}, {"id": "C7"}]
    assert len(preview(channels, "--allow", "*", kind="channels").records) == 1
    assert len(preview(channels, "--allow", "*", "--direct-messages", kind="channels").records) == 2


def test_names_come_from_the_directory_and_of_channels_only_if_allowed(preview, tmp_path):
    users, channels = tmp_path / "users.json", tmp_path / "channels.json"
    users.write_text(json.dumps({"ok": True, "members": [{"id": "U1", "profile": {"display_name": "Ada"}}]}))
    channels.write_text(json.dumps({"ok": True, "channels": [{"id": "C2", "name": "secret"}]}))
    names = ("--directory", str(users), "--directory", str(channels))
    assert preview([MESSAGE], "--allow", "C1", *names).records[0]["text"] == "hi @Ada in #C2"
    assert preview([MESSAGE], "--allow", "C1,C2", *names).records[0]["text"] == "hi @Ada in #secret"
    assert preview([MESSAGE], "--allow", "*", *names).records[0]["text"] == "hi @Ada in #secret"


def test_users_pass_and_channels_are_held_against_the_list(preview):
    users = preview([{"id": "U1", "name": "ada"}, {"name": "nobody"}], kind="users")
    assert ([record["id"] for record in users.records], users.status) == (["T0PREVIEW:U1"], Exit.QUARANTINED)
    content = [{"id": "C1", "name": "one", "members": ["U1"]}, {"id": "C2", "name": "two"}]
    shown = preview(content, "--allow", "C1", "--team", "T9", kind="channels")
    assert [record["id"] for record in shown.records] == ["T9:C1"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b" \n ", "is empty"),
        (b"[]", "holds no records"),
        (b"hello", "no JSON object and no list"),
        (b"PK\x03\x04rest", "is a zip"),
        (b"\x1f\x8b\x08rest", "zcat"),
        (b"\x7fELF\0\0", "binary"),
        ("[]".encode("utf-16"), "UTF-16"),
        (b'[{"ts": "1.0"} {"ts": "2.0"}]', "byte 15: this is no JSON"),
        (b'[{"ts": "1.0", "text": "\xff"}]', "byte 1: this is no JSON (not_utf8)"),
        (b'{"channels": [{"id": "C1"}]}', "This is a page of channels: say `--kind channels`."),
        (b'{"members": [{"id": "U1"}]}', "This is a page of users: say `--kind users`."),
        (b'[{"id": "U1", "profile": {}}]', "is it of another --kind?"),
        (b'{"messages": [], "messages": []}', "comes twice"),
    ],
)
def test_what_is_no_slack_json_is_a_sentence_and_a_status_of_its_own(preview, content, sentence):
    shown = preview(content, "--allow", "*")
    assert sentence in shown.err
    assert (shown.status, shown.records) == (Exit.BAD_INPUT, [])


def test_what_was_fine_before_the_damage_is_written(preview):
    content = json.dumps({"channel": "C1", "messages": [MESSAGE, MESSAGE, MESSAGE]}).encode()
    cut = content[: content.rindex(b"text")]
    shown = preview(cut, "--allow", "C1")
    assert (len(shown.records), shown.status) == (2, Exit.BAD_INPUT)
    assert f"is damaged at byte {len(cut)}" in shown.err


def test_a_folder_and_a_missing_file_are_sentences(tmp_path, capfd):
    assert main(["preview", "--kind", "messages", str(tmp_path)]) == Exit.BAD_INPUT
    assert "is a folder" in capfd.readouterr().err
    assert main(["preview", "--kind", "messages", str(tmp_path / "no")]) == Exit.BAD_INPUT
    assert "cannot be read" in capfd.readouterr().err


def test_a_record_longer_than_a_callback_is_quarantined_and_the_rest_goes_on(preview):
    long = {**MESSAGE, "text": 'x\\"' * 4_000_000}
    for content in ([long, MESSAGE], json.dumps(long).encode() + b"\n" + json.dumps(MESSAGE).encode()):
        shown = preview(content, "--allow", "C1", "--json")
        assert (shown.report["quarantined"], len(shown.records)) == ({"too_large": 1}, 1)


def test_no_content_is_in_what_is_told(preview):
    secret = "s3cr3t-word"
    content = [{"text": secret}, {"ts": secret}, {"ts": "1.0", "channel": "C9", "text": secret}, {secret: 1}]
    for options in ((), ("--json",)):
        assert secret not in preview(content, "--allow", "C1", *options).err
    assert secret not in preview(f'[{{"ts": "1.0"}}, {secret}'.encode(), "--allow", "C1").err
