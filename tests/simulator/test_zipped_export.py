"""A zipped export: served as the folder is, changed as the folder is, refused in a sentence, never held whole."""

import asyncio
import json
import random
import struct
import subprocess
import sys
import zipfile
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import pytest

from simulator.config import DAY, SimulatorConfig
from simulator.export import BadExport, read_export
from simulator.generate.workspace import generate
from simulator.slack.channel import Channel
from simulator.slack.paging import SlackError, stamp
from simulator.slack.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
CONFIG = SimulatorConfig("", "p", channels=5, messages=900, seed=3, anchor=1_760_000_000 // DAY * DAY)


def export(folder: Path, workspace: Workspace, *, counted: bool = True) -> Path:
    """The workspace in Slack's export format."""
    folder.mkdir()
    records = [channel.record for channel in workspace.channels.values()]
    lists = {"channels": [r for r in records if not r["is_private"]], "groups": [r for r in records if r["is_private"]]}
    for name, value in {**lists, "users": workspace.users}.items():
        (folder / f"{name}.json").write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    for channel in workspace.channels.values():
        days = defaultdict(list)
        for us, message in sorted(channel.messages.items()):
            kept = message if counted else {k: v for k, v in message.items() if k not in ("reply_count", "reply_users")}
            days[datetime.fromtimestamp(us // 1_000_000, UTC).date().isoformat()].append(kept)
        (folder / channel.record["name"]).mkdir()
        for day, messages in days.items():
            path = folder / channel.record["name"] / f"{day}.json"
            path.write_text(json.dumps([*messages, messages[0], {"no": "ts"}, "junk"]), encoding="utf-8")
    return folder


def zipped(path: Path, folder: Path, top: str = "", method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for file in sorted(folder.rglob("*"), reverse=True):
            archive.write(file, f"{top}{file.relative_to(folder)}")
    return path


def walked(channel: Channel, limit: int, oldest: str = "", latest: str = "") -> list[list[object]]:
    """Every page of history, and of each thread, as the API would show them."""
    pages: list[list[object]] = []
    start, more = "", True
    while more:
        page = channel.history(oldest, latest, inclusive=True, limit=limit, start=start)
        pages.append([dict(channel.messages[key]) for key in page.keys])
        start, more = stamp(page.next_key or 0), page.next_key is not None
    for parent in sorted(channel.threads()):
        page = channel.replies(stamp(parent), "", "", inclusive=False, limit=limit, start="")
        pages.append([page.next_key, *(dict(channel.messages[key]) for key in page.keys)])
    return pages


def assert_alike(ours: Workspace, theirs: Workspace) -> None:
    assert (ours.team, ours.users, list(ours.channels)) == (theirs.team, theirs.users, list(theirs.channels))
    for one, other in zip(ours.channels.values(), theirs.channels.values(), strict=True):
        assert one.counts() == other.counts()
        assert dict(one.messages) == dict(other.messages)
        assert walked(one, 7) == walked(other, 7)
        middle = [stamp(key) for key in sorted(other.messages)[len(other.messages) // 3 :: len(other.messages) // 3]]
        assert walked(one, 50, *middle[:2]) == walked(other, 50, *middle[:2])


@pytest.fixture(scope="module")
def made() -> Workspace:
    return generate(CONFIG, 0)


@pytest.mark.parametrize("counted", [True, False], ids=["with reply counts", "without"])
@pytest.mark.parametrize("top", ["", "Acme export Nov 2026/"], ids=["no top folder", "a top folder"])
def test_a_zip_is_served_as_its_folder_is(tmp_path, made, top, counted):
    folder = export(tmp_path / "folder", made, counted=counted)
    method = zipfile.ZIP_DEFLATED if top else zipfile.ZIP_STORED
    assert_alike(read_export(zipped(tmp_path / "export.zip", folder, top, method)), read_export(folder))


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_written_edited_and_deleted_shows_as_in_a_folder(tmp_path, made, seed):
    folder = export(tmp_path / "folder", made)
    zip_, plain = read_export(zipped(tmp_path / "export.zip", folder)), read_export(folder)
    rng = random.Random(seed)
    for _ in range(120):
        name = rng.choice(list(plain.channels))
        ours, theirs = zip_.channel(name), plain.channel(name)
        change(random.Random(seed := rng.getrandbits(32)), ours)
        change(random.Random(seed), theirs)
    assert_alike(zip_, plain)


def change(rng: random.Random, channel: Channel) -> None:
    key = rng.choice(sorted(channel.messages))
    match rng.randrange(4):
        case 0:
            channel.take(stamp(key)).update(text="edited", edited={"ts": "1.0"})
        case 1:
            channel.remove(stamp(key))
        case 2:
            channel.add({"ts": stamp(key + rng.randrange(1, 10**12)), "text": "new", "user": "U1"})
        case 3:
            parent = channel.messages[key].get("thread_ts") or stamp(key)
            reply = {"ts": stamp(key + rng.randrange(1, 10**12)), "text": "new reply", "thread_ts": parent}
            channel.add({**reply, "subtype": rng.choice([None, "thread_broadcast"]), "user": "U2"})
            channel.count_replies(int(parent.replace(".", "")))


def test_days_that_overlap_in_time_are_read_as_one(tmp_path):
    lists = {"channels.json": [{"id": "C1", "name": "general"}], "users.json": [{"id": "U1", "team_id": "T1"}]}
    days = {"2026-01-01": (1, 5), "2026-01-02": (3, 9), "2026-01-03": (10, 11), "2026-01-04": (2, 12)}
    messages = {f"general/{day}.json": [{"ts": f"{second}.000000"} for second in ts] for day, ts in days.items()}
    workspace = read_export(write(tmp_path / "x.zip", {**lists, **messages}))
    page = workspace.channel("C1").history("", "", inclusive=True, limit=100, start="")
    assert [key // 1_000_000 for key in page.keys] == [12, 11, 10, 9, 5, 3, 2, 1]


def write(path: Path, files: dict[str, object]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in files.items():
            archive.writestr(name, value if isinstance(value, bytes | str) else json.dumps(value))
    return path


GOOD = {"channels.json": [{"id": "C1", "name": "general"}], "users.json": [{"id": "U1"}]}


def flip(path: Path, find: bytes, at: int, new: bytes) -> Path:
    """Write `new` at an offset from the last place where `find` stands."""
    data = bytearray(path.read_bytes())
    start = data.rindex(find) + at
    data[start : start + len(new)] = new
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"readme.txt": "hello"}, "holds no channels.json"),
        ({"channels.json": [{"id": "C1"}]}, "holds no users.json"),
        ({**GOOD, "channels.json": []}, "its lists are empty"),
        ({**GOOD, "channels.json": "{"}, "cannot be read as JSON"),
        ({**GOOD, "users.json": "{}"}, "holds no list"),
        ({**GOOD, "../evil/2026-01-01.json": []}, "outside of itself"),
        ({**GOOD, "/etc/2026-01-01.json": []}, "outside of itself"),
        ({**GOOD, "general/2026-01-01.json": b" " * 30_000_000}, "as zip bombs do"),
        ({**GOOD, "general/2026-01-01.json": b"0" * (65 * 1024 * 1024)}, "more than 64 MiB"),
    ],
)
def test_a_zip_that_is_no_export_or_not_safe_is_one_sentence(tmp_path, files, sentence):
    path = write(tmp_path / "x.zip", files)
    with pytest.raises(BadExport, match=sentence) as refused:
        read_export(path)
    assert str(refused.value).startswith(str(path))


def test_a_zip_that_lies_is_refused(tmp_path):
    def good(name: str) -> Path:
        return write(tmp_path / name, {**GOOD, "general/2026-01-01.json": [{"ts": "1.0", "text": "x" * 5000}]})

    entry = b"general/2026-01-01.json"
    for path, sentence in (
        (flip(good("a.zip"), entry, -46 + 8, struct.pack("<H", 1)), "is encrypted"),
        (flip(good("b.zip"), entry, -46 + 10, struct.pack("<H", 99)), "method 99"),
        (flip(good("c.zip"), entry, 0, b"g\xffneral"), "no UTF-8"),
        (flip(good("d.zip"), entry, -46 + 20, struct.pack("<L", 10**6)), "lie upon each other"),
        (flip(good("e.zip"), b"PK\x05\x06", 16, struct.pack("<L", 10**6)), "list of files is not where"),
        (flip(good("f.zip"), b"PK\x05\x06", 0, b"XXXX"), "is no zip"),
        (flip(good("g.zip"), b"PK\x01\x02", 0, b"XXXX"), "ends early"),
    ):
        with pytest.raises(BadExport, match=sentence):
            read_export(path)
    cut = tmp_path / "cut.zip"
    cut.write_bytes(good("h.zip").read_bytes()[:-30])
    with pytest.raises(BadExport, match="cut off"):
        read_export(cut)


@pytest.mark.parametrize("size", [100, 10_000], ids=["more than it says", "less than it says"])
def test_a_day_that_unpacks_to_another_size_than_it_says_is_slacks_internal_error(tmp_path, size):
    path = write(tmp_path / "x.zip", {**GOOD, "general/2026-01-01.json": [{"ts": "1.0", "text": "x" * 5000}]})
    flip(path, b"general/2026-01-01.json", -46 + 24, struct.pack("<L", size))
    with pytest.raises(SlackError, match="internal_error"):
        read_export(path).channel("C1").history("", "", inclusive=True, limit=1, start="")


def test_a_large_zip_with_64_bit_numbers_is_read(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in {**GOOD, "general/2026-01-01.json": [{"ts": "1.0"}]}.items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(json.dumps(value).encode())
        archive.comment = b"a comment " * 20
    assert read_export(path).messages() == 1


def test_a_zip_comes_through_the_workflows_and_the_controls(tmp_path, made, bench):
    path = zipped(tmp_path / "export.zip", export(tmp_path / "folder", made), "top/")

    async def story():
        async with bench(workspace=path) as b:
            connected = await b.connect()
            channel = connected["channels"][0]
            place = {"connection": connected["connection"], "channel": channel}
            ts = (await b.http.post("/_sim/messages", json={**place, "text": "brand new"})).json()["ts"]
            first = stamp(sorted(made.channels[channel].messages)[0])
            edited = await b.http.post("/_sim/messages/edit", json={**place, "ts": first, "text": "was edited"})
            last = stamp(sorted(made.channels[channel].messages)[-1])
            deleted = await b.http.post("/_sim/messages/delete", json={**place, "ts": last})
            assert (edited.status_code, deleted.status_code) == (200, 200)
            await b.trigger([channel], latest="9999999999.000000")
            await b.idle()
            seen = {m["ts"]: m for p in b.pages("messages") for m in p["messages"]}
            assert (seen[ts]["text"], seen[first]["text"], last in seen) == ("brand new", "was edited", False)
            shown = (await b.get("/_sim/workspaces"))["workspaces"][0]
            assert shown["messages"] == made.messages()

    asyncio.run(story())


WALK = """
import sys
from pathlib import Path
from simulator.export import read_export
from simulator.slack.paging import stamp
workspace = read_export(Path(sys.argv[1]))
seen = 0
for channel in workspace.channels.values():
    start, more = "", True
    while more:
        page = channel.history("", "", inclusive=True, limit=200, start=start)
        seen += sum(1 for key in page.keys if channel.messages[key]["text"])
        start, more = stamp(page.next_key or 0), page.next_key is not None
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(seen, peak)
"""


def long_export(path: Path, channels: int, days: int) -> Path:
    """Two messages a channel and day, of a kilobyte and a half each."""
    records = [{"id": f"C{number:04d}", "name": f"room-{number}"} for number in range(channels)]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("channels.json", json.dumps(records))
        archive.writestr("users.json", json.dumps([{"id": "U1", "team_id": "T1"}]))
        for day in range(days):
            date = datetime.fromtimestamp(1_600_000_000 + day * DAY, UTC).date().isoformat()
            stamps = [f"{1_600_000_000 // DAY * DAY + day * DAY + second}.000100" for second in (60, 7200)]
            body = json.dumps([{"type": "message", "ts": ts, "user": "U1", "text": "word " * 300} for ts in stamps])
            for record in records:
                archive.writestr(f"{record['name']}/{date}.json", body)
    return path


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells the peak of a process's memory")
def test_memory_does_not_grow_with_the_export(tmp_path):
    peaks = {}
    for days in (30, 300):
        path = long_export(tmp_path / f"{days}.zip", 150, days)
        out = subprocess.run([sys.executable, "-c", WALK, str(path)], cwd=ROOT, capture_output=True, timeout=100)
        seen, peaks[days] = map(int, out.stdout.split())
        assert seen == 150 * days * 2, out.stderr.decode()
        path.unlink()
    # Ten times the days are 40,500 files and 130 MB more. Both fill the cache of days; the rest is table and index.
    assert peaks[300] - peaks[30] < 12 * 1024, peaks
