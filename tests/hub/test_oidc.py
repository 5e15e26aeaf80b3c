import json
import logging
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey
from tests.hub.site import NOW

from stillwatch.errors import UsageError
from stillwatch.hub.oidc import Provider

OLD, NEW = (ECKey.generate_key("P-256", parameters={"kid": name}) for name in ("old", "new"))
CLAIMS: dict[str, Any] = {"iss": "https://id.example", "aud": "hub", "sub": "north@id", "exp": NOW + 10_000}


def publish(file: Path, *keys: ECKey) -> None:
    file.write_text(json.dumps(KeySet(list(keys)).as_dict(private=False)), "utf-8")


def signed(key: ECKey) -> str:
    return jwt.encode({"alg": "ES256", "kid": key.kid}, CLAIMS, key)


def test_keys_that_the_provider_changes_are_taken_at_once(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    publish(file, OLD)
    provider = Provider("https://id.example", "hub", file)
    assert provider.claims(signed(OLD), NOW) == CLAIMS
    assert provider.claims(signed(NEW), NOW) is None
    publish(file, OLD, NEW)
    assert provider.claims(signed(OLD), NOW) == provider.claims(signed(NEW), NOW) == CLAIMS
    publish(file, NEW)
    assert provider.claims(signed(OLD), NOW) is None
    assert provider.claims(signed(NEW), NOW) == CLAIMS


def test_a_file_that_is_lost_or_spoilt_leaves_the_keys_of_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "keys.json"
    publish(file, OLD)
    provider = Provider("https://id.example", "hub", file)
    with caplog.at_level(logging.WARNING):
        file.write_text("{", "utf-8")
        assert provider.claims(signed(OLD), NOW) == CLAIMS
        assert provider.claims(signed(OLD), NOW) == CLAIMS
        file.unlink()
        assert provider.claims(signed(OLD), NOW) == CLAIMS
    assert ["keys of before stay" in one.message for one in caplog.records] == [True, True]
    publish(file, NEW)
    assert provider.claims(signed(OLD), NOW) is None


@pytest.mark.parametrize("content", ["", "[" * 100_000, "{}", '{"keys": 7}', '{"keys": [{"kty": "RSA"}]}', "[]"])
def test_a_file_without_keys(tmp_path: Path, content: str) -> None:
    (tmp_path / "keys.json").write_text(content, "utf-8")
    with pytest.raises(UsageError):
        Provider("i", "a", tmp_path / "keys.json")


def test_a_shared_secret_is_no_public_key(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text(json.dumps(KeySet([OctKey.generate_key(256)]).as_dict(private=True)), "utf-8")
    with pytest.raises(UsageError, match="shared secret"):
        Provider("i", "a", tmp_path / "keys.json")
    with pytest.raises(UsageError):
        Provider("i", "a", tmp_path / "absent.json")
