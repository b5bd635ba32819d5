"""Certificates on both sides: who shows none, or one of strangers, does not come in."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import trustme
from collecting import Collector, collecting, event, landed_ids, token

from loaders.client import Emitter
from loaders.home import Home, init_home

OURS, STRANGERS = trustme.CA(), trustme.CA()
AUTHORITIES = {"ours": OURS, "a stranger's": STRANGERS, "none": None}


def context(trusted: trustme.CA = OURS, shown: trustme.CA | None = None) -> ssl.SSLContext:
    """Of a client who trusts one authority, and shows a certificate of another or none."""
    made = ssl.create_default_context()
    trusted.configure_trust(made)
    if shown:
        shown.issue_cert("client@example.com").configure_cert(made)
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def home(folder: Path) -> Home:
    return init_home(folder / "home")[0]


@pytest.fixture(scope="module")
def bearer(home: Home) -> str:
    return token(home)


@pytest.fixture(scope="module")
def server(folder: Path) -> list[str]:
    """The options of a collector that has a certificate for its address."""
    issued = OURS.issue_cert("127.0.0.1")
    certificate, key = folder / "server.pem", folder / "server.key"
    for blob in issued.cert_chain_pems:
        blob.write_to_path(certificate, append=True)
    issued.private_key_pem.write_to_path(key)
    return ["--ssl-certfile", str(certificate), "--ssl-keyfile", str(key)]


@pytest.fixture(scope="module")
def mutual(home: Home, bearer: str, server: list[str], folder: Path) -> Iterator[Collector]:
    OURS.cert_pem.write_to_path(folder / "ca.pem")
    options = [*server, "--ssl-ca-certs", str(folder / "ca.pem")]
    with collecting(home, *options, tls=context(shown=OURS)) as collector:
        yield collector


def post_with(collector: Collector, tls: ssl.SSLContext, bearer: str) -> int:
    with httpx.Client(verify=tls, timeout=30) as collector.client:
        return collector.post([event("tls")], bearer).status_code


def test_who_may_come_in(mutual: Collector, bearer: str):
    known = mutual.client
    for name, authority in AUTHORITIES.items():
        tls = context(shown=authority)
        if name == "ours":
            assert post_with(mutual, tls, bearer) == 202
            assert post_with(mutual, tls, "no token") == 401  # one is needed all the same
        else:
            with pytest.raises(httpx.TransportError):
                post_with(mutual, tls, bearer)
    with pytest.raises(httpx.TransportError):  # nor is a stranger's server taken for ours
        post_with(mutual, context(STRANGERS, shown=OURS), bearer)
    with pytest.raises(httpx.TransportError):
        httpx.get(mutual.url("/healthz").replace("https", "http"))
    mutual.client = known
    mutual.drained()
    assert landed_ids(mutual.home)["tls"] == 1


def test_without_an_authority_anybody_may_come(tmp_path: Path, server: list[str]):
    """What the test above refuses is refused for its certificate, and for nothing else."""
    home = init_home(tmp_path / "home")[0]
    bearer = token(home)
    with collecting(home, *server, tls=context()) as collector:
        for authority in AUTHORITIES.values():
            assert post_with(collector, context(shown=authority), bearer) == 202


@pytest.mark.parametrize("authority", AUTHORITIES)
def test_the_client_shows_its_certificate(mutual: Collector, bearer: str, authority: str):
    tls = context(shown=AUTHORITIES[authority])
    emitter = Emitter(mutual.url(""), bearer, ssl_context=tls)
    emitter.emit(event(f"shown {authority}"))
    emitter.close(10 if authority == "ours" else 0.5)
    assert emitter.stats()["sent"] == (authority == "ours")
    mutual.drained()
    assert landed_ids(mutual.home)[f"shown {authority}"] == (authority == "ours")


def test_the_client_does_not_take_a_stranger_for_the_collector(mutual: Collector, bearer: str):
    emitter = Emitter(mutual.url(""), bearer, ssl_context=context(STRANGERS, shown=OURS))
    emitter.emit(event("emitted"))
    emitter.close(0.5)
    assert emitter.stats()["sent"] == 0
    with pytest.raises(ValueError, match="https"):
        Emitter("http://127.0.0.1:1", bearer, ssl_context=context())
