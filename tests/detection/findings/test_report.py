import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from tests.detection.findings import campaigns, factories

from stillwatch.detection.findings.model import Findings
from stillwatch.detection.findings.report import render_report
from stillwatch.detection.findings.run import RunFacts

ACTIVE = {
    "script",
    "iframe",
    "object",
    "embed",
    "img",
    "form",
    "input",
    "base",
    "video",
    "audio",
    "foreignobject",
    "use",
}


class Page(HTMLParser):
    """Collects what a browser would see: elements, attributes, text, and whether all elements are closed in order."""

    VOID = frozenset(("meta", "link", "br", "path", "rect"))

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.html = html
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.attributes if key == name]


def render(findings: Findings, **changes: object) -> Page:
    return Page(render_report(findings, RunFacts.of(factories.run_facts(**changes))))


@pytest.fixture(scope="module")
def full() -> Page:
    return render(factories.findings())


def hostile_run() -> dict[str, object]:
    attack = {factories.HOSTILE: factories.HOSTILE}
    return {"versions": attack, "configuration": attack, "engine": factories.HOSTILE, "counts": {factories.HOSTILE: 1}}


PAGES = {
    "full": lambda: render(factories.findings()),
    "empty": lambda: render(factories.empty_findings()),
    "bare": lambda: Page(render_report(factories.empty_findings(accounts=[], notes=[]), RunFacts())),
    "hostile": lambda: render(factories.hostile_findings(), **hostile_run()),
}


@pytest.mark.parametrize("name", PAGES)
def test_no_page_holds_anything_active_or_from_elsewhere(name: str) -> None:
    page = PAGES[name]()
    assert not ACTIVE & set(page.tags)
    assert not [key for key, _ in page.attributes if key.startswith("on") or key in ("style", "src", "srcset")]
    assert all(href.startswith(("#", "data:image/svg+xml,")) for href in page.values("href"))
    assert "url(" not in page.html
    assert "@import" not in page.html


@pytest.mark.parametrize("name", PAGES)
def test_ids_are_unique_and_references_have_a_target(name: str) -> None:
    page = PAGES[name]()
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    referred = [
        part for name in ("aria-labelledby", "aria-describedby") for v in page.values(name) for part in v.split()
    ]
    anchors = [href[1:] for href in page.values("href") if href.startswith("#")]
    assert set(referred + anchors) <= set(ids)


def test_the_policy_allows_our_stylesheet_and_nothing_else(full: Page) -> None:
    css = re.search(r"<style>(.*?)</style>", full.html, re.DOTALL)
    assert css is not None
    digest = base64.b64encode(hashlib.sha256(css[1].encode()).digest()).decode()
    policy = next(value for value in full.values("content") if value.startswith("default-src"))
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    )


def test_hostile_text_stays_text() -> None:
    page = PAGES["hostile"]()
    assert "<script>window.pwned = 1</script>" in page.text
    assert "{{ 7 * 7 }}" in page.text
    assert "⟨U+202E⟩gnp.exe" in page.text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page.html)


def test_the_page_tells_the_campaigns(full: Page) -> None:
    for words in ("1 harvest found, 24 accounts in all", "cmp-5f1c0a77b2e94d13", "cmp-c21b9d440e6f8a05"):
        assert words in full.text
    for words in (
        "not given",
        "Ruled out",
        "Still possible",
        "A popular prompt from the web",
        "careful grader",
        "not in the log",
    ):
        assert words in full.text
    assert full.tags.count("svg") == 2 * 3 + 2 * 12
    assert full.html.count('role="img"') == full.tags.count("title") - 1 == 6


def test_the_sum_of_evidence_is_the_sum_of_its_rows(full: Page) -> None:
    assert full.text.count("+38.0") == 5  # summary, facts, picture and its description, table


def test_single_accounts_calibration_gaps_and_run_are_told(full: Page) -> None:
    for words in (
        "acct-solo-1",
        "account outlier (+8.1)",
        "0.34% to 3.2%",
        "No: too many false alarms",
        "too few accounts",
    ):
        assert words in " ".join(full.text.split())
    for words in ("reasoning replay", "Calibrated on 30 days", "313,779", "596,204", "memory", "not set", "duckdb"):
        assert words in full.text


def test_nothing_found_reads_as_good_news_with_its_limits() -> None:
    page = PAGES["empty"]()
    assert "No campaign found" in page.text
    assert "No group of accounts acted as one." in page.text
    assert "Some signals could not be assessed" in page.text
    assert "The log holds no prompts" in page.text
    assert "100%" in page.text


def test_a_run_without_traffic_has_a_page() -> None:
    page = PAGES["bare"]()
    assert "There was no traffic to look at." in page.text
    assert "Every signal had the fields that it needs." in page.text


def test_missing_parts_are_said_not_faked() -> None:
    bare = campaigns.harvest(evidence=[], alternatives=[], templates=[], timeline=[], shared_keys=[], models=[])
    page = render(factories.findings(campaigns=[bare]))
    assert "No evidence was recorded." in page.text
    assert "None was recorded. Treat this campaign with caution." in page.text
    assert "Over time" not in page.text


def test_a_template_without_text_is_named_by_its_sketch() -> None:
    blind = [factories.Template(sketch=["aa", "bb"], text=None, exchanges=3, accounts=2)]
    page = render(factories.findings(campaigns=[campaigns.harvest(templates=blind)]))
    assert "only its sketch (2 tokens)" in page.text


def test_many_campaigns_are_listed_and_the_first_told() -> None:
    small = [campaigns.harvest(campaign_id=f"cmp-{i:03d}", timeline=[]) for i in range(150)]
    page = render(factories.findings(campaigns=small, accounts=[]))
    assert page.tags.count("article") == 20
    assert "50 campaigns more in campaigns.json" in page.text
    assert "The first 20 are told in full below." in page.text


def test_the_page_stays_small_however_much_was_found() -> None:
    members = [factories.Member(account_id=f"acct-{i:06d}", role="harvester", share=0.5) for i in range(25_000)]
    names = [member.account_id for member in members]
    keys = [factories.SharedKey(key_kind="device_id", digest=f"{i:04x}", accounts=names[i::50]) for i in range(50)]
    big = [campaigns.harvest(campaign_id=f"cmp-{i:03d}", accounts=members, shared_keys=keys) for i in range(3)]
    scored = [factories.account(name, score_bits=1.0) for name in names]
    page = render(factories.findings(campaigns=big, accounts=scored))
    assert len(page.html) < 300_000
    assert "24,988 accounts more in campaigns.json" in page.text
    assert "24,975 accounts more in accounts.jsonl" in page.text


def test_nested_settings_are_told_by_their_path() -> None:
    page = render(factories.findings(), configuration={"limits": {"rejects": 0.01}, "models": []})
    assert "limits.rejects0.01" in page.text
    assert "modelsnone" in page.text
