"""The report in a real browser: accessible, silent on the network, harmless on hostile input, whole on paper."""

import itertools
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from tests.detection.findings import factories

from stillwatch.detection.findings.report import render_report
from stillwatch.detection.findings.run import RunFacts

pytestmark = pytest.mark.browser

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
A4_TEXT_WIDTH_PX = round((210 - 2 * 14) / 25.4 * 96)  # paper less the margins of report.css
HOSTILE_FACTS = {"versions": {factories.HOSTILE: factories.HOSTILE}, "configuration": {"x": factories.HOSTILE}}
REPORTS = {
    "full": render_report(factories.findings(), RunFacts.of(factories.run_facts())),
    "empty": render_report(factories.empty_findings(), RunFacts.of(factories.run_facts())),
    "hostile": render_report(factories.hostile_findings(), RunFacts.of(factories.run_facts(**HOSTILE_FACTS))),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("NO CHROMIUM: the report was not looked at in a browser; install chromium to run these tests")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name, html in REPORTS.items():
        (tmp_path / f"{name}.html").write_text(html, "utf-8")
    return tmp_path


class Visit:
    """A page that was opened, with what it asked of the network and said on the console."""

    def __init__(self, context: BrowserContext, file: Path) -> None:
        self.page: Page = context.new_page()
        self.requests: list[str] = []
        self.messages: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.messages.append(message.text))
        self.page.on("pageerror", lambda error: self.messages.append(str(error)))
        self.page.goto(file.as_uri())

    def foreign_requests(self, file: Path) -> list[str]:
        return [url for url in self.requests if url != file.as_uri() and not url.startswith("data:")]

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
INSIDE_SVG = "element => element.closest('svg') !== null"
SVG_CONTRASTS = """
() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = (colour) => {
    const linear = (c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    const [r, g, b] = channels(colour).map((c) => linear(c / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (text) => {
    const plate = text.parentElement.querySelector(".plate");
    if (plate) return getComputedStyle(plate).fill;
    for (let e = text.ownerSVGElement; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if (channels(colour)[3] !== 0) return colour;
    }
    throw new Error("no background");
  };
  return [...document.querySelectorAll("svg text")].map((text) => {
    const [a, b] = [luminance(getComputedStyle(text).fill), luminance(behind(text))];
    return {text: text.textContent, ratio: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)};
  });
}
"""


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Browser, files: Path, name: str, scheme: Any) -> None:
    with browser.new_context(color_scheme=scheme, viewport={"width": 1200, "height": 900}) as context:
        page = Visit(context, files / f"{name}.html").page
        results = Axe().run(page, options={"runOnly": AXE_RULES})
        undecided = [
            target
            for rule in results.response["incomplete"]
            for node in rule["nodes"]
            for target in node["target"]
            if rule["id"] != "color-contrast" or not page.locator(target).first.evaluate(INSIDE_SVG)
        ]
    assert results.response["violations"] == [], results.generate_report()
    assert undecided == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_in_pictures_has_contrast(browser: Browser, files: Path, scheme: Any) -> None:
    """Axe cannot decide on text over SVG, so we do."""
    with browser.new_context(color_scheme=scheme) as context:
        pairs = Visit(context, files / "full.html").page.evaluate(SVG_CONTRASTS)
    assert len(pairs) > 50
    assert [pair for pair in pairs if pair["ratio"] < 4.5] == []


@pytest.mark.parametrize("name", REPORTS)
def test_nothing_is_requested_executed_or_reported(browser: Browser, files: Path, name: str) -> None:
    file = files / f"{name}.html"
    with browser.new_context() as context:
        visit = Visit(context, file)
        visit.page.wait_for_timeout(200)
        assert visit.foreign_requests(file) == []
        assert visit.messages == []
        assert visit.page.evaluate("window.pwned === undefined")
        assert visit.page.locator("script, img, iframe, object, embed, form").count() == 0


def test_hostile_text_is_there_to_read(browser: Browser, files: Path) -> None:
    with browser.new_context() as context:
        text = Visit(context, files / "hostile.html").page.locator("pre").first.inner_text()
    assert "<script>window.pwned = 1</script>" in text
    assert "⟨U+202E⟩gnp.exe" in text
    assert "\u202e" not in text


def test_the_page_works_without_scripts(browser: Browser, files: Path) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = Visit(context, files / "full.html").page
        assert page.locator("article").count() == 2
        table = page.get_by_role("table", name="Exchanges of campaign 1 and of everybody over time")
        assert not table.is_visible()
        page.locator("#campaign-1").get_by_text("The same as a table").click()
        assert table.is_visible()
        page.get_by_role("link", name="Campaign 2").click()
        assert page.url.endswith("#campaign-2")


def test_the_keyboard_reaches_the_findings_first(browser: Browser, files: Path) -> None:
    with browser.new_context() as context:
        page = Visit(context, files / "full.html").page
        page.keyboard.press("Tab")
        skip = page.locator(":focus")
        assert skip.inner_text() == "Skip to the findings"
        assert skip.bounding_box()["x"] >= 0  # type: ignore[index]
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"


def test_headings_do_not_skip_a_level(browser: Browser, files: Path) -> None:
    with browser.new_context() as context:
        page = Visit(context, files / "full.html").page
        levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(h => Number(h.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


@pytest.mark.parametrize("name", REPORTS)
def test_a_phone_is_wide_enough(browser: Browser, files: Path, name: str) -> None:
    with browser.new_context(viewport={"width": 360, "height": 740}) as context:
        visit = Visit(context, files / f"{name}.html")
        visit.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert visit.overflow() <= 0


@pytest.mark.parametrize("name", REPORTS)
def test_paper_is_wide_enough(browser: Browser, files: Path, name: str) -> None:
    with browser.new_context(viewport={"width": A4_TEXT_WIDTH_PX, "height": 1000}, color_scheme="dark") as context:
        visit = Visit(context, files / f"{name}.html")
        visit.page.emulate_media(media="print")
        assert visit.overflow() <= 0
        clipped = visit.page.evaluate(
            "[...document.querySelectorAll('.scroll, pre')].filter(e => e.scrollWidth > e.clientWidth + 1).length"
        )
        assert clipped == 0
        assert visit.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        pdf = visit.page.pdf(format="A4")
    assert pdf.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) >= 2
