"""Promises of the code base that a reader would otherwise have to believe: read from the tree itself."""

import ast
import io
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from cli.dev_secrets import DevSecrets
from cli.embedded import server_command
from cli.options import StackOptions
from cli.ports import HOST
from cli.programs import programs
from cli.stand_ins import build
from pipeline.paragon.run_tokens import RunTokens
from pipeline.paragon.token import UserTokens
from pipeline.store.vault import Vault
from settings import Settings

ROOT = Path(__file__).resolve().parents[2]
OURS = ("api", "workers", "pipeline", "cli")
EVERYTHING = (*OURS, "simulator", "common-py")
LONGEST_FILE, LONGEST_FUNCTION = 300, 45


def sources(*folders: str) -> Iterator[tuple[str, str, ast.Module]]:
    """Name, text and tree of every source file, tests aside."""
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py") if "tests" not in path.parts]
    assert paths
    for path in [*paths, ROOT / "settings.py"]:
        text = path.read_text()
        yield str(path.relative_to(ROOT)), text, ast.parse(text)


def calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", ""), node


def long_ones(name: str, text: str, tree: ast.Module) -> Iterator[str]:
    if text.count("\n") > LONGEST_FILE:
        yield f"{name}: {text.count(chr(10))} lines"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            if lines > LONGEST_FUNCTION:
                yield f"{name}: {node.name} has {lines} lines"


def delayed(name: str, tree: ast.Module) -> Iterator[str]:
    """Calls that would have Celery hold a task back: an ETA is run twice after the visibility timeout (facts.md, 3)."""
    for called, node in calls(tree):
        words = {keyword.arg for keyword in node.keywords}
        if words & {"eta", "countdown", "autoretry_for", "retry_backoff"}:
            yield f"{name}:{node.lineno}"
        if called == "retry" and isinstance(node.func, ast.Attribute):
            yield f"{name}:{node.lineno}"


def transactions(name: str, tree: ast.Module) -> Iterator[str]:
    """MULTI in any form: a full store refuses it, and a drain that settles so can never empty it (facts.md, 3)."""
    for called, node in calls(tree):
        said = {keyword.arg: getattr(keyword.value, "value", None) for keyword in node.keywords}
        if called == "pipeline" and said.get("transaction", True) is not False:
            yield f"{name}:{node.lineno}"
        if called in ("multi", "transaction", "watch"):
            yield f"{name}:{node.lineno}"
    for constant in ast.walk(tree):
        if isinstance(constant, ast.Constant) and constant.value in ("MULTI", "EXEC", "WATCH"):
            yield f"{name}:{constant.lineno}"


def test_files_and_functions_are_short() -> None:
    assert [one for found in sources(*OURS) for one in long_ones(*found)] == []


def test_nothing_is_delayed_by_celery() -> None:
    assert [one for name, _, tree in sources(*OURS) for one in delayed(name, tree)] == []


def test_nothing_is_written_in_a_transaction() -> None:
    assert [one for name, _, tree in sources(*OURS) for one in transactions(name, tree)] == []
    for script in (ROOT / "pipeline" / "store" / "lua").glob("*.lua"):
        assert not re.search(r"redis\.call\('(?:MULTI|EXEC)'", script.read_text())


@pytest.mark.parametrize(
    "line",
    [
        "task.apply_async(args=[1], countdown=5)",
        "app.send_task('x', eta=now)",
        "raise self.retry(exc=error)",
        "shared_task(name='x', autoretry_for=(OSError,))",
    ],
)
def test_the_check_for_delays_sees_them(line: str) -> None:
    assert list(delayed("x", ast.parse(line)))


@pytest.mark.parametrize(
    "line",
    ["client.pipeline()", "client.pipeline(transaction=True)", "pipe.multi()", "ask(client, 'MULTI')", "p.watch('k')"],
)
def test_the_check_for_transactions_sees_them(line: str) -> None:
    assert list(transactions("x", ast.parse(line)))


