import pytest
from hypothesis import given
from hypothesis import strategies as st
from stix2patterns.validator import run_validator
from tests.sharing.objects.factories import BANDS, TOKEN

from stillwatch.sharing.objects import patterns
from stillwatch.sharing.objects.patterns import PatternChecker

PLAIN = "[ipv4-addr:value = '192.0.2.1']"


def well_formed(pattern: str) -> bool:
    return PatternChecker().fault(pattern) is None


@pytest.mark.parametrize(
    "pattern",
    [
        patterns.template_pattern(BANDS),
        patterns.token_pattern([TOKEN]),
        patterns.address_pattern(["192.0.2.1", "2001:db8::/32"]),
        patterns.domain_pattern(["relay.example", "it's.example", "back\\slash.example"]),
    ],
)
def test_what_we_write_is_well_formed(pattern: str) -> None:
    assert run_validator(pattern, "2.1") == []
    assert well_formed(pattern)


@given(st.text(max_size=30))
def test_whatever_a_value_holds_the_pattern_stays_one_comparison(value: str) -> None:
    pattern = patterns.domain_pattern([value])
    assert run_validator(pattern, "2.1") == []


PATHS = st.sampled_from(
    [
        "ipv4-addr:value",
        "file:hashes.'SHA-256'",
        "file:hashes.MD5",
        "email-message:to_refs[*].value",
        "windows-registry-key:values[0].data",
        "x-thing:a.b.c",
        "user-account:extensions.'extension-definition--1'.tokens[*].token",
        "process:arguments[12]",
    ]
)
VALUES = st.one_of(
    st.text(st.characters(exclude_characters="\\'"), max_size=8).map(lambda text: f"'{text}'"),
    st.integers(-(10**17), 10**17).map(str),
)
LISTS = st.lists(st.text("ab c", max_size=4).map(lambda text: f"'{text}'"), min_size=1, max_size=3)
COMPARISONS = st.one_of(
    st.builds(lambda path, sign, value: f"{path} {sign} {value}", PATHS, st.sampled_from(["=", "!="]), VALUES),
    st.builds(lambda path, values: f"{path} IN ({', '.join(values)})", PATHS, LISTS),
)
MANGLED = st.sampled_from(["", " ", "'", "]", " OR ", " AND ", "[", "=", "\n", "(", "IN", "0", "-", "."])


@given(st.lists(COMPARISONS, min_size=1, max_size=4), st.integers(0, 200), MANGLED)
def test_what_is_accepted_quickly_is_accepted_by_the_grammar(comparisons: list[str], place: int, mangled: str) -> None:
    whole = f"[{' OR '.join(comparisons)}]"
    assert patterns._SIMPLE.fullmatch(whole) or "hashes" in whole
    for pattern in (whole, whole[:place] + mangled + whole[place:]):
        if patterns._SIMPLE.fullmatch(pattern):
            assert run_validator(pattern, "2.1") == []


@pytest.mark.parametrize(
    "pattern",
    [
        "[ipv4-addr:value = '192.0.2.1' AND ipv4-addr:value != '192.0.2.2'] FOLLOWEDBY [url:value LIKE 'a%']",
        "([file:size > 10] AND [file:name MATCHES 'a.*']) WITHIN 5 SECONDS",
    ],
)
def test_the_grammar_takes_what_is_not_simple(pattern: str) -> None:
    assert well_formed(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        " ",
        "(((",
        "[",
        "[]",
        "ipv4-addr:value = '1'",
        "[ipv4-addr:value = ]",
        "[value = 'a']",
        f"{PLAIN} OR",
        "[a:b = 'c]",
        "[file:hashes[0] = '(']",
    ],
)
def test_what_is_not_well_formed_is_refused(pattern: str) -> None:
    assert PatternChecker().fault(pattern) == "the pattern is not well formed"


@given(st.lists(st.sampled_from([*"[]()'=", " ", "a:b", "hashes", "[0]", "[*]", "OR", "AND", "IN", "1"]), max_size=12))
def test_no_pattern_makes_the_checker_raise(tokens: list[str]) -> None:
    fault = PatternChecker().fault("".join(tokens))
    assert fault is None or isinstance(fault, str)


def test_long_patterns() -> None:
    simple = patterns.domain_pattern("a" * 100 for _ in range(400))
    assert len(simple) > 40_000
    assert well_formed(simple)
    assert "at most 4096" in str(PatternChecker().fault(simple[:-1] + " AND domain-name:value = 'b']"))
    assert "longer than" in str(PatternChecker().fault(patterns.domain_pattern(["a" * 70_000])))


def test_deep_patterns_are_refused() -> None:
    assert PatternChecker().fault("(" * 1500 + PLAIN + ")" * 1500) == "the pattern is nested too deeply"


def test_verdicts_are_remembered_and_the_oldest_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = []
    monkeypatch.setattr(patterns, "_parse", lambda pattern: parsed.append(pattern) or "bad")
    monkeypatch.setattr(patterns, "_CACHED", 2)
    checker = PatternChecker()
    for pattern in ("a", "a", "b", "c", "a"):
        assert checker.fault(pattern) == "bad"
    assert parsed == ["a", "b", "c", "a"]
