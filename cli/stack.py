"""All processes of one Sluice: for `./sluice up`, for the demo, and for tests that kill and cut.

with Stack(directory) as stack:      # ports are allotted, secrets made; nothing runs yet
    stack.start()                    # everything; or stack.start(["store", "broker", "api"])
    httpx.get(stack.urls["api"] + "/readyz")
    stack.kill("worker-1")           # a crash: comes back by itself
    stack.stop(["store"])            # an outage: stays down until stack.start(["store"])
"""

from dataclasses import replace
from pathlib import Path

from pydantic import SecretStr

from cli.dev_secrets import DevSecrets
from cli.options import SimulatorOptions, StackOptions
from cli.programs import programs
from cli.stand_ins import build
from cli.supervisor import Supervisor
from simulator.config import default_anchor


class Stack(Supervisor):
    """Everything about one stack: `urls`, `secrets`, `env`, `operator_token`, and the processes by name.

    Names are `store, broker, mesh, simulator, flower, worker-1…, sweep, beat, api` (`worker` stands for all workers);
    of the first four only those that are played here. Raises SettingsError where the given settings are wrong.
    """

    def __init__(self, state_dir: Path, options: StackOptions | None = None) -> None:
        state_dir = state_dir.resolve()
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.options = options or StackOptions()
        self.secrets = DevSecrets.in_directory(state_dir / "secrets")
        self.world = build(self.options.given, self.secrets, preferred_ports=self.options.preferred_ports)
        options = replace(self.options, simulator=_same_history(self.options.simulator, state_dir))
        chosen = programs(self.world, self.secrets, options, state_dir)
        super().__init__(state_dir, chosen, restart_crashed=self.options.restart_crashed)

    @property
    def urls(self) -> dict[str, str]:
        """`api, flower, mesh, simulator, store, broker` → address; the same over restarts of a process."""
        return dict(self.world.urls)

    @property
    def env(self) -> dict[str, str]:
        """The SLUICE_* variables that our own processes are given. Secrets are in it: never to be printed."""
        return dict(self.world.environment)

    @property
    def operator_token(self) -> SecretStr | None:
        """A token of the operator's scope, None where the user's own core tokens rule."""
        return self.world.operator_token


def _same_history(options: SimulatorOptions, state_dir: Path) -> SimulatorOptions:
    """The workspace is made anew at each start: what it is made from must outlive the day that it was first made."""
    kept = state_dir / "simulator-anchor"
    if not kept.exists():
        kept.write_text(str(default_anchor()))
    return replace(options, anchor=int(kept.read_text())) if options.anchor is None else options
