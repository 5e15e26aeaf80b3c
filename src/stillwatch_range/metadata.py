"""Who an account claims to be and what its requests carry: networks, devices, payment, and the noise in them.

Addresses lie in 240.0.0.0/4 and AS numbers in the private range, so that none belongs to anybody. Campaign
accounts come from the same distributions as ordinary people; only `share_infrastructure` ties some together.
"""

import random
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from stillwatch_range.ids import Identifiers
from stillwatch_range.text import invent_system

_DAY_US = round(timedelta(days=1) / timedelta(microseconds=1))
_COUNTRIES = {
    "US": -5,
    "BR": -3,
    "GB": 0,
    "FR": 1,
    "DE": 1,
    "ZA": 2,
    "KE": 3,
    "IN": 5,
    "SG": 8,
    "JP": 9,
    "AU": 10,
}
_COUNTRY_WEIGHTS = (30, 8, 9, 7, 9, 3, 2, 14, 4, 8, 6)
_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
_BROWSERS = (
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_WEBKIT} Chrome/{{}}.0.0.0 Safari/537.36",
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_WEBKIT} Chrome/{{}}.0.0.0 Safari/537.36",
    f"Mozilla/5.0 (Linux; Android 15) {_WEBKIT} Chrome/{{}}.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:{0}.0) Gecko/20100101 Firefox/{0}.0",
)
_SDKS = (
    "python-httpx/0.{}.1",
    "python-requests/2.{}.0",
    "node-fetch/3.{}.2",
    "okhttp/4.{}.0",
    "Go-http-client/1.{}",
)
_LONE_FIRMS = 0.06
_RESOLD = 0.08
"""Part of the programs whose provider is a cloud or a reseller."""
_RESELLERS = ("cloud-north", "cloud-south", "reseller-one")

Network = Literal["home", "carrier", "campus", "cloud", "tunnel"]
_NETWORKS: tuple[Network, ...] = ("home", "carrier", "campus", "cloud", "tunnel")
_TOOLS = ("lookup_order", "search_notes", "read_file", "run_shell", "book_slot", "query_table", "send_mail", "convert")
_MAIL_DOMAINS = ("mail.example", "post.example", "inbox.example", "letters.example")


@dataclass(slots=True)
class Identity:
    """An account record's fields; see ACCOUNT_SCHEMA. `created_us` is microseconds since the epoch."""

    created_us: int
    org_id: str
    email_domain: str
    email_hash: str
    payment_id: str | None
    phone_hash: str | None
    plan: str
    country: str
    verification: str = "email"
    programme: str | None = None
    parent_org_id: str | None = None


@dataclass(slots=True)
class Client:
    """What an account's requests carry.

    Attributes:
        addresses: (address, AS number), the usual one first.
        devices: device identifiers, the present one first; empty for programs.
        utc_offset: hours that the account's clock is ahead of UTC.
        logs_sessions: whether the client sends a conversation identifier.
        keeps_reasoning: whether it presents the reasoning handle of one turn with the next.
        names_users: whether it tells which of its own users asks.
        tools: names of the tools that it offers with every request.
        system: system prompt that it sends with its owner's own conversations.
        headers: further headers that the provider logs.
        concurrency: requests that it has in flight at once.
    """

    addresses: list[tuple[str, int]]
    devices: list[str]
    utc_offset: int
    channel: str
    operation: str
    user_agent: str
    tls_fingerprint: str
    key_id: str
    logs_sessions: bool
    stream: bool | None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    keeps_reasoning: bool = False
    names_users: bool = False
    tools: tuple[str, ...] = ()
    system: str | None = None
    n: int | None = None
    seed: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    concurrency: int = 1

    @property
    def is_program(self) -> bool:
        """Whether it is anything but a browser."""
        return not self.user_agent.startswith("Mozilla")


@dataclass(slots=True)
class Party:
    """One account's identity and client."""

    identity: Identity
    client: Client


