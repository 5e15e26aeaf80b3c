"""What is asked of the decision service and what it answers (contract: http.md)."""

from typing import Annotated, Literal

import msgspec

from stillwatch.detection.findings.model import ACTIONS, Action

Mode = Literal["shadow", "enforce"]
Stripped = Literal["logprobs", "reasoning"]

LEVEL: dict[str, int] = {action: level for level, action in enumerate(ACTIONS)}
"""Place of each action between `allow` (0) and `block` (5)."""

ORDINARY = "ordinary"
"""Reason of nearly every decision: nothing speaks against the request."""
CAMPAIGN_TEXT, RECEIVED_INDICATOR = "campaign_text", "received_indicator"
"""Reasons of a text alone: a known campaign of our own has its frame, or other providers reported it."""
WITHIN_THROTTLE = "within_throttle"
"""Reason of the one pass in a while that a throttled account is given; it stays throttled."""

REFUSING: frozenset[Action] = frozenset({"throttle", "challenge", "block"})
"""Actions that keep a request from the model; `degrade` lets it pass, made smaller."""

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
Code = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")]
Line = Annotated[str, msgspec.Meta(max_length=1024)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class DecideRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request on its way to the model, as far as the gateway tells of it. What is not told is null, never guessed.

    Attributes:
        account_id: the account; without it the hash of the API key in `key_id` is looked up in the key map.
        max_tokens: output tokens that the client asked for.
        reasoning_handle: opaque reasoning token that the client presents, or a hash of it.
    """

    account_id: Name | None = None
    key_id: Line | None = None
    org_id: Line | None = None
    client_ip: Line | None = None
    user_agent: Annotated[str, msgspec.Meta(max_length=4096)] | None = None
    model: Line | None = None
    operation: Line | None = None
    session_id: Line | None = None
    prompt: str | None = None
    system: str | None = None
    max_tokens: Count | None = None
    reasoning_handle: Annotated[str, msgspec.Meta(max_length=65_536)] | None = None


class Degrade(msgspec.Struct, frozen=True, kw_only=True):
    """How a request is made smaller: upper bounds, and what is taken off. The answer itself stays what it is."""

    max_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    n: Annotated[int, msgspec.Meta(ge=1)] | None = None
    strip: tuple[Stripped, ...] = ()


class Challenge(msgspec.Struct, frozen=True, kw_only=True):
    """What the account has to do, outside of the API, before it may go on."""

    kind: Name = "verification"
    url: str | None = None


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a request.

    Attributes:
        decision_id: UUIDv7 that the client may quote.
        action: what is done, or in mode `shadow` what would be: then the request passes.
        reason_code: why, in one word that gives no evidence away.
        ttl_s: how long a gateway may go on with this answer where the service is lost; 0 = only this request.
        evidence_ref: the campaign behind it, for the provider's own people; never shown to the client.
    """

    decision_id: str
    action: Action
    reason_code: str
    policy_id: str
    policy_version: str
    mode: Mode
    retry_after_s: int | None = None
    degrade: Degrade | None = None
    challenge: Challenge | None = None
    ttl_s: int = 0
    evidence_ref: str | None = None

    @property
    def refuses(self) -> bool:
        """Whether the request must not reach the model."""
        return self.mode == "enforce" and self.action in REFUSING

    @property
    def degrades(self) -> bool:
        """Whether the request must be made smaller before it reaches the model."""
        return self.mode == "enforce" and self.action == "degrade"
