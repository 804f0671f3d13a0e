"""The commands of docs/adopt.md as they stand there, from the secrets to the first message, at the stack of `up`."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.options import SimulatorOptions, StackOptions
from cli.stack import Stack
from cli.walk import Player, Walk
from settings import Settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/adopt.md").read_text()
ROB = Player("rob@example.com/acme", 0)


def blocks(heading: str) -> list[str]:
    """The shell blocks below a heading that ask nobody but the servers that are played here."""
    section = PAGE.partition(f"## {heading}")[2].partition("\n## ")[0]
    found = re.findall(r"^```sh\n(.*?)^```", section, re.S | re.M)
    return [block for block in found if "./sluice" not in block]


def shell(text: str, **variables: str) -> str:
    """What the block prints. Addresses and tokens that it would set are ours."""
    kept = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("export "))
    env = {"PATH": os.environ["PATH"]} | variables
    done = subprocess.run(["bash", "-euc", kept], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_secrets_that_it_makes_are_settings_that_a_start_takes() -> None:
    [block] = blocks("2. The settings")
    said = [line.partition("=")[::2] for line in shell(block).splitlines() if line.startswith("SLUICE_")]
    settings = Settings.load("cli", environ=dict(said) | {"SLUICE_STORE_URL": "redis://store"}, op_env=None)
    assert settings.run_token_keys.keys() == settings.vault_keys.keys() == {"first"}
    assert settings.core_tokens.keys() == {"operator"}


@pytest.fixture
def walk(tmp_path: Path) -> Iterator[tuple[Walk, dict[str, str]]]:
    if shutil.which("curl") is None:
        pytest.skip("the page's commands are curl's, and there is none here")
    options = StackOptions(given={}, simulator=SimulatorOptions(channels=3, messages=30))
    with Stack(tmp_path, options) as stack:
        stack.start([name for name in stack.names if name != "flower"])
        assert stack.operator_token is not None
        token, mesh = (one.get_secret_value() for one in (stack.operator_token, stack.secrets.mesh_token))
        variables = {"SLUICE": stack.urls["api"], "TOKEN": token, "SIMULATOR": stack.urls["simulator"]}
        variables |= {"MESH": stack.urls["mesh"], "MESH_TOKEN": mesh}
        with Walk(stack.urls, token, mesh, print) as made:
            yield made, variables


def test_its_commands_lead_to_the_first_message(walk: tuple[Walk, dict[str, str]]) -> None:
    walking, variables = walk
    variables["AT"] = f"{variables['SLUICE']}{ROB.path}"
    where = next(line for line in PAGE.splitlines() if line.startswith("export AT="))
    assert ROB.path in where, "the page registers whom this test looks at"
    register, connect, look = (block for block in blocks("4. Register, then connect") if "curl" in block)
    assert '"generation":1' in shell(register, **variables)
    shell(connect, **variables)
    walking.await_directory(ROB)
    walking.until("the look at sdk/me", lambda: walking.look(ROB)["slack"] is not None)
    assert '"credential_status":"VALID"' in shell(look, **variables)
    [channel, *_] = walking.channels(ROB)
    [allow] = blocks("5. Allow a channel")
    assert f'"added":["{channel}"]' in shell(allow, **variables, CHANNEL=channel)
    walking.until("the first pull", lambda: bool(walking.runs(ROB)))
    walking.await_covered([ROB])
    pulls, count = blocks("6. The first message")
    said = shell(pulls, **variables)
    assert '"state":"covered"' in said
    assert re.search(rf'"{channel}":{{[^}}]*"head":\d', said)
    delivered = re.search(r'"count": ?(\d+)', shell(count, **variables))
    assert delivered is not None
    assert int(delivered[1]) > 0
