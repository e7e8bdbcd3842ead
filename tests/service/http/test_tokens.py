"""Tokens of an identity provider that runs on loopback."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from pydantic import ValidationError

from agent.serving import JwtSettings
from agent.settings import Settings
from service.http.callers import Callers
from service.http.problems import Problem
from service.records.database import open_database
from service.records.keys import Keys

ISSUER, AUDIENCE = "https://id.example.com/", "selfhelp"


class Provider:
    """Signs tokens, and publishes its keys at an address."""

    def __init__(self):
        self.private = {
            "rsa": rsa.generate_private_key(public_exponent=65537, key_size=2048),
            "ec": ec.generate_private_key(ec.SECP256R1()),
        }
        self.fetched = 0
        self.up = True

    def jwks(self):
        rsa_key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.private["rsa"].public_key()))
        ec_key = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self.private["ec"].public_key()))
        return {"keys": [{**rsa_key, "kid": "rsa", "use": "sig"}, {**ec_key, "kid": "ec", "use": "sig"}]}

    def public_pem(self):
        public = self.private["rsa"].public_key()
        return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def token(self, kid="rsa", algorithm="RS256", **changes):
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "exp": time.time() + 600} | changes
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(claims, self.private[kid], algorithm, headers={"kid": kid})


@pytest.fixture(scope="module")
def at():
    """A provider, and the address of its keys."""
    provider = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            provider.fetched += 1
            self.send_response(200 if provider.up else 500)
            self.end_headers()
            self.wfile.write(json.dumps(provider.jwks()).encode())

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield provider, f"http://127.0.0.1:{server.server_address[1]}/jwks.json"
        server.shutdown()
        thread.join()


@pytest.fixture
def provider(at):
    provider, _ = at
    provider.fetched, provider.up = 0, True
    return provider


@pytest.fixture
async def callers(at, tmp_path):
    token = JwtSettings(issuer=ISSUER, audience=AUDIENCE, jwks_url=at[1], admin_claim="roles", admin_value="boss")
    settings = Settings(data_dir=tmp_path, service={"jwt": token})
    async with open_database(settings) as database:
        yield Callers(settings.service, Keys(database))


async def caller(callers, token):
    headers = httpx2.Headers({"Authorization": f"Bearer {token}", "Host": "localhost"}).raw
    scope = {"type": "http", "headers": [(name.lower(), value) for name, value in headers]}
    return await callers.of(scope | {"client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8000)})


async def refusal(callers, token):
    with pytest.raises(Problem) as refused:
        await caller(callers, token)
    return refused.value.status_code


async def test_a_valid_token_says_who_calls(callers, provider):
    found = await caller(callers, provider.token())
    assert (found.owner, found.key, found.admin, found.authenticated) == ("ann", None, False, True)
    assert found.per_minute
    boss = await caller(callers, provider.token("ec", "ES256", sub="bea", roles=["boss", "clerk"]))
    assert (boss.owner, boss.admin) == ("bea", True)
    assert not (await caller(callers, provider.token(roles="bosses"))).admin
    assert provider.fetched == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": time.time() - 3600},
        {"exp": None},
        {"aud": "other"},
        {"aud": None},
        {"iss": "https://evil.example/"},
        {"iss": None},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 201},
        {"sub": "local"},
        {"nbf": time.time() + 86400},
    ],
)
async def test_a_token_that_says_the_wrong_thing_is_refused(callers, provider, changes):
    assert await refusal(callers, provider.token(**changes)) == 401


async def test_a_token_that_is_signed_wrongly_is_refused(callers, provider):
    claims = jwt.decode(provider.token(), options={"verify_signature": False})
    head, body, signature = provider.token().split(".")
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = jwt.utils.base64url_encode(b'{"alg":"HS256","kid":"rsa"}').decode()
    import hashlib
    import hmac

    forged = hmac.new(provider.public_pem(), f"{public}.{body}".encode(), hashlib.sha256).digest()
    for token in (
        jwt.encode(claims, None, "none", headers={"kid": "rsa"}),
        f"{public}.{body}.{jwt.utils.base64url_encode(forged).decode()}",
        jwt.encode(claims, stranger, "RS256", headers={"kid": "rsa"}),
        jwt.encode(claims, stranger, "RS512", headers={"kid": "rsa"}),
        jwt.encode(claims, provider.private["rsa"], "RS256"),
        f"{head}.{body}.",
        f"{head}.{body[:-4]}AAAA.{signature}",
        "a.b.c",
        "gibberish",
    ):
        assert await refusal(callers, token) == 401


async def test_unknown_keys_do_not_make_the_provider_be_asked_again_and_again(callers, provider):
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for number in range(20):
        token = jwt.encode({"sub": "eve"}, stranger, "RS256", headers={"kid": f"made-up-{number}"})
        assert await refusal(callers, token) == 401
    assert provider.fetched <= 2


async def test_a_provider_that_is_down_is_said_and_left_in_peace(callers, provider):
    provider.up = False
    for _ in range(5):
        assert await refusal(callers, provider.token()) == 503
    assert provider.fetched == 1


async def test_without_a_token_nobody_is_let_in_on_loopback_either(callers):
    assert await refusal(callers, "") == 401


def test_the_provider_s_keys_are_not_fetched_in_the_clear():
    with pytest.raises(ValidationError, match="https"):
        JwtSettings(issuer=ISSUER, audience=AUDIENCE, jwks_url="http://id.example.com/jwks.json")
