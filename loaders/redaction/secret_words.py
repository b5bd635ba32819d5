"""Which field names hold secrets: the one list, in the two forms that landing needs.

A name is compared without case, accents and separators: `Card-Number`, `cardNumber` and
`CARD[number]` are one name. Add a word here and it is found, cut and counted everywhere.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote

# Each word as its language spells it. Unmistakable: a name that holds one of these anywhere is
# secret (new_password, csrfToken).
LONG = (
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "passwort",
    "kennwort",
    "motdepasse",
    "palavrapasse",
    "contraseña",
    "senha",
    "şifre",
    "parola",
    "пароль",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "credential",
    "cookie",
    "sessid",
    "cardnumber",
    "cardno",
    "ccnumber",
    "creditcard",
    "onetimecode",
    "onetimepin",
    "verificationcode",
    "smscode",
    "securitycode",
)
# Short: secret as the whole name or as one word of it (pinCode, user_otp), not inside another
# word (shipping, footprint, company).
SHORT = ("pwd", "psw", "pin", "otp", "totp", "pan", "cvv", "cvc", "csc", "cvn", "jwt")
# Secret only as the whole name: a battle_pass and an authorization_status are none.
WHOLE = ("pass", "pw", "userpass", "newpass", "oldpass", "authorization", "proxyauthorization")

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+")
# What stands between the letters of a name, plain or percent-encoded.
_BETWEEN = r"(?:[ _.\-+\[\]/]|%[25][0-9A-Fa-f]){0,2}"
# From a name to the sign that its value follows.
_FOLLOWED = r"""[^:=&,{}">]*["'\\\s]*(?:[:=>]|%3[AaDd])"""
# The same for a name that is itself a value: {"name": "password", "value": ...}
_NAMING = r"""(?i:name|key|field|param|parameter|label|id)[\\"']*\s*:\s*[\\"']*[^"\\]*"""
# Spellings that only unpacking reveals: escaped or percent-encoded letters, full-width forms.
_ESCAPE = r"(?:\\|%5[Cc])u"
_DISGUISED = (
    rf"{_ESCAPE}(?:00[2-7][0-9A-Fa-f]|[Ff]{{2}}[0-5])|%25|%[46][1-9A-Fa-f]|%[57][0-9Aa]"
    r"|[\x{FF01}-\x{FF5E}]|%[Ee][Ff]%[Bb][CcDd]"
)


def spelled(name: str) -> str:
    """A name without case, accents and separators."""
    return "".join(c for c in unicodedata.normalize("NFKD", name).casefold() if c.isalnum())


@dataclass(frozen=True)
class SecretWords:
    """The words that make a name secret."""

    long: tuple[str, ...] = LONG
    short: tuple[str, ...] = SHORT
    whole: tuple[str, ...] = WHOLE

    def is_secret(self, name: str) -> bool:
        """Whether a field of this name holds a secret."""
        plain = spelled(name)
        if plain in self._exact or any(word in plain for word in self._long):
            return True
        words = _WORD.findall(unicodedata.normalize("NFKC", name))
        return any(word.casefold() in self._short for word in words)

    def ends_secret(self, words: str) -> bool:
        """Whether running text ends in the name of a secret (`your card number`)."""
        return spelled(words).endswith(self._long)

    @cached_property
    def suspect(self) -> str:
        """RE2 pattern of texts that may hold a secret field; most others it leaves alone.

        Its size has a cliff: RE2 is a hundred times slower with a pattern that outgrows its cache.
        """
        foreign = [word for word in self.long if not word.isascii()]
        anywhere = "|".join([*map(_letters, self._long), *map(_packed, foreign)])
        bounded = "|".join(_letters(word) for word in (*self.short, *self.whole))
        return (
            rf"(?:(?i:{anywhere})|(?i:{bounded})(?:[^a-z:=&,{{}}\">]|[\"'\\\s:=>]|%3)){_FOLLOWED}"
            rf"|(?i:{bounded})[:=>]|{_NAMING}(?i:{anywhere}|{bounded})|{_DISGUISED}"
        )

    @cached_property
    def _long(self) -> tuple[str, ...]:
        return tuple(spelled(word) for word in self.long)

    @cached_property
    def _exact(self) -> frozenset[str]:
        return frozenset((*self.short, *self.whole))

    @cached_property
    def _short(self) -> frozenset[str]:
        return frozenset(self.short)


def _letters(word: str) -> str:
    """A pattern of the word with separators between its letters."""
    return _BETWEEN.join(word)


def _packed(word: str) -> str:
    """A pattern of a word that is not ASCII, plain, escaped or percent-encoded."""
    forms = []
    for form in ("NFC", "NFD"):
        for case in (str.lower, str.upper, str.title):
            text = case(unicodedata.normalize(form, word))
            escaped = "".join(c if c.isascii() else f"{_ESCAPE}{ord(c):04x}" for c in text)
            forms += [text, escaped, quote(text)]
    return "|".join(dict.fromkeys(forms))
