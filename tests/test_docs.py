"""The documents say what the code does: commands, fields, codes, links, decisions, words."""

import os
import re
import runpy
import shlex
import subprocess
import sys
import typing
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from stillwatch.detection.campaigns.evidence import INDEPENDENT
from stillwatch.detection.findings import model
from stillwatch.detection.signals import SIGNALS
from stillwatch.features.links import KEY_KINDS
from stillwatch.records.adapters import BUILT_IN
from stillwatch.records.exchange import ACCOUNT_SCHEMA, EXCHANGE_SCHEMA
from stillwatch.records.reasons import REASONS
from stillwatch.records.registry import RegistryEntry, Release

REPOSITORY = Path(__file__).parents[1]
DOCS = REPOSITORY / "docs"
PAGES = sorted([*REPOSITORY.glob("*.md"), *DOCS.rglob("*.md")])
BIN = Path(sys.executable).parent
# Machine-dependent paths, and hosts that a company would replace by its own.
FORBIDDEN = re.compile(r"/work/|/root/|/home/|/tmp/|pypi\.|pythonhosted|npmjs|deb\.debian|file://")
COMMANDS = re.findall(r"^## stillwatch (.+)$", (DOCS / "reference" / "cli.md").read_text("utf-8"), re.MULTILINE)
OUTPUTS = [
    struct
    for struct in vars(model).values()
    if isinstance(struct, type)
    and issubclass(struct, msgspec.Struct)
    and struct not in (msgspec.Struct, model.Findings)
]


