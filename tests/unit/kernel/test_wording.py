"""Every text exists in every language, with the same places to fill."""

from __future__ import annotations

import string

import pytest

from shared.kernel import wording


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_every_locale_has_the_same_keys_and_places() -> None:
    chinese = wording.catalogue("zh_CN")
    for locale in wording.LOCALES:
        other = wording.catalogue(locale)
        assert sorted(other) == sorted(chinese)
        for key, text in chinese.items():
            assert places(other[key]) == places(text), f"{locale}: {key}"


def test_says_in_both_languages() -> None:
    assert wording.say("state.closed") == "已结案"
    assert wording.say("state.closed", "en") == "Closed"


def test_a_language_we_lack_reads_chinese() -> None:
    assert wording.say("state.closed", "fr") == "已结案"


def test_an_unknown_key_is_an_error() -> None:
    with pytest.raises(wording.UnknownWording):
        wording.say("no.such-key")
    assert not wording.has("no.such-key")


@pytest.mark.parametrize(
    ("header", "locale"),
    [
        (None, "zh_CN"),
        ("", "zh_CN"),
        ("en", "en"),
        ("en-GB,en;q=0.9", "en"),
        ("zh-TW,en;q=0.5", "zh_CN"),
        ("en;q=0.2,zh-CN;q=0.8", "zh_CN"),
        ("fr,en;q=0.1", "en"),
        ("en;q=0", "zh_CN"),
        ("en;q=rubbish", "zh_CN"),
    ],
)
def test_accept_language(header: str | None, locale: str) -> None:
    assert wording.choose(header) == locale