def test_the_check_for_length_sees_it() -> None:
    text = "def f():\n" + "    x = 1\n" * 301
    assert len(list(long_ones("x", text, ast.parse(text)))) == 2


def test_messages_have_one_serializer_and_it_is_not_pickle() -> None:
    for name, text, tree in sources(*OURS):
        imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not imported & {"pickle", "marshal", "shelve", "dill"}, name
        assert "yaml" not in imported, name
        assert not re.search(r"[\"'](?:pickle|application/x-python-serialize)[\"']", text), name


def test_no_server_is_offered_to_the_network_by_default() -> None:
    assert Settings.model_fields["api_bind"].default.startswith("127.0.0.1:")
    assert HOST == "127.0.0.1"
    for durable in (True, False):
        command = server_command(7000, durable=durable)
        assert command[command.index("--bind") + 1] == "127.0.0.1"
    anywhere = [
        name
        for name, _, tree in sources(*EVERYTHING)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in ("0.0.0.0", "::", "[::]")
    ]
    assert set(anywhere) <= {"cli/stand_ins.py"}, "where it is compared with what the user gave"


def test_every_program_of_a_stack_listens_on_loopback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.stand_ins.choose", lambda wanted: dict.fromkeys(wanted, 7000))  # no socket is needed
    secrets = DevSecrets.in_directory(tmp_path)
    world = build({}, secrets, preferred_ports=False)
    assert world.environment["SLUICE_API_BIND"].startswith("127.0.0.1:")
    for program in programs(world, secrets, StackOptions(), tmp_path):
        for flag in ("--host", "--bind", "--address"):
            given = [value.partition("=")[2] for value in program.argv if value.startswith(f"{flag}=")]
            given += [after for one, after in zip(program.argv, program.argv[1:], strict=False) if one == flag]
            assert set(given) <= {"127.0.0.1"}, program.name


def canaries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], list[Any]]:
    """Secrets, and everything that holds them."""
    monkeypatch.setattr("cli.stand_ins.choose", lambda wanted: dict.fromkeys(wanted, 7000))
    secrets = DevSecrets.in_directory(tmp_path)
    world = build({}, secrets, preferred_ports=False)
    passwords = {"SLUICE_STORE_URL": "redis://:canary-1@127.0.0.1/0", "SLUICE_BROKER_URL": "redis://:canary-2@h/0"}
    settings = Settings.load("service", environ={**world.environment, **passwords}, op_env=None)
    kept = [getattr(secrets, name).get_secret_value() for name in vars(secrets) if name != "directory"]
    kept += ["canary-1", "canary-2", str(settings.vault_keys["development"])]
    holders = [
        *(secrets, settings, Vault(settings.vault_keys), RunTokens(settings.run_token_keys)),
        UserTokens(settings.paragon_signing_key),
    ]
    return [
        line for secret in kept for line in secret.splitlines() if len(line) > 7 and "PRIVATE KEY" not in line
    ], holders


def test_nothing_that_holds_a_secret_shows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, holders = canaries(tmp_path, monkeypatch)
    assert len(kept) > 20
    for holder in holders:
        for shown in (repr(holder), str(holder), f"{holder!s:>10}"):
            assert not [secret for secret in kept if secret in shown], type(holder).__name__


def test_a_log_line_with_settings_in_it_shows_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, holders = canaries(tmp_path, monkeypatch)
    written = io.StringIO()
    record = logging.LogRecord("test", logging.INFO, "", 0, "%s %r", (holders, {"them": holders}), None)
    logging.StreamHandler(written).emit(record)
    assert written.getvalue()
    assert not [secret for secret in kept if secret in written.getvalue()]


def test_secrets_are_of_a_type_that_hides_them() -> None:
    for name in ("paragon_signing_key", "mesh_token"):
        assert Settings.model_fields[name].annotation is SecretStr
    for name in ("webhook_secrets", "run_token_keys"):
        assert "SecretStr" in str(Settings.model_fields[name].annotation)
    for name in ("vault_keys", "store_url", "broker_url"):
        assert Settings.model_fields[name].repr is False
