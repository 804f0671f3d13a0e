"""Pages of channels that nobody asked for, which a careless workflow posts all the same."""

import asyncio


def test_stray_pages_are_history_of_channels_that_were_not_asked_for_and_stand_in_the_ledger(bench):
    async def story(stray: int) -> dict[str, int]:
        async with bench(channels=5, messages=300, page_limit=20, stray=stray) as b:
            ids = (await b.connect())["channels"]
            await b.idle()
            await b.trigger(ids[:2])
            await b.idle()
            strays = [page for page in b.pages("messages") if page["channel"] not in ids[:2]]
            assert {page["thread_ts"] for page in strays} <= {""}
            assert {page["run_id"] for page in strays} <= {"run-1"}
            entries = (await b.get("/_sim/ledger"))["entries"]
            listed = [e for e in entries if e["kind"] == "messages" and e["channel"] not in ids[:2]]
            assert sum(len(e["records"]) for e in listed) == sum(len(page["messages"]) for page in strays)
            assert {e["epoch"] for e in listed} <= {1764000000000000}
            return {channel: len([p for p in strays if p["channel"] == channel]) for channel in ids[2:]}

    none, one, everything = (asyncio.run(story(n)) for n in (0, 1, -1))
    assert set(none.values()) == {0}
    assert [bool(pages) for pages in one.values()] == [True, False, False]
    assert all(everything.values())
    assert one.items() - {(channel, 0) for channel in one} <= everything.items(), "the same for the same trigger"