def page_id(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


def read(name: str) -> str:
    return (REPOSITORY / name).read_text("utf-8")


def without_code(text: str) -> str:
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, made as hosting platforms make them."""
    headings = re.findall(
        r"^#+ (.+)$", re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL), re.MULTILINE
    )
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> Iterator[str]:
    yield from re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text("utf-8")))


def table(text: str, start: str) -> set[str]:
    """Return the names in the first column of the first table after `start`."""
    names: set[str] = set()
    for line in text.partition(start)[2].strip().splitlines()[2:] if start else []:
        if not line.startswith("|"):
            break
        names |= set(re.findall(r"`([^`]+)`", line.split("|")[1]))
    return names


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_internal_links_resolve(page: Path) -> None:
    for link in links(page):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_page_holds_for_every_machine(page: Path) -> None:
    assert FORBIDDEN.findall(page.read_text("utf-8")) == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.is_relative_to(DOCS)], ids=page_id)
def test_page_can_be_reached_from_the_index(page: Path) -> None:
    seen, left = set[Path](), [DOCS / "README.md"]
    while left:
        seen.add(here := left.pop())
        targets = {(here.parent / link.partition("#")[0]).resolve() for link in links(here) if ".md" in link}
        left += [target for target in targets - seen if target.is_relative_to(DOCS)]
    assert page in seen


def test_command_reference_is_the_help() -> None:
    reference = runpy.run_path(str(DOCS / "reference" / "cli.py"))["reference"]
    assert read("docs/reference/cli.md") == reference(), "make docs"


@pytest.mark.parametrize("struct", OUTPUTS, ids=lambda struct: struct.__name__)
def test_every_output_field_is_documented(struct: type[msgspec.Struct]) -> None:
    documented = table(read("docs/reference/files.md"), f"<!-- fields: {struct.__name__} -->")
    assert documented == {field.encode_name for field in msgspec.structs.fields(struct)}


@pytest.mark.parametrize("words", ["Kind", "Action", "Confidence", "Role", "Factor"])
def test_every_word_of_the_outputs_is_documented(words: str) -> None:
    for word in typing.get_args(getattr(model, words)):
        assert f"`{word}`" in read("docs/reference/files.md")


def test_every_kind_of_shared_value_is_documented() -> None:
    for kind in KEY_KINDS:
        assert f"`{kind}`" in read("docs/reference/files.md")


def test_every_exchange_field_is_documented() -> None:
    assert table(read("docs/reference/records.md"), "in `extra`.\n") == set(EXCHANGE_SCHEMA.names)


def test_every_account_field_is_documented() -> None:
    assert table(read("docs/reference/records.md"), "ends the run with exit code 3.\n") == set(ACCOUNT_SCHEMA.names)


def test_every_registry_key_is_documented() -> None:
    page = read("docs/reference/registry.md")
    for kind in (RegistryEntry, Release):
        for field in msgspec.structs.fields(kind):
            assert f"`{field.encode_name}`" in page


def test_every_reject_reason_is_documented() -> None:
    assert table(read("docs/reference/reject-reasons.md"), "what it accepted.\n") == set(REASONS)


def test_every_built_in_format_is_documented() -> None:
    page = read("docs/reference/adapters.md")
    for adapter in BUILT_IN:
        assert f"| `{adapter.name}` |" in page


def test_every_signal_is_explained() -> None:
    page = read("docs/explanation/how-detection-works.md")
    for name in [signal.name for signal in SIGNALS] + sorted(INDEPENDENT):
        assert f"| `{name}` |" in page
    independent = {row.split("`")[1] for row in page.splitlines() if row.endswith("**yes** |")}
    assert independent == INDEPENDENT


def test_decisions_are_numbered_and_listed() -> None:
    files = sorted(path.name for path in (DOCS / "adr").glob("[0-9]*.md"))
    assert [int(name[:4]) for name in files] == list(range(1, len(files) + 1))
    listed = re.findall(r"^\| \[(\d+)\]\(([^)]+)\) \| (.+) \|$", read("docs/adr/README.md"), re.MULTILINE)
    assert [name for _, name, _ in listed] == files
    for number, name, title in listed:
        page = read(f"docs/adr/{name}")
        assert page.startswith(f"# {number}. {title}\n")
        assert [*re.findall(r"^## (.+)$", page, re.MULTILINE)] == ["Context", "Options", "Decision", "Consequences"]


def test_glossary_is_sorted_and_knows_the_words_of_the_findings() -> None:
    terms = re.findall(r"^\*\*(.+?)\*\*:", read("docs/glossary.md"), re.MULTILINE)
    assert terms == sorted(terms)
    words = "account action campaign exchange family frame harvest history hot owner segment signal sketch token window"
    assert set(words.split()) <= set(terms)


@pytest.mark.parametrize("command", COMMANDS)
def test_command_reference_names_what_the_command_line_takes(command: str) -> None:
    shown = subprocess.run(
        [BIN / "stillwatch", *command.split(), "--help"],
        env=os.environ | {"COLUMNS": "300"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    section = read("docs/reference/cli.md").partition(f"## stillwatch {command}\n")[2].partition("\n## ")[0]
    named = re.findall(r"`(--[\w-]+|STILLWATCH_\w+)`", section)
    assert set(named) == set(re.findall(r"--[a-z][\w-]+(?= )|STILLWATCH_\w+", shown.partition("Options:")[2])) - {
        "--help"
    }


GROUPS = {"decisions", "hub", "hub audit", "hub member", "hub trustee", "policy", "range", "share"}


def test_commands_of_the_pages_exist() -> None:
    grouped = "range|policy|decisions|share|hub(?: member| audit| trustee)?"
    named = re.compile(rf"(?:^|`|bin/)stillwatch ((?:{grouped}) [a-z]+|[a-z]+(?:-[a-z]+)*)", re.MULTILINE)
    for page in PAGES:
        for code in re.findall(r"```.*?```|`[^`\n]+`", page.read_text("utf-8"), re.DOTALL):
            for command in named.findall(code):
                assert command in {*COMMANDS, *GROUPS}, page


def test_make_targets_of_the_pages_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    for page in PAGES:
        assert set(re.findall(r"(?:^|`)make ([a-z]+)", page.read_text("utf-8"), re.MULTILINE)) <= targets, page


def test_options_of_the_pages_exist() -> None:
    known = set(re.findall(r"`(--[\w-]+)`", read("docs/reference/cli.md"))) | {"--help", "--version", "--engine"}
    for page in PAGES:
        for line in re.findall(r"stillwatch [a-z]+[^`|#]*?(?:\n\n|`|$)", page.read_text("utf-8"), re.MULTILINE):
            options = {word.partition("=")[0] for word in re.findall(r"(?<!\S)--[\w-]+", line)}
            assert options <= known, f"{page}: {sorted(options - known)}"


def test_readme_without_make_names_what_is_installed() -> None:
    line = next(line for line in read("README.md").splitlines() if "bin/pip install" in line)
    wanted = shlex.split(re.findall(r"`(\.venv/bin/pip [^`]+)`", line)[0])[2:]
    assert wanted == ["-e", ".[dev]", "-e", "src/stillwatch_range"]
    assert (BIN / "stillwatch").exists()


def test_the_adapter_of_the_guide_passes_the_conformance_kit(tmp_path: Path) -> None:
    adapter, test = re.findall(r"```python\n(.*?)```", read("docs/how-to/add-an-adapter.md"), re.DOTALL)
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "adapter.py").write_text(adapter, "utf-8")
    (tmp_path / "run.py").write_text(f"{test}\n\ntest_it_keeps_the_contract()\n", "utf-8")
    done = subprocess.run([sys.executable, "run.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
