"""The 34 rows of the clearance table (facts on the law, section c.3), each with its class, its condition and its twin.

Made from that table and not from rules.toml, so that the two check one another. How to read a line: the row, what is
told of it, what is said beside it, and what must become of it (`leaves`, `held` for counsel, or `withheld`, which is
never). All legal bases are adopted, and the evidence names a circumvention, unless a test says otherwise.
"""

import re
from typing import Any, NamedTuple

import msgspec
import pytest
from tests.sharing.clearance.factories import BANDS, DAY, NOW, RULES, TOKEN, ruled

from stillwatch.sharing.clearance.load import standard_rules
from stillwatch.sharing.clearance.model import Fact


class Line(NamedTuple):
    row: int
    field: str
    value: Any
    context: dict[str, Any]
    state: str
    leaves_as: Any = None


def line(row: int, field: str, value: Any, state: str, leaves_as: Any = None, /, **context: Any) -> Line:
    return Line(row, field, value, context, state, leaves_as)


FRAME = "Think step by step before you answer: {question}"
PERSON = {"account": "acc-1", "role": "harvester", "token": TOKEN}
VICTIM = {**PERSON, "role": "victim"}
SOON, LATE = NOW + 5 * DAY, NOW + 60 * DAY
PUBLIC_REGISTER = {"public": True, "source": "register of Exampleland", "dated": "2026-05-04", "licence_allows": True}
YES = True
HOSTING = {"residential": False, "expires_at": SOON, "confidence": 80}
JA3 = "e7d705a3286e19ea42f587b344ee6865"
OBSERVED = {"own_observation": True, "evidence": "E-7"}
CONSIDERED = [{"explanation": "agency", "kept": True}]
TACTIC = "accounts send one frame in turn"

