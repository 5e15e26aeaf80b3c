import base64
import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from tests.hub.site import NOW, Site

from stillwatch.hub.auth import Authenticator
from stillwatch.hub.http import HubError
from stillwatch.hub.members import add_member, end_tokens, make_token, remove_member
from stillwatch.hub.oidc import Provider

KEY = ECKey.generate_key("P-256", parameters={"kid": "1"})
OTHER = ECKey.generate_key("P-256", parameters={"kid": "1"})
CERTIFICATE = base64.urlsafe_b64encode(b"c" * 32).rstrip(b"=").decode()
CLAIMS: dict[str, Any] = {"iss": "https://id.example", "aud": "hub", "sub": "north@id", "exp": NOW + 10_000}


@pytest.fixture
def provider(tmp_path: Path) -> Provider:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps(KeySet([KEY]).as_dict(private=False)), "utf-8")
    return Provider("https://id.example", "hub", file)


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def signed(claims: dict[str, Any], key: ECKey = KEY, algorithm: str = "ES256") -> str:
    return "Bearer " + jwt.encode({"alg": algorithm, "kid": "1"}, claims, key)


def name_of(authenticator: Authenticator, authorization: str, **headers: str) -> str | None:
    with contextlib.suppress(HubError):
        return authenticator.member_of({"authorization": authorization, **headers}).name
    return None


def test_a_token_is_a_member_as_bearer_and_as_basic(lite: Site) -> None:
    desk, asks = lite.desk("north"), Authenticator(lite.hub.storage)
    for good in (
        f"Bearer {desk.token}",
        f"bearer  {desk.token} ",
        basic("north", desk.token),
        basic(desk.member.member_id, desk.token),
    ):
        assert name_of(asks, good) == "north"


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer x", "Basic", "Basic !!!", "Basic /w==", "Digest x", "Bearer a.b.c"]
)
def test_who_is_nobody(lite: Site, given: str) -> None:
    lite.desk("north")
    with pytest.raises(HubError) as refused:
        Authenticator(lite.hub.storage).member_of({"authorization": given})
    assert refused.value.status == 401
    assert refused.value.headers["www-authenticate"]


def test_a_name_with_the_token_of_another_is_nobody(lite: Site) -> None:
    lite.desk("south")
    assert name_of(Authenticator(lite.hub.storage), basic("south", lite.desk("north").token)) is None


def test_a_token_ends(lite: Site) -> None:
    asks, desk = Authenticator(lite.hub.storage), lite.desk("north")
    with lite.hub.storage.writing() as db:
        short = make_token(db, desk.member, lite.clock.now, valid_s=100)
    assert name_of(asks, f"Bearer {short}") == "north"
    lite.clock.now += 200
    assert name_of(asks, f"Bearer {short}") is None
    with lite.hub.storage.writing() as db:
        end_tokens(db, desk.member, lite.clock.now + 50)
    assert name_of(asks, f"Bearer {desk.token}") == "north"
    lite.clock.now += 60
    assert name_of(asks, f"Bearer {desk.token}") is None


def test_a_member_who_is_removed_is_nobody_at_once(lite: Site) -> None:
    desk, other = lite.desk("north"), lite.desk("south")
    other.share(
        *(
            {"type": "ipv4-addr", "id": f"ipv4-addr--{n}0000000-0000-4000-8000-000000000000", "value": "192.0.2.1"}
            for n in range(3)
        )
    )
    cursor = desk.get("/exchange/collections/shared/objects/", limit=1).json()["next"]
    with lite.hub.storage.writing() as db:
        remove_member(db, desk.member, 0.0)
    assert desk.get("/exchange/collections/shared/objects/", limit=1, next=cursor).status_code == 401


def test_a_token_of_the_provider(lite: Site, provider: Provider) -> None:
    with lite.hub.storage.writing() as db:
        add_member(db, "north", "member", NOW, subject="north@id")
    asks = Authenticator(lite.hub.storage, provider)
    assert name_of(asks, signed(CLAIMS)) == "north"
    assert name_of(asks, signed({**CLAIMS, "aud": ["other", "hub"]})) == "north"
    for wrong in (
        {"iss": "https://evil.example"},
        {"aud": "other"},
        {"aud": None},
        {"exp": NOW - 100},
        {"exp": "later"},
        {"exp": True},
        {"nbf": NOW + 5_000},
        {"sub": "nobody"},
        {"sub": 7},
        {"cnf": {"jkt": "x"}},
        {"cnf": {"x5t#S256": CERTIFICATE}},
    ):
        assert name_of(asks, signed({**CLAIMS, **wrong})) is None, wrong
    assert name_of(asks, signed(CLAIMS, OTHER)) is None
    unsigned = ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in ({"alg": "none"}, CLAIMS)
    )
    assert name_of(asks, f"Bearer {unsigned}.") is None
    assert name_of(asks, f"Bearer {unsigned}.x") is None


def test_a_token_without_an_end_is_none(lite: Site, provider: Provider) -> None:
    endless = {name: value for name, value in CLAIMS.items() if name != "exp"}
    assert name_of(Authenticator(lite.hub.storage, provider), signed(endless)) is None


def test_a_token_that_is_bound_to_a_certificate(lite: Site, provider: Provider) -> None:
    with lite.hub.storage.writing() as db:
        member = add_member(db, "north", "member", NOW, subject="north@id")
        token = make_token(db, member, NOW, certificate=CERTIFICATE)
    bound = signed({**CLAIMS, "cnf": {"x5t#S256": CERTIFICATE}})
    behind = Authenticator(lite.hub.storage, provider, "X-Client-Cert-Sha256")
    for given in (f"Bearer {token}", bound):
        assert name_of(behind, given, **{"x-client-cert-sha256": f" {CERTIFICATE}="}) == "north"
        assert name_of(behind, given, **{"x-client-cert-sha256": CERTIFICATE[:-2] + "xx"}) is None
        assert name_of(behind, given) is None
        assert (
            name_of(Authenticator(lite.hub.storage, provider), given, **{"x-client-cert-sha256": CERTIFICATE}) is None
        )


@pytest.mark.parametrize(
    ("role", "reads", "writes"),
    [("reader", 200, 403), ("contributor", 403, 202), ("member", 200, 202), ("steward", 200, 202)],
)
def test_what_a_role_may_do(lite: Site, role: Any, reads: int, writes: int) -> None:
    desk = lite.desk("one", role)
    assert desk.get("/exchange/collections/shared/objects/").status_code == reads
    assert desk.post([{}]).status_code == writes
