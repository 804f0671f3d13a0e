"""The command line of each process, in the order in which they stop; they start in the opposite order."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cli.dev_secrets import DevSecrets
from cli.embedded import answers_ping, server_command
from cli.options import StackOptions
from cli.ports import HOST
from cli.ready import answers_http, listens
from cli.spawn import ROOT
from cli.stand_ins import PROJECT, World
from settings import PREFIX

# Who stops first, and how many seconds each has before SIGKILL: 13 together, so that all is over within 15.
STOP_ORDER = {
    "api": 2.0,
    "beat": 1.0,
    "sweep": 1.5,
    "worker": 3.5,
    "flower": 1.0,
    "simulator": 1.0,
    "mesh": 1.0,
    "broker": 0.5,
    "store": 1.5,
}
MODULE = (sys.executable, "-m")
CORE_TOKEN = "SIMULATOR_CORE_TOKEN"  # noqa: S105 — a variable's name
EVENT_SECRET = "SIMULATOR_EVENT_SECRET"  # noqa: S105 — a variable's name
# What a task was about and what came of it, before where it ran.
FLOWER_COLUMNS = "--tasks-columns=name,state,args,result,received,runtime,worker,uuid"
CELERY = (*MODULE, "celery", "-A", "workers.app")


@dataclass(frozen=True)
class Program:
    """One process to be: `role` is its place in STOP_ORDER, `ready` None means that running is enough."""

    name: str
    role: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path = ROOT
    ready: Callable[[], bool] | None = None
    needed_first: bool = False  # the others are started only once this one answers

    @property
    def grace(self) -> float:
        """Seconds between SIGTERM and SIGKILL."""
        return STOP_ORDER.get(self.role, 1.0)


def programs(world: World, secrets: DevSecrets, options: StackOptions, state_dir: Path) -> list[Program]:
    """All processes of a stack, in the order in which they start."""
    found = [*_servers(world, state_dir), *_outside(world, secrets, options, state_dir)]
    found += [*_ours(world, state_dir), *_workers(world, options), _flower(world, secrets)]
    order = list(STOP_ORDER)
    return sorted(found, key=lambda program: -order.index(program.role))


def base_environment() -> dict[str, str]:
    """The user's environment without any SLUICE_* variable; modules are found in this checkout, not in `cwd`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith((PREFIX, "_" + PREFIX, "FLOWER_"))}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1"}


def _environment(world: World, *names: str) -> dict[str, str]:
    """What a stranger is told: the variables that it needs and no more."""
    return base_environment() | {name: world.environment[name] for name in names}


def _servers(world: World, state_dir: Path) -> list[Program]:
    found = []
    for name in sorted(world.played & {"store", "broker"}):
        port = world.ports[name]
        argv = tuple(server_command(port, durable=name == "store"))
        ready = lambda port=port: answers_ping(port)  # noqa: E731 — bound now
        found.append(Program(name, name, argv, _environment(world), state_dir / name, ready, needed_first=True))
    return found


def _outside(world: World, secrets: DevSecrets, options: StackOptions, state_dir: Path) -> list[Program]:
    found = []
    if "mesh" in world.played:
        found.append(_web(world, "mesh", _mesh(world, options, state_dir), _environment(world, "SLUICE_MESH_TOKEN")))
    if "simulator" in world.played:
        told = _environment(world, "SLUICE_WEBHOOK_SECRETS") | _core_token(world) | _event_secret(world)
        found.append(_web(world, "simulator", _simulator(world, secrets, options), told))
    return found


def _mesh(world: World, options: StackOptions, state_dir: Path) -> list[str]:
    store = f"sqlite:///{state_dir / 'mesh.sqlite'}"
    argv = [*MODULE, "common_mesh.server", "--host", HOST, "--port", str(world.ports["mesh"]), "--store", store]
    return [*argv, "--token-env", "SLUICE_MESH_TOKEN", *(["--effects"] if options.mesh_effects else [])]


def _simulator(world: World, secrets: DevSecrets, options: StackOptions) -> list[str]:
    argv = [*MODULE, "simulator", "--host", HOST, "--port", str(world.ports["simulator"]), "--project-id", PROJECT]
    argv += ["--public-key", str(secrets.public_key), "--webhooks", world.environment["SLUICE_PUBLIC_URL"]]
    argv += ["--core-api", world.urls["api"], "--core-token-env", CORE_TOKEN]
    argv += ["--event-secret-env", EVENT_SECRET]
    return [*argv, "--webhook-secret-env", "SLUICE_WEBHOOK_SECRETS", *options.simulator.arguments()]


def _core_token(world: World) -> dict[str, str]:
    """For the pages that play the core service; nothing where the user's own core tokens rule."""
    return {CORE_TOKEN: world.core_token.get_secret_value() if world.core_token else ""}


def _event_secret(world: World) -> dict[str, str]:
    """For events that go to the simulator; a core service of the user's own keeps its secret to itself."""
    told = world.environment
    ours = told["SLUICE_EVENTS_URL"].startswith(world.urls["simulator"] + "/")
    return {EVENT_SECRET: told["SLUICE_EVENTS_SECRETS"] if ours else ""}


def _ours(world: World, state_dir: Path) -> list[Program]:
    told = base_environment() | dict(world.environment)
    beat = (*CELERY, "beat", "-l", "WARNING", "-s", str(state_dir / "beat-schedule"))
    return [
        _web(world, "api", [*MODULE, "api"], told),
        Program("sweep", "sweep", (*MODULE, "workers.sweep"), told),
        Program("beat", "beat", beat, told),
    ]


def _web(world: World, name: str, argv: list[str], env: Mapping[str, str]) -> Program:
    return Program(name, name, tuple(argv), env, ready=lambda: answers_http(world.urls[name]))


def _workers(world: World, options: StackOptions) -> list[Program]:
    told = base_environment() | dict(world.environment)
    pool = ("--pool", "prefork", "--concurrency", str(options.concurrency))
    run = (*CELERY, "worker", *pool, "--without-gossip", "--without-mingle", "-l", "WARNING")
    names = [f"worker-{number}" for number in range(1, options.workers + 1)]
    return [Program(name, "worker", (*run, "-n", _node(name)), told, ready=_listening(world, name)) for name in names]


def _node(name: str) -> str:
    return f"{name}@sluice"


def _listening(world: World, name: str) -> Callable[[], bool] | None:
    """None for a broker that is not ours: we do not know how to ask it who listens."""
    return (lambda: listens(world.urls["broker"], _node(name))) if "broker" in world.played else None


def _flower(world: World, secrets: DevSecrets) -> Program:
    # In the environment, not on the command line, which every user of the machine can read.
    told = {"FLOWER_BASIC_AUTH": f"sluice:{secrets.flower_password.get_secret_value()}"}
    argv = [
        *CELERY,
        "flower",
        "--tasks-columns=name,state,args,result,received,runtime,worker,uuid",
        f"--address={HOST}",
        f"--port={world.ports['flower']}",
    ]
    return _web(world, "flower", argv, base_environment() | dict(world.environment) | told)
