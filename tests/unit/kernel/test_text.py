"""Folding and fingerprints of Chinese text."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.text import fingerprint, fold


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("樓道電梯壞了", "楼道电梯坏了"),
        ("２號樓Ａ座", "2号楼a座"),
        ("①单元㎡", "1单元m2"),
        ("WiFi", "wifi"),
        ("", ""),
        ("灯不亮💡", "灯不亮💡"),
    ],
)
def test_fold(text, folded):
    assert fold(text) == folded


def test_long_texts_are_folded_like_short_ones():
    assert fold("電梯" * 1000) == "电梯" * 1000


@pytest.mark.parametrize(
    "other",
    ["楼道电梯坏了!", "樓道電梯壞了", " 楼道,电梯 坏了。\n", "楼道\u200b电梯坏了", "「楼道电梯」坏了……"],
)
def test_the_same_words_have_one_fingerprint(other):
    assert fingerprint(other) == fingerprint("楼道电梯坏了")


@pytest.mark.parametrize("other", ["楼道电梯坏了吗", "楼道电梯坏", "楼道电梯坏了💡", ""])
def test_other_words_have_another(other):
    assert fingerprint(other) != fingerprint("楼道电梯坏了")


@given(st.text(max_size=200))
def test_every_text_has_a_fingerprint_and_folds_without_error(text):
    assert re.fullmatch("[0-9a-f]{64}", fingerprint(text))
    assert fingerprint(text) == fingerprint(f" {text}。")
