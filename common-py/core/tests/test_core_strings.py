import itertools
import sys
import time
import unicodedata
from typing import Any

import pytest
from common_core.strings import contains, equal, find, fold, sort_key, spans
from hypothesis import given, settings
from hypothesis import strategies as st

UNHURRIED = settings(deadline=None)
FORMS: list[Any] = ["NFC", "NFD", "NFKC", "NFKD"]
LONE_KOREAN = {chr(code) for code in [*range(0x3131, 0x318F), *range(0xFFA0, 0xFFDD)]}
MIXED = (
    "aÁéß İıIiſﬁﬃœÆøŁ ΣσςᾳΈ йЁїґ かがガｶﾞﾊﾟ हिन्दी क़ कि كَتَبَ ﻻ 한ㅋㅠ각ᄒ\u1161\u11ab Ａ²½ "
    "👩\u200d👧👍🏽🇩🇪 e\u0301q\u0308\u0323 \u0301 ה̣ \ud800"
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Crème Brûlée", "creme brulee"),
        ("STRASSE", "Straße"),
        ("ẞ", "ß"),
        ("İstanbul", "ISTANBUL"),
        ("ısı", "ISI"),
        ("ΌΔΟΣ", "οδος"),
        ("Σίσυφος", "ΣΊΣΥΦΟΣ"),
        ("ᾳ", "α"),
        ("Ёлка", "елка"),
        ("Йод", "иод"),
        ("Київ", "киiв".replace("i", "і")),
        ("ﬁnal", "FINAL"),
        ("Œuvre", "oeuvre"),
        ("Ægir", "AEGIR"),
        ("Łódź Đà Nẵng Ørsted", "lodz da nang orsted"),
        ("Ａｂｃ１", "abc1"),
        ("ｶﾞｷﾞ", "ガギ"),
        ("ﻻ", "لا"),
        ("ǅ", "dž"),
        ("e\u0323\u0301", "e\u0301\u0323"),
        ("ﾡ", "ㄱ"),
    ],
)
def test_what_differs_in_case_accents_and_form_only_is_equal(one: str, other: str) -> None:
    assert equal(one, other)
    assert find(one, other) == find(other, one) == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("か", "が"),
        ("は", "ぱ"),
        ("हिन्दी", "हनद"),
        ("की", "कि"),
        ("كَتَبَ", "كتب"),
        ("آ", "ا"),
        ("한", "하"),
        ("ㅋㅏ", "카"),
        ("שָׁלוֹם", "שלום"),
        ("ก่", "ก"),
        ("ґ", "г"),
        ("þ", "th"),
        ("1\u0301", "1"),
    ],
)
def test_what_is_another_word_in_its_script_stays_another(one: str, other: str) -> None:
    assert not equal(one, other)


@pytest.mark.parametrize(
    "text", ["हिन्दी", "كَتَبَ", "한국어", "がぎぐ", "ガ", "ㅋㅋㅠㅠ", "தமிழ்", "ไทย่", "👩\u200d👩\u200d👧"]
)
def test_other_scripts_are_left_as_they_are(text: str) -> None:
    assert fold(text) == unicodedata.normalize("NFC", text)
    assert fold(unicodedata.normalize("NFD", text)) == fold(text)


def test_folding_is_idempotent_and_blind_to_form_for_every_character() -> None:
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        folded = fold(char)
        if folded == char and unicodedata.is_normalized("NFKD", char):
            continue
        assert fold(folded) == folded, hex(code)
        assert folded == unicodedata.normalize("NFC", folded), hex(code)
        if char not in LONE_KOREAN:
            assert {fold(unicodedata.normalize(form, char)) for form in FORMS} == {folded}, hex(code)


def normal(text: str) -> str:
    return unicodedata.normalize("NFC", text)


texts = st.text(MIXED, max_size=12) | st.text(st.characters(codec=None), max_size=12)
whole = texts.filter(lambda text: not LONE_KOREAN & set(text))


@UNHURRIED
@given(texts)
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    assert unicodedata.is_normalized("NFC", fold(text))


@UNHURRIED
@given(whole, st.sampled_from(FORMS))
def test_the_form_of_a_text_does_not_count(text: str, form: Any) -> None:
    assert equal(unicodedata.normalize(form, text), text)


