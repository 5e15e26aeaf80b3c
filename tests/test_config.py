from pathlib import Path

import pytest

from stillwatch.config import check_config, load_config
from stillwatch.errors import UsageError

OPTIONS = {
    "detect": {"fpr": "fpr", "format": "log_format", "max_rejects": "max_rejects"},
    "sketch": {"out": "out"},
    "hub member add": {"role": "role", "json": "as_json"},
    "hub serve": {"port": "port"},
}


def write(folder: Path, text: str) -> Path:
    path = folder / "stillwatch.toml"
    path.write_text(text, "utf-8")
    return path


def test_no_file_is_no_setting(tmp_path: Path) -> None:
    assert load_config(tmp_path / "stillwatch.toml") == {}


def test_settings_are_written_as_the_options_are_called(tmp_path: Path) -> None:
    path = write(tmp_path, '[detect]\nmax-rejects = 0.5\nformat = "native"\n[sketch]\nout = "o"\n')
    assert check_config(load_config(path), OPTIONS, path) == {
        "detect": {"max_rejects": 0.5, "log_format": "native"},
        "sketch": {"out": "o"},
    }


def test_a_verb_of_several_words_has_a_table_within_a_table(tmp_path: Path) -> None:
    path = write(tmp_path, '[hub.member.add]\nrole = "reader"\njson = true\n[hub.serve]\nport = 1\n')
    assert check_config(load_config(path), OPTIONS, path) == {
        "hub": {"member": {"add": {"role": "reader", "as_json": True}}, "serve": {"port": 1}}
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fpr = 0.01", "[detect] fpr"),
        ("[hub]\nport = 1", "[hub.member] port"),
        ("[hub.serv]\nport = 1", "there is no verb 'hub serv'"),
        ("[hub.serve.now]\nport = 1", "[hub.serve] has no setting 'now'"),
        ("[detect\n", "cannot read the settings"),
        ("[detect]\nfprr = 0.01", "[detect] has no setting 'fprr'"),
        ("[detect]\nlog_format = 'native'", "[detect] has no setting 'log_format'"),
        ("[detekt]\nfpr = 0.01", "there is no verb 'detekt'"),
    ],
)
def test_what_would_not_apply_is_refused_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        check_config(load_config(path), OPTIONS, path)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "stillwatch.toml"
    path.write_bytes(b'[detect]\nmemory = "\xff"\n')
    with pytest.raises(UsageError, match="cannot read the settings"):
        load_config(path)


def test_a_directory_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "stillwatch.toml").mkdir()
    with pytest.raises(UsageError, match="cannot read the settings"):
        load_config(tmp_path / "stillwatch.toml")
