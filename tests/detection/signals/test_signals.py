from stillwatch.detection.signals import SIGNALS


def test_every_signal_has_a_name_of_its_own_and_says_what_it_means() -> None:
    assert len({signal.name for signal in SIGNALS}) == len(SIGNALS)
    assert all(len(signal.wording.split()) > 3 for signal in SIGNALS)