@UNHURRIED
@given(st.text(st.characters(max_codepoint=0x24F)))
def test_the_case_of_a_text_does_not_count(text: str) -> None:
    assert fold(text.upper()) == fold(text.lower()) == fold(text)


@UNHURRIED
@given(st.text("aAbß ", max_size=8), st.text("aAbBsS ", max_size=4))
def test_plain_texts_are_found_where_python_finds_them(text: str, sought: str) -> None:
    plain = text.replace("ß", "z")
    assert find(plain, sought) == plain.lower().find(sought.lower())


@UNHURRIED
@given(texts)
def test_a_text_is_found_at_its_own_beginning(text: str) -> None:
    assert find(text, text) == 0
    assert list(spans(text, text)) == ([(0, len(text))] if text else [])


@UNHURRIED
@given(texts, texts)
def test_a_match_is_what_was_sought_and_matches_do_not_overlap(text: str, sought: str) -> None:
    found, last = list(spans(text, sought)), 0
    for begin, end in found:
        assert last <= begin < end <= len(text)
        assert equal(text[begin:end], sought)
        last = end
    assert contains(text, sought) == bool(found or not sought)


@UNHURRIED
@given(st.lists(st.sampled_from(["a", "é", "e\u0301", "ß", "ﬁ", "が", "कि", "한", "👍🏽", "🇩🇪", "ﾊﾟ", "Σ"]), max_size=8))
def test_every_run_of_whole_characters_is_found_in_place(parts: list[str]) -> None:
    text = "".join(parts)
    for first in range(len(parts)):
        for last in range(first + 1, len(parts) + 1):
            before, sought = "".join(parts[:first]), "".join(parts[first:last])
            assert 0 <= find(text, sought) <= len(before)
            assert find(text, sought, len(before)) == len(before)


@pytest.mark.parametrize(
    ("text", "sought"),
    [
        ("ß", "s"),
        ("aß", "as"),
        ("ﬁ", "i"),
        ("œ", "o"),
        ("か\u3099", "か"),
        ("ﾊﾟ", "ハ"),
        ("कि", "क"),
        ("한", "하"),
        ("👩\u200d👧", "👧"),
        ("👍🏽", "👍"),
        ("🇫🇷🇩🇪", "🇷🇩"),
        ("½", "2"),
    ],
)
def test_a_part_of_a_character_is_not_found(text: str, sought: str) -> None:
    assert not contains(text, sought)


@pytest.mark.parametrize(
    ("text", "sought", "found"),
    [
        ("Straße, strasse", "SS", [(4, 5), (12, 14)]),
        ("ßss", "ss", [(0, 1), (1, 3)]),
        ("ßß", "ssss", [(0, 2)]),
        ("e\u0301e\u0301", "É", [(0, 2), (2, 4)]),
        ("aaa", "aa", [(0, 2)]),
        ("굿ㅠㅠ", "ㅠ", [(1, 2), (2, 3)]),
        ("ﬁx ﬁﬁ", "fi", [(0, 1), (3, 4), (4, 5)]),
        ("", "a", []),
        ("a", "", []),
    ],
)
def test_places_are_those_of_the_text_as_it_was_given(text: str, sought: str, found: list[tuple[int, int]]) -> None:
    assert list(spans(text, sought)) == found


def test_a_search_begins_where_it_is_told_to() -> None:
    assert [find("éa e", "e", start) for start in range(6)] == [0, 3, 3, 3, -1, -1]
    assert (find("ab", "", 2), find("ab", "", 3)) == (2, -1)


@UNHURRIED
@given(st.lists(texts, max_size=6))
def test_the_sort_key_puts_equal_texts_together_and_orders_them(some: list[str]) -> None:
    ordered = sorted(some, key=sort_key)
    assert [fold(text) for text in ordered] == sorted(fold(text) for text in some)
    for one, other in itertools.pairwise(ordered):
        assert (sort_key(one) == sort_key(other)) == (normal(one) == normal(other))


def test_a_hostile_text_costs_no_more_than_its_length() -> None:
    started = time.monotonic()
    assert not contains("ß" * 20_000, "s" * 9 + "t")
    assert fold("a" + "\u0301" * 100_000) == "a"
    assert list(spans("s" + "ß" * 20_000, "ssx")) == []
    assert time.monotonic() - started < 5
