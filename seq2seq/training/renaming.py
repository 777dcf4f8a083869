"""Pairs told of somebody else: a name or a number that source and target share becomes, in both, a made-up one.

A model that has only met the names of its training texts writes those. What stands in the source has to be copied
letter by letter, in whatever script: so some pairs carry names that no vocabulary has, which take the byte pieces too.
Knows no data sets.
"""

from __future__ import annotations

import random
import re

NAME = re.compile(r"(?<=[\w,;] )[A-Z][\w’']+|\b\d[\d,.]*\d\b")  # opens no sentence
MOST_RENAMED = 3  # in a pair
CONSONANTS, VOWELS = "bcdfghjklmnprstvwz", "aeiou"
MARKED = {
    "a": "áàâäãåāăąạảấầẩẫậ", "e": "éèêëēėęěẹẻẽếềểễệ", "i": "íìîïīįıịỉĩ", "o": "óòôöõøōőọỏốồổỗộơ", "u": "úùûüūůűụủũưứ",
    "c": "çćčĉ", "d": "ďđð", "g": "ğģġ", "l": "łľļ", "n": "ñńňņ", "r": "řŕ", "s": "šśşșß", "t": "ťțþ", "z": "žźż",
}  # fmt: skip
SCRIPTS = ("αβγδεζηθικλμνξοπρστυφχψω", "абвгдежзийклмнопрстуфхцчшщыьэюя", "אבגדהוזחטיכלמנסעפצקרשת",
           "ابتثجحخدذرزسشصضطظعغفقكلمنهوي", "अआइईउकखगघचजटडणतदनपबभमयरलवशसह", "あいうえおかきくけこさしすせそタチツテト",
           "中文国人大学生日本東京北山水火木金土", "가나다라마바사아자차카타파하한국")  # fmt: skip
SIGNS = "😀😂🙂😉😍🎉🚀🔥✅❌⚠👍👩💡📈🐍🌍☕→≤≥≈∞√∑µ№§¶†‡™€£¥"


def renamed(source: str, target: str, chance: random.Random) -> tuple[str, str]:
    """Both with some of the names and numbers that they share exchanged, as often as they stand there."""
    shared = [name for name in dict.fromkeys(NAME.findall(source)) if name in target]
    for name in chance.sample(shared, min(len(shared), chance.randint(1, MOST_RENAMED))):
        other = digits_like(name, chance) if name[0].isdigit() else made_up(chance)
        source, target = exchanged(name, other, source), exchanged(name, other, target)
    return source, target


def exchanged(name: str, other: str, text: str) -> str:
    return re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", lambda _: other, text)


def digits_like(number: str, chance: random.Random) -> str:
    return re.sub(r"\d", lambda _: str(chance.randint(1, 9)), number)


def made_up(chance: random.Random) -> str:
    """A word that looks like a name, mostly with marked letters; one in another script; an identifier; or a sign."""
    return chance.choices((latin_name, foreign_name, identifier, signs), (6, 2, 1, 1))[0](chance)


def latin_name(chance: random.Random) -> str:
    syllables = (
        chance.choice(CONSONANTS) + chance.choice(VOWELS) + chance.choice(["", "", chance.choice(CONSONANTS)])
        for _ in range(chance.randint(1, 4))
    )
    letters = [
        chance.choice(MARKED[letter]) if letter in MARKED and chance.random() < 0.2 else letter
        for letter in "".join(syllables)
    ]
    return letters[0].upper() + "".join(letters[1:])


def foreign_name(chance: random.Random) -> str:
    return "".join(chance.choices(chance.choice(SCRIPTS), k=chance.randint(2, 6)))


def identifier(chance: random.Random) -> str:
    words = ("".join(chance.choices(CONSONANTS + VOWELS, k=chance.randint(1, 6))) for _ in range(chance.randint(2, 3)))
    return chance.choice("_-./").join(words) + chance.choice(["", "()", str(chance.randint(0, 99))])


def signs(chance: random.Random) -> str:
    return "".join(chance.choices(SIGNS, k=chance.randint(1, 3)))
