"""What `./sluice doctor --paragon` asks of Paragon, in the name of one connection."""

from collections.abc import Generator, Iterator

from cli.checkup import Line
from cli.refusals import sentence
from cli.trial import Trial, run_trial
from pipeline.errors import SluiceError, Unavailable
from pipeline.paragon.client import ParagonClient
from pipeline.paragon.errors import AccessRefused
from pipeline.paragon.me import Me
from pipeline.store.allowlists import Allowlists
from pipeline.store.client import connect
from pipeline.store.connections import Connections
from pipeline.store.keys import Shards
from pipeline.store.probes import Probes
from pipeline.store.vault import Vault
from settings import Settings


def paragon(
    settings: Settings, client: ParagonClient, connection: str, *, channel: str | None, hours: float, wait: float
) -> Iterator[Line]:
    """Token, `sdk/me`, and a trial run where all before it is well."""
    try:
        me = client.me(connection)
    except SluiceError as error:
        says = "token" if isinstance(error, AccessRefused) else "sdk/me"
        do = "The public half above must be a key of this Paragon project; look at SLUICE_PARAGON_AUDIENCE, too."
        yield Line(says, "fail", sentence(error), do if isinstance(error, AccessRefused) else "Try again later.")
        return
    yield Line("token", "ok", f"Paragon accepts our User Token for {connection}")
    yield from _me(settings, me, connection)
    team = me.slack.team or (yield from _team(client, connection))
    if not me.slack.enabled:
        return
    try:
        yield from _trial(settings, client, connection, team, channel, hours, wait)
    except Unavailable as error:
        yield Line("trial", "fail", f"the store does not answer ({error.what})", "Look at the lines above.")


def _me(settings: Settings, me: Me, connection: str) -> Iterator[Line]:
    if me.user_id not in (None, connection):
        yield Line("sdk/me", "warn", "Paragon calls this user otherwise", "Connections are Paragon's own ids of users.")
    if not me.slack.enabled:
        do = "The user connects Slack in the Connect page first (POST …/token, then paragon.connect)."
        yield Line("sdk/me", "fail", "Slack is not connected for this user", do)
        return
    match me.slack.credential_status:
        case "VALID" | None:
            yield Line("sdk/me", "ok", f"Slack is connected, credential {me.slack.credential_status or 'not told'}")
        case "INVALID":
            yield Line("sdk/me", "fail", "the credential is INVALID", "The user connects Slack again.")
        case other:
            yield Line("sdk/me", "warn", f"the credential is {other}", "Wait, or have the user connect Slack again.")
    if me.slack.workflows and settings.paragon_workflow_messages not in me.slack.workflows:
        do = "Switch it on for this user, or make it default in the Connect portal's settings."
        yield Line("workflow", "warn", "the messages workflow is not among those that are on for this user", do)


def _team(client: ParagonClient, connection: str) -> Generator[Line, None, str | None]:
    """The team by Slack's own word, through the proxy, as the workers find it out."""
    try:
        team = client.proxy(connection, "slack", "auth.test").get("team_id")
    except SluiceError as error:
        yield Line("proxy", "fail", f"auth.test: {sentence(error)}", "Without a team nothing can be delivered.")
        return None
    yield Line("proxy", "ok", f"auth.test names the team {team}")
    return team


def _trial(
    settings: Settings,
    client: ParagonClient,
    connection: str,
    team: str | None,
    channel: str | None,
    hours: float,
    wait: float,
) -> Iterator[Line]:
    if not (settings.store_url and settings.vault_keys and settings.run_token_keys and settings.public_url):
        do = "Set SLUICE_STORE_URL, SLUICE_VAULT_KEYS, SLUICE_RUN_TOKEN_KEYS and SLUICE_PUBLIC_URL."
        yield Line("trial", "warn", "no trial run: it needs our own store, keys and address", do)
        return
    with connect(settings.store_url) as store:
        shards, vault = Shards(settings.shards), Vault(settings.vault_keys)
        known = Connections(store, shards, vault).get(connection)
        if known is None or not known.live:
            do = "PUT /v1/orgs/{org}/connections/{user} before the user connects Slack: its callbacks get 403."
            yield Line("registration", "fail", "the connection is not registered", do)
            return
        allowed = Allowlists(store, shards, vault).own(connection, known.team or team)
        wanted = channel or (allowed[0] if allowed else None)
        if wanted is None or wanted not in allowed:
            do = "Allow one (PUT …/allowlist), or name an allowed one with --channel: no other content is asked for."
            yield Line("trial", "warn", "no trial run: there is no allowed channel to ask for", do)
            return
        yield from run_trial(settings, client, Probes(store), Trial(connection, wanted, hours, wait))
