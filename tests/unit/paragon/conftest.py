from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr

from pipeline.paragon.client import ParagonClient
from pipeline.paragon.token import UserTokens

NOW = 1_700_000_000.0
Handler = Callable[[httpx.Request], httpx.Response]


@pytest.fixture(scope="session")
def signing_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="session")
def pem(signing_key: rsa.RSAPrivateKey) -> str:
    return signing_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture
def client_for(pem: str) -> Iterator[Callable[..., ParagonClient]]:
    """Makes clients whose Paragon is a function."""
    made: list[ParagonClient] = []

    def make(handler: Handler, **options: Any) -> ParagonClient:
        made.append(
            ParagonClient(
                "proj/1",
                api_url="https://api.test/",
                trigger_url="https://zeus.test",
                proxy_url="https://proxy.test",
                tokens=UserTokens(SecretStr(pem)),
                transport=httpx.MockTransport(handler),
                clock=lambda: NOW,
                **options,
            )
        )
        return made[-1]

    yield make
    for client in made:
        client.close()
