import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.sharing.clearance.iban import holds_iban


def with_check_digits(country: str, account: str) -> str:
    """Return the number of an account with the check digits of ISO 7064 (modulo 97-10)."""
    told = "".join(str(int(character, 36)) for character in f"{account}{country}00")
    return f"{country}{98 - int(told) % 97:02d}{account}"


@given(
    st.text("0123456789", min_size=18, max_size=18),
    st.sampled_from(["", " ", "-"]),
    st.sampled_from(["lower", "upper"]),
)
def test_a_number_is_found_in_any_case_and_groups_and_a_changed_one_is_not(
    account: str, between: str, case: str
) -> None:
    number = with_check_digits("DE", account)
    changed = f"{number[:-1]}{(int(number[-1]) + 1) % 10}"
    for one, found in ((number, True), (changed, False)):
        written = between.join(one[start : start + 4] for start in range(0, len(one), 4))
        assert holds_iban(f"to {getattr(written, case)()}, please") == found


@pytest.mark.parametrize("text", ["XX22370400440532013000", "DE8937040044053201300", "xDE89370400440532013000", "DE89"])
def test_what_no_country_has_is_none(text: str) -> None:
    assert not holds_iban(text)