class World:
    """Hands out parties; remembers the addresses that many of them sit behind."""

    def __init__(self, rng: random.Random, ids: Identifiers, opening_us: int, population: int) -> None:
        self._rng = rng
        self._ids = ids
        self._opening_us = opening_us
        self._carriers = self._hubs(max(2, population // 500))
        self._campuses = self._hubs(max(2, population // 350))
        self._clouds = self._hubs(max(4, population // 200))
        self._tunnels = self._hubs(max(4, population // 250))
        self._home_networks = [self._asn() for _ in range(40)]
        self._gateways: dict[str, list[tuple[str, int]]] = {}
        self._secondhand: list[tuple[str, int]] = []

    def person(
        self, firm: float = _LONE_FIRMS, *, network: Network | None = None, program: bool | None = None
    ) -> Party:
        """Return an account of somebody on their own, with chance `firm` in the name of a firm of one.

        Args:
            firm: see above.
            network: what its address belongs to, None = by lot.
            program: whether it asks through a program, None = by lot.
        """
        rng = self._rng
        country = rng.choices(list(_COUNTRIES), _COUNTRY_WEIGHTS)[0]
        kind = network or rng.choices(_NETWORKS, (55, 20, 8, 10, 7))[0]
        if program is None:
            program = kind == "cloud" or rng.random() < 0.35
        address = self._home() if kind == "home" else rng.choice(self._hub(kind))
        domain = f"campus{self._campuses.index(address)}.example" if kind == "campus" else rng.choice(_MAIL_DOMAINS)
        identity = Identity(
            created_us=self._sign_up(),
            org_id=self._ids.take("org_"),
            email_domain=domain,
            email_hash=self._ids.take("", 16),
            payment_id=self._ids.take("pay_") if program or rng.random() < 0.6 else None,
            phone_hash=self._ids.take("", 16) if rng.random() < 0.4 else None,
            plan=rng.choice(("payg", "tier1")) if program else rng.choice(("free", "plus")),
            country=country,
            verification=rng.choice(("email", "phone")),
            programme="education" if kind == "campus" and rng.random() < 0.5 else None,
        )
        if rng.random() < firm:
            _register_firm(identity, self._ids.take("firm", 4), self._ids.take("pay_"))
        client = self._client(address, country, program=program)
        if program and kind in {"home", "cloud"} and rng.random() < _RESOLD:
            self._resell(client, rng.choice(_RESELLERS))
        return Party(identity, client)

    def office(self, accounts: int) -> list[Party]:
        """Return the accounts of one organisation: one mail domain and payment, one office address."""
        head = self.person()
        address, name, payment = self._home(), self._ids.take("firm", 4), self._ids.take("pay_")
        parties = []
        for _ in range(accounts):
            party = self.person()
            party.identity.org_id = head.identity.org_id
            party.identity.country = head.identity.country
            _register_firm(party.identity, name, payment)
            party.client.addresses = [address, *party.client.addresses[: self._rng.randrange(2)]]
            party.client.utc_offset = head.client.utc_offset
            parties.append(party)
        return parties

    def family(self, accounts: int) -> list[Party]:
        """Return accounts of one household: one line, one card, sometimes one device."""
        parties = [self.person() for _ in range(accounts)]
        head = parties[0]
        for party in parties[1:]:
            party.identity.payment_id = head.identity.payment_id
            party.identity.country = head.identity.country
            party.client.utc_offset = head.client.utc_offset
            party.client.addresses = [head.client.addresses[0], *party.client.addresses[1:]]
            if head.client.devices and party.client.devices and self._rng.random() < 0.4:
                party.client.devices = head.client.devices
        return parties

    def agency(self, accounts: int, *, program: bool | None = None) -> list[Party]:
        """Return customers of one agency that pays for them all; nothing else is common to them."""
        payment = self._ids.take("pay_")
        parties = [self.person(program=program) for _ in range(accounts)]
        for party in parties:
            party.identity.payment_id = payment
        return parties

    def company(self, accounts: int, *, one_org: bool = True) -> list[Party]:
        """Return the programmatic accounts of one firm, each with a key of its own.

        Without `one_org` the provider has not been told that they belong together: each stands under an
        organisation of its own, and only card, mail domain and addresses are common.
        """
        parties = self.office(accounts)
        cloud = self._rng.choice(self._clouds)
        for party in parties:
            if not one_org:
                party.identity.org_id = self._ids.take("org_")
            client = self._client(cloud, party.identity.country, program=True)
            client.addresses.append(party.client.addresses[0])
            party.client = client
        return parties

    def share_infrastructure(self, parties: list[Party], share: float) -> None:
        """Give `share` of the parties a card, a proxy or a device that a handful of them have in common."""
        chosen = [party for party in parties if self._rng.random() < share]
        for start in range(0, len(chosen), 6):
            handful = chosen[start : start + 6]
            payment, proxy, device = self._ids.take("pay_"), self._home(), self._ids.take("dev_")
            if self._rng.random() < 0.5:
                self._secondhand.append(proxy)
            for party in handful:
                if self._rng.random() < 0.5:
                    party.identity.payment_id = payment
                if self._rng.random() < 0.6:
                    party.client.addresses.insert(0, proxy)
                if party.client.devices and self._rng.random() < 0.4:
                    party.client.devices.insert(0, device)

    def move_to_channel(self, parties: list[Party], channel: str, share: float) -> None:
        """Let `share` of the parties come through a cloud or a reseller."""
        for party in parties:
            if self._rng.random() < share:
                party.client = self._client(party.client.addresses[0], party.identity.country, program=True)
                self._resell(party.client, channel)

    def colleague(self, owner: Party) -> Client:
        """Return another client that uses the owner's key, from wherever a colleague may be."""
        client = self.person().client
        client.key_id, client.channel = owner.client.key_id, owner.client.channel
        return client

    def thief(self, victim: Party) -> Party:
        """Return somebody else whose program uses the victim's key."""
        party = self.person(program=True)
        party.client.key_id, party.client.channel = victim.client.key_id, victim.client.channel
        return party

    def _resell(self, client: Client, channel: str) -> None:
        """Send a client's requests by way of a reseller, so that the provider sees the reseller's addresses."""
        client.channel = channel
        client.addresses = [self._rng.choice(self._gateways.setdefault(channel, self._hubs(3)))]

    def _client(self, address: tuple[str, int], country: str, *, program: bool) -> Client:
        rng = self._rng
        addresses = [address]
        if rng.random() < 0.4:
            addresses.append(rng.choice(self._carriers))
        if self._secondhand and rng.random() < 0.01:
            addresses.append(rng.choice(self._secondhand))
        agent = rng.choice(_SDKS).format(rng.randrange(20, 33)) if program else self._browser()
        devices = [] if program else [self._ids.take("dev_") for _ in range(rng.choices((1, 2, 3), (6, 3, 1))[0])]
        return Client(
            addresses=addresses,
            devices=devices,
            utc_offset=_COUNTRIES[country],
            channel="api" if program else "app",
            operation="chat",
            user_agent=agent,
            tls_fingerprint=tls_fingerprint(agent),
            key_id=self._ids.take("key_"),
            logs_sessions=not program or rng.random() < 0.4,
            stream=not program or rng.random() < 0.3,
            temperature=rng.choice((None, None, 0.0, 0.2, 0.7, 1.0)) if program else None,
            top_p=rng.choice((None, None, None, 0.9, 0.95)) if program else None,
            max_tokens=rng.choice((None, 512, 1024, 2048, 4096)) if program else None,
            keeps_reasoning=program and rng.random() < 0.25,
            tools=tuple(sorted(rng.sample(_TOOLS, rng.randrange(1, 5)))) if program and rng.random() < 0.15 else (),
            system=invent_system(rng) if program and rng.random() < 0.25 else None,
        )

    def _hub(self, kind: str) -> list[tuple[str, int]]:
        return {
            "carrier": self._carriers,
            "campus": self._campuses,
            "cloud": self._clouds,
            "tunnel": self._tunnels,
        }[kind]

    def _hubs(self, count: int) -> list[tuple[str, int]]:
        return [(self._address(), self._asn()) for _ in range(count)]

    def _home(self) -> tuple[str, int]:
        return self._address(), self._rng.choice(self._home_networks)

    def _address(self) -> str:
        rng = self._rng
        return f"{rng.randrange(240, 255)}.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"

    def _asn(self) -> int:
        return self._rng.randrange(64512, 65535)

    def _browser(self) -> str:
        return self._rng.choice(_BROWSERS).format(self._rng.randrange(128, 142))

    def _sign_up(self) -> int:
        mean_days = 20 if self._rng.random() < 0.35 else 300
        return self._opening_us - round(self._rng.expovariate(1 / mean_days) * _DAY_US)


def _register_firm(identity: Identity, name: str, payment: str) -> None:
    identity.email_domain = f"{name}.example"
    identity.payment_id = payment
    identity.plan = "team"
    identity.programme = None


def tls_fingerprint(user_agent: str) -> str:
    """Return a TLS fingerprint of JA4's shape; clients of one make and version share it."""
    seeded = random.Random(user_agent)
    ciphers, extensions = seeded.randrange(12, 19), seeded.randrange(8, 18)
    return f"t13d{ciphers}{extensions:02d}h2_{seeded.getrandbits(48):012x}_{seeded.getrandbits(48):012x}"
