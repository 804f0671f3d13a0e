"""Events with every process: they reach the core service that the simulator plays, past a refusal and a kill."""

from pathlib import Path
from typing import Any

from cli.options import SimulatorOptions, StackOptions
from cli.stack import Stack
from cli.walk import Walk, players
from pipeline.events import EVENTS


def test_the_core_service_is_told_each_thing_once(tmp_path: Path) -> None:
    [player] = players(1)
    simulator = SimulatorOptions(channels=3, messages=30)
    with Stack(tmp_path, StackOptions(simulator=simulator)) as stack:
        stack.start([name for name in stack.names if name != "flower"])
        assert stack.operator_token is not None
        operator, mesh = (one.get_secret_value() for one in (stack.operator_token, stack.secrets.mesh_token))
        with Walk(stack.urls, operator, mesh, print, patience=60.0) as walk:

            def told(kind: str) -> list[dict[str, Any]]:
                return [one for one in walk.simulator.get("/_sim/events").json()["events"] if one["type"] == kind]

            walk.simulator.post("/_sim/events/fail", json={"status": 503, "times": 1, "retry_after": 1})
            walk.connect(player)
            walk.register(player)
            walk.await_directory(player)
            walk.until("the credential, after a refusal", lambda: bool(told("connection.credential.valid")))
            allowed = sorted(walk.channels(player))[:2]
            walk.allow(player, allowed)
            walk.until("both channels' past", lambda: len(told("backfill.done")) == 2)
            assert sorted(one["data"]["channel"] for one in told("backfill.done")) == allowed
            stack.kill("worker-1")
            receipt = walk.allow(player, allowed[:1])["receipt"]
            walk.until("the revocation", lambda: bool(told("revocation.done")))
            [revoked] = told("revocation.done")
            assert (revoked["data"]["receipt"], revoked["data"]["channels"]) == (receipt, allowed[1:])
            ping = walk.api.post("/v1/events/test").json()["id"]
            walk.until("a ping", lambda: bool(told("ping")))
            assert [one["id"] for one in told("ping")] == [ping]
            walk.until("nothing waits", lambda: walk.status()["events"]["waiting"] == 0)
            shown = walk.simulator.get("/_sim/events").json()
            assert (shown["failed"], shown["refused"]) == (1, 0)
            for event in shown["events"]:
                EVENTS[event["type"]].model_validate(event["data"])
                assert event["data"].get("connection", player.connection) == player.connection
            counted = walk.status()["counters"]
            sent = sum(number for name, number in counted.items() if name.startswith("outgoing.sent."))
            assert sent == len(shown["events"]) == shown["taken"]
            assert "What Sluice told" in walk.simulator.get("/app/events").text
