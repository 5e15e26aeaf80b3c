from typing import Any

import pytest

from stillwatch.records.secrets import hash_secret, redact, without_secrets


@pytest.mark.parametrize(
    "secret", ["Bearer abcdef123456", "sk-abcdefgh1234", "Basic dXNlcjpwYXNzd29yZA==", "AIzaSyA1234567890abcdefghij"]
)
def test_what_looks_like_a_key_goes(secret: str) -> None:
    assert redact(f"before {secret} after") == "before [removed] after"


@pytest.mark.parametrize("text", ["Basic English", "Bearer bonds", "ask-me", "", "a risk-averse reader of long texts"])
def test_words_stay(text: str) -> None:
    assert redact(text) == text


def test_what_stands_under_a_secret_name_goes_at_any_depth() -> None:
    value: dict[str, Any] = {
        "a": [{"Authorization": "x", "b": 1, "none": None}],
        "Cookie": ["s"],
        "c": "Bearer abcdefgh",
    }
    assert without_secrets(value) == {
        "a": [{"Authorization": "[removed]", "b": 1}],
        "Cookie": "[removed]",
        "c": "[removed]",
    }


def test_hash_is_the_one_that_litellm_logs() -> None:
    assert hash_secret("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