TABLE = [
    # 1  F: tactic descriptions, ATLAS ids. Condition: no product internals (what is public shows none). DOJ/FTC 2014.
    line(1, "tactic.techniques", ["model-extraction", "api-access"], "leaves", ["api-access", "model-extraction"]),
    line(1, "tactic.techniques", ["our secret classifier"], "withheld"),
    line(1, "tactic.description", TACTIC, "leaves", TACTIC, public=True),
    line(1, "tactic.description", TACTIC, "held"),
    line(1, "tactic.description", TACTIC + " {Alice}", "held", public=True),
    # 2  F: templates, slots emptied. Conditions: scrubbed of personal data, two accounts or more, no customer text.
    line(2, "template.text", FRAME, "leaves", "Think step by step before you answer: {}", accounts=2),
    line(2, "template.text", FRAME, "held", accounts=1),
    line(2, "template.text", "Write to Alice: {question}", "held", accounts=900),
    line(2, "template.text", "Write to alice@example.com: {question}", "withheld", accounts=900),
    line(2, "template.bands", BANDS, "leaves", BANDS, accounts=2),
    line(2, "template.bands", BANDS, "held", accounts=1),
    # 3  N for raw text; T as a sketch; a short excerpt only with counsel. GDPR; forwarded users' data.
    line(3, "prompt.text", "how do I tell my boss", "withheld"),
    line(3, "prompt.sketch", BANDS, "leaves", BANDS, accounts=2),
    line(3, "prompt.sketch", BANDS, "withheld", accounts=1),
    line(3, "prompt.excerpt", "think step by step", "held"),
    line(3, "prompt.excerpt", "think step by step " * 20, "withheld"),
    # 4  N: outputs and reasoning. Own property; would itself be distillation material.
    line(4, "output.text", "the answer is four", "withheld"),
    line(4, "output.reasoning", "first I add", "withheld"),
    # 5  F: hosting addresses. Conditions: not residential, expiry within 30 days, confidence. DOJ/FTC 2014.
    line(5, "infrastructure.hosting_ip", "8.8.4.4", "leaves", "8.8.4.4", **HOSTING),
    line(5, "infrastructure.hosting_ip", "8.8.4.4", "held", residential=True, expires_at=SOON, confidence=80),
    line(5, "infrastructure.hosting_ip", "8.8.4.4", "held", residential=False, expires_at=LATE, confidence=80),
    line(5, "infrastructure.hosting_ip", "8.8.4.4", "held", residential=False, expires_at=SOON),
    line(5, "infrastructure.hosting_ip", "100.64.3.2", "withheld", residential=False, expires_at=SOON, confidence=80),
    # 6  T: residential addresses as token or /24, for 7 days at most. GDPR: shared by innocents.
    line(6, "infrastructure.residential_ip", "8.8.4.4", "leaves", TOKEN, token=TOKEN, expires_at=SOON),
    line(6, "infrastructure.residential_ip", "8.8.4.4", "held", token=TOKEN, expires_at=LATE),
    line(6, "infrastructure.residential_ip", "8.8.4.4", "withheld", expires_at=SOON),
    line(6, "infrastructure.residential_prefix", "8.8.4.4", "leaves", "8.8.4.0/24", expires_at=SOON),
    line(6, "infrastructure.residential_prefix", "8.8.4.4", "held", expires_at=LATE),
    # 7  F: AS number, hosting provider, client fingerprint.
    line(7, "infrastructure.asn", 64_512, "leaves", 64_512),
    line(7, "infrastructure.hosting_provider", "Cloudly Hosting", "leaves", "Cloudly Hosting"),
    line(7, "infrastructure.hosting_provider", ["Hostly 24", "Cloudly"], "leaves", ["Cloudly", "Hostly 24"]),
    line(7, "infrastructure.hosting_provider", "jane at acme dot com", "withheld"),
    line(7, "infrastructure.hosting_provider", "block Example Labs now", "held"),
    line(7, "infrastructure.hosting_provider", "Example pays 12 per M", "held"),
    line(7, "infrastructure.hosting_provider", "a name of quite some more words", "held"),
    line(7, "infrastructure.hosting_provider", ["4111 1111", "1111 1111"], "held"),
    line(7, "infrastructure.hosting_provider", "81.2.69.142", "withheld"),
    line(7, "infrastructure.client_fingerprint", JA3, "leaves", JA3),
    line(7, "infrastructure.client_fingerprint", "whatever somebody writes", "withheld"),
    # 8  F if public, else C. Conditions: own observation, evidence link. Defamation, boycott.
    line(8, "infrastructure.reseller_domain", "relay.example", "leaves", "relay.example", public=True, **OBSERVED),
    line(8, "infrastructure.reseller_domain", "relay.example", "held", **OBSERVED),
    line(8, "infrastructure.reseller_domain", "relay.example", "held", public=True, own_observation=True),
    # 9  T: e-mail, phone, handle as tokens only. Personal data; in clear, a list of customers.
    line(9, "identity.email", "alice@example.com", "leaves", TOKEN, **PERSON),
    line(9, "identity.phone", "+15550100199", "leaves", TOKEN, **PERSON),
    line(9, "identity.handle", "alice84", "leaves", TOKEN, **PERSON),
    line(9, "identity.email", "alice@example.com", "withheld", **VICTIM),
    line(9, "identity.email", "alice@example.com", "withheld", account="acc-1", role="harvester"),
    line(9, "identity.disposable_domain", "throwaway.example", "leaves", "throwaway.example", public=True),
    line(9, "identity.disposable_domain", "throwaway.example", "withheld"),
    # 10 T: payment fingerprint as a keyed token, range of the issuer F, card number never. PCI DSS.
    line(10, "identity.payment", "fp_8841", "leaves", TOKEN, **PERSON),
    line(10, "identity.payment", "fp_8841", "withheld", **VICTIM),
    line(10, "identity.payment_bin", "411111", "leaves", "411111"),
    line(10, "identity.payment_bin", "4111111111111111", "withheld"),
    line(10, "identity.card_number", "4111111111111111", "withheld", **PERSON),
    # 11 T / C: device fingerprint as a token; a document of identity with counsel; biometrics never.
    line(11, "identity.device", "d-77", "leaves", TOKEN, **PERSON),
    line(11, "identity.device", "d-77", "withheld", **VICTIM),
    line(11, "identity.kyc_document", "P123", "held", **PERSON),
    line(11, "identity.biometric", "face", "withheld", **PERSON),
    # 12 T: account at the provider by pseudonym.
    line(12, "account.id", "acc-1", "leaves", re.compile(r"acct-[0-9a-f]{24}"), **PERSON),
    line(12, "account.id", "acc-1", "withheld", **VICTIM),
    # 13 N as a list (only a set intersection, which is not the hub's). Looks like a black list.
    line(13, "accounts.suspended", ["acc-1", "acc-2"], "withheld"),
    # 14 T: shape of a cluster in bands on a logarithmic scale.
    line(14, "cluster.accounts", 4_203, "leaves", "1000-9999"),
    line(14, "cluster.templates", 7, "leaves", "1-9"),
    line(14, "cluster.lifetime", 9 * DAY, "leaves", "under-1-month"),
    line(14, "cluster.age", 2 * DAY, "leaves", "under-1-week"),
    line(14, "cluster.synchrony", "high", "leaves", "high"),
    line(14, "cluster.synchrony", "0.93125", "withheld"),
    line(14, "finding.confidence", "high", "leaves", "high"),
    line(14, "finding.confidence", "87 of 100", "withheld"),
    line(14, "finding.alternatives", CONSIDERED, "leaves", CONSIDERED),
    line(14, "finding.alternatives", [{"explanation": "Northwind did it", "kept": True}], "withheld"),
    line(14, "finding.circumvention", ["false-identity"], "leaves", ["false-identity"]),
    line(14, "finding.circumvention", ["they broke our terms"], "withheld"),
    # 15 T: volume in powers of ten, of one cluster; never of a product line or in all. Output and capacity.
    line(15, "volume.exchanges", 16_342, "leaves", "10000-99999", of_one_cluster=True),
    line(15, "volume.tokens", 16_342, "leaves", "10000-99999", of_one_cluster=True),
    line(15, "volume.exchanges", 16_342, "withheld"),
    line(15, "volume.product_line", 16_342, "withheld", of_one_cluster=True),
    line(15, "volume.total", 16_342, "withheld", of_one_cluster=True),
    # 16 N: prices, discounts, cost, lost revenue.
    line(16, "money.price", 40, "withheld"),
    line(16, "money.discount", "20 %", "withheld"),
    line(16, "money.cost", 1, "withheld"),
    line(16, "money.revenue_loss", 2_000_000, "withheld"),
    # 17 N: names of customers and of victims.
    line(17, "customer.name", "Northwind Bakery", "withheld"),
    line(17, "victim.name", "Northwind Bakery", "withheld"),
    # 18 N: terms, contracts, quotas.
    line(18, "terms.contract", "net 30", "withheld"),
    line(18, "terms.quota", 5, "withheld"),
    # 19 T: capability in a closed vocabulary of four.
    line(19, "target.capability", "reasoning", "leaves", "reasoning"),
    line(19, "target.capability", "theorem proving in the next release", "withheld"),
    # 20 T: public models only, a day after the release at the earliest. Roadmap.
    line(20, "target.models", "aster-2", "leaves", "aster-2", public=True, released_at=NOW - 2 * DAY),
    line(20, "target.models", "aster-2", "withheld", public=True, released_at=NOW - 0.9 * DAY),
    line(20, "target.models", "aster-3", "withheld", public=False, released_at=NOW - 2 * DAY),
    line(20, "target.models", "aster-3", "withheld"),
    line(20, "target.release_timing", "same day", "leaves", "same day", public=True, released_at=NOW - 2 * DAY),
    # 21 N: own capabilities, evaluations, unreleased models, roadmap.
    line(21, "own.capability_data", "x", "withheld"),
    line(21, "own.evaluations", "x", "withheld"),
    line(21, "own.unreleased_models", "aster-4", "withheld", public=True),
    line(21, "own.roadmap", "x", "withheld", public=True),
    # 22 C, by default N: own thresholds, weights, rates; open rules and public benchmarks F.
    line(22, "own.thresholds", "score over 12", "held"),
    line(22, "own.weights", "w", "held"),
    line(22, "own.production_rates", "r", "held"),
    line(22, "own.open_rules", "frame sent by many accounts", "leaves", "frame sent by many accounts", public=True),
    line(22, "own.benchmark_rates", "recall 0.9", "withheld"),
    # 23 F / T: seen or not; a count from three contributors on, a day late.
    line(23, "sighting.seen", YES, "leaves", YES),
    line(23, "sighting.count", 41, "leaves", "10-99", contributors=3, observed_at=NOW - 2 * DAY),
    line(23, "sighting.count", 41, "withheld", contributors=2, observed_at=NOW - 2 * DAY),
    line(23, "sighting.count", 41, "withheld", contributors=3, observed_at=NOW - 0.5 * DAY),
    # 24 T in aggregate and late (the withdrawn safety zone as a floor), never ahead. Concert.
    line(24, "enforcement.taken", 41, "leaves", "10-99", contributors=5, largest_part=0.25, observed_at=NOW - 93 * DAY),
    line(24, "enforcement.taken", 41, "withheld", contributors=4, largest_part=0.25, observed_at=NOW - 93 * DAY),
    line(24, "enforcement.taken", 41, "withheld", contributors=5, largest_part=0.26, observed_at=NOW - 93 * DAY),
    line(24, "enforcement.taken", 41, "withheld", contributors=5, largest_part=0.25, observed_at=NOW - 80 * DAY),
    line(24, "enforcement.planned", "block relay.example", "withheld", contributors=9, observed_at=NOW - 93 * DAY),
    # 25 C: attribution to a company, with confidence and alternatives.
    line(25, "attribution.company", "Example Models Ltd", "held", confidence=60, alternatives=["agency"]),
    line(25, "attribution.company", "Example Models Ltd", "withheld", confidence=60),
    line(25, "attribution.company", "Example Models Ltd", "withheld", alternatives=["agency"]),
    # 26 N: attribution to a person.
    line(26, "attribution.person", "Alice Smith", "withheld", confidence=99, alternatives=["agency"]),
    # 27 C: lineage test on a named rival's model, with its method; never raw probes.
    line(27, "lineage.result", "p = 0.001", "held", method="twins"),
    line(27, "lineage.result", "p = 0.001", "withheld"),
    line(27, "lineage.probes", "probe", "withheld", method="twins"),
    # 28 N: keys and positions of marks.
    line(28, "marks.keys", "k", "withheld"),
    line(28, "marks.positions", [1, 2], "withheld"),
    # 29 F with source, date and licence; else C.
    line(29, "ownership.finding", "owned by Example Holding", "leaves", "owned by Example Holding", **PUBLIC_REGISTER),
    line(29, "ownership.finding", "owned by Example Holding", "held", **{**PUBLIC_REGISTER, "licence_allows": False}),
    line(29, "ownership.finding", "owned by Example Holding", "held", **{**PUBLIC_REGISTER, "dated": "last year"}),
    # 30 N; T as a token of a good customer, with that customer's consent.
    line(30, "authorised.customer", "Northwind Bakery", "withheld", consent=True),
    line(30, "authorised.token", "acc-9", "leaves", TOKEN, consent=True, token=TOKEN),
    line(30, "authorised.token", "acc-9", "withheld", token=TOKEN),
    # 31 N: joint blocking, agreed minimum of controls, common refusal.
    line(31, "joint.block", "relay.example", "withheld"),
    line(31, "joint.minimum_controls", "score over 12", "withheld"),
    line(31, "joint.refusal", "Example Models Ltd", "withheld"),
    # 32 C, on a channel of its own: never through the hub.
    line(32, "report.government", "report", "held"),
    # 33 C, then T: scores by category; never content.
    line(33, "safety_gap.scores", {"weapons": 0.9}, "held"),
    line(33, "safety_gap.content", "x", "withheld"),
    # 34 F: scenarios of the range, with proof that they are synthetic.
    line(34, "range.scenario", "two waves of accounts", "leaves", "two waves of accounts", synthetic=True),
    line(34, "range.scenario", "two waves of accounts", "withheld"),
]  # fmt: skip
NEVER_AT_ALL = (4, 13, 16, 17, 18, 21, 26, 28, 31)


