import asyncio

from tests.simulator.conftest import ROB

ME = "/projects/project-1/sdk/me"


def test_somebody_else_changes_the_metadata_that_sdk_me_shows(bench):
    async def story():
        async with bench(channels=1, messages=2) as b:
            await b.connect()
            for meta, after in (
                ({"plan": "pro", "userid": "x"}, {"plan": "pro", "userid": "x"}),
                ({"userid": None, "seats": 3}, {"plan": "pro", "seats": 3}),
            ):
                said = await b.http.post("/_sim/metadata", json={"connection": ROB, "meta": meta})
                assert (said.status_code, said.json()) == (200, {"meta": after})
                assert (await b.get(ME))["meta"] == after

    asyncio.run(story())


def test_metadata_that_is_no_object_is_refused(bench):
    async def story():
        async with bench(channels=1, messages=2) as b:
            for body in ({"connection": ROB, "meta": []}, {"connection": ROB}, {"meta": {}}):
                assert (await b.http.post("/_sim/metadata", json=body)).status_code == 400

    asyncio.run(story())