def test_the_table_has_all_rows() -> None:
    assert {line.row for line in TABLE} == set(range(1, 35))
    assert [one.number for one in RULES.classes] == list(range(1, 35))
    assert {line.field for line in TABLE} == {field for one in RULES.classes for field in one.fields}


@pytest.mark.parametrize("told", TABLE, ids=lambda told: f"row{told.row}-{told.field}-{told.state}")
def test_row(told: Line) -> None:
    [ruling] = ruled(Fact(field=told.field, value=told.value, context=told.context))
    assert (ruling.number, ruling.state) == (told.row, told.state)
    assert ruling.why
    assert ruling.source
    assert ruling.rules_version == RULES.version
    if isinstance(told.leaves_as, re.Pattern):
        assert told.leaves_as.fullmatch(ruling.value)
    elif told.state == "leaves":
        assert ruling.value == told.leaves_as
    elif told.state == "held":
        assert ruling.decision == "counsel"
    else:
        assert ruling.value is None


@pytest.mark.parametrize("number", NEVER_AT_ALL)
def test_some_rows_let_nothing_go(number: int) -> None:
    one = RULES.numbered(number)
    assert one is not None
    assert one.rule == ()


def test_every_row_says_why_and_whence() -> None:
    for one in RULES.classes:
        assert len(one.reason.split()) > 2, one.number
        assert len(one.source.split()) > 1, one.number
        assert one.title


def test_what_leaves_without_counsel_rests_on_law_in_both_jurisdictions() -> None:
    for one in RULES.classes:
        if any(rule.decision != "counsel" for rule in one.rule):
            assert {base.split("-")[0] for base in one.bases} == {"us", "eu"}, one.number


def test_rows_about_one_incident_need_a_circumvention() -> None:
    for told in TABLE:
        if told.state == "leaves":
            [ruling] = ruled(Fact(field=told.field, value=told.value, context=told.context), circumvention=())
            one = RULES.numbered(told.row)
            assert one is not None
            assert ruling.state == ("held" if one.incident else "leaves"), told
    [ruling] = ruled(Fact(field="cluster.accounts", value=9), circumvention=("they broke our terms",))
    assert ruling.state == "held"


def test_a_field_that_no_rule_names_does_not_leave() -> None:
    [ruling] = ruled(Fact(field="volume.exchanges ", value=3, context={"of_one_cluster": True}))
    assert (ruling.state, ruling.number) == ("withheld", 0)


def test_government_reports_have_a_channel_of_their_own() -> None:
    assert [one.number for one in RULES.classes if one.channel == "government"] == [32]


def test_the_version_names_the_content() -> None:
    assert msgspec.json.encode(standard_rules().digest) == msgspec.json.encode(RULES.digest)
