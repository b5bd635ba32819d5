"""Records with secrets planted in them, made from a seed, and the secrets that must not survive.

Independent of how landing cuts: a secret is a random marker, so looking for it in the bytes of
bronze is all that a test has to do.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus

SECRET_NAMES = (
    "password", "Password", "PASSWORD", "pass-word", "passwd", "pwd", "newPassword",
    "user[password]", "password_confirmation", "passphrase", "secret", "clientSecret", "token",
    "access_token",
    "refreshToken", "id-token", "csrf_token", "api_key", "apiKey", "X-API-Key", "authorization",
    "otp", "user_otp", "one_time_code", "OneTimeCode", "pin", "pinCode", "cvv", "CVC", "card_cvv",
    "card_number", "cardNumber", "Card Number", "pan", "session_cookie", "PHPSESSID", "şifre",
    "contraseña", "senha", "пароль", "\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44",
)  # fmt: skip
SAFE_NAMES = (
    "shipping", "company", "footprint", "session_id", "bypass_cache", "device", "card_type",
    "amount", "pinned_at_top", "span", "challenge_id", "battle_pass", "authorized", "note",
    "locale",
)  # fmt: skip


@dataclass
class Planted:
    """One record, the secrets in it, and what must still be there."""

    record: dict[str, Any]
    secrets: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


def card_number(rng: random.Random) -> str:
    """A number of 13 to 19 digits whose last digit is right by Luhn's sum, as ISO 7812 has it."""
    digits = [rng.choice("23456")] + [rng.choice("0123456789") for _ in range(rng.randint(11, 17))]
    total = sum(
        sum(divmod(int(d) * 2, 10)) if i % 2 == 0 else int(d)
        for i, d in enumerate(reversed(digits))
    )
    return "".join(digits) + str(-total % 10)


def spaced(number: str, rng: random.Random) -> str:
    """A card number as people type it."""
    separator = rng.choice(["", " ", "-"])
    return separator.join(number[i : i + 4] for i in range(0, len(number), 4))


def found(wanted: list[str], text: str) -> list[str]:
    """Those of the planted texts that are in a text."""
    words = set(re.findall("[a-z]{12}", text))
    return [w for w in wanted if (w in words if w.isalpha() else w in text)]


class Planter:
    """Makes records from a seed."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def record(self, number: int, is_clean: bool = False) -> Planted:
        """A whole record of the attempts contract; a clean one has no secret."""
        planted = Planted(
            {
                "event_id": f"event-{number}",
                "timestamp": "2026-05-04T08:00:00Z",
                "action": self.rng.choice(["login", "signup", "restore_password"]),
                "status": "error",
                "path": f"/path-{number}",
            }
        )
        rng, record = self.rng, planted.record
        for column in ("query", "additional_data", "resp", "aff_data"):
            form = rng.choice(["object", "text", "form", "prose", "cut off"])
            if form == "object":
                record[column] = self._tree(planted, 3, is_clean)
            elif form == "text":
                tree = self._tree(planted, 3, is_clean)
                record[column] = json.dumps(tree, ensure_ascii=rng.random() < 0.5)
            elif form == "form":
                record[column] = self._form(planted, is_clean)
            elif form == "prose":
                record[column] = self._prose(planted, is_clean)
            else:
                record[column] = self._cut_off(planted, is_clean)
        if rng.random() < 0.3:
            record[f"extra_{number}"] = self._tree(planted, 2, is_clean)
        if not is_clean and rng.random() < 0.3:
            record[rng.choice(SECRET_NAMES)] = self._secret(planted)
        return planted

    def _word(self) -> str:
        return "".join(self.rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(12))

    def _secret(self, planted: Planted) -> Any:
        """A secret value of any JSON kind that can hold a marker."""
        planted.secrets.append(self._word())
        marker, rng = planted.secrets[-1], self.rng
        return rng.choice(
            [
                marker,
                f'{marker}"\\\n{marker}',
                f"{marker} é漢 {marker}",
                [marker, {"deep": [marker]}],
                {"value": marker, "}": "]"},
            ]
        )

    def _kept(self, planted: Planted) -> Any:
        planted.kept.append(self._word())
        return self.rng.choice([planted.kept[-1], [planted.kept[-1]], {"x": planted.kept[-1]}])

    def _card(self, planted: Planted) -> str:
        number = card_number(self.rng)
        text = spaced(number, self.rng)
        planted.secrets.append(text)
        return text

    def _tree(self, planted: Planted, depth: int, is_clean: bool) -> Any:
        rng = self.rng
        tree: dict[str, Any] = {}
        for name in rng.sample(SAFE_NAMES, 3):
            kind = rng.random()
            if depth and kind < 0.3:
                tree[name] = self._tree(planted, depth - 1, is_clean)
            elif depth and kind < 0.4:
                tree[name] = [self._tree(planted, depth - 1, is_clean), None, 1.5e3]
            elif depth and kind < 0.5:
                tree[name] = json.dumps(self._tree(planted, depth - 1, is_clean))
            elif kind < 0.6 and not is_clean:
                tree[name] = f"paid with {self._card(planted)} today"
            else:
                tree[name] = self._kept(planted)
        if not is_clean and rng.random() < 0.6:
            tree[rng.choice(SECRET_NAMES)] = self._secret(planted)
        if not is_clean and rng.random() < 0.1:
            pair = [("name", rng.choice(SECRET_NAMES)), ("value", self._secret(planted))]
            rng.shuffle(pair)
            tree["pairs"] = [dict(pair)]
        return tree

    def _form(self, planted: Planted, is_clean: bool) -> str:
        rng = self.rng
        pairs = []
        for name in rng.sample(SAFE_NAMES, 2):
            planted.kept.append(self._word())
            pairs.append(f"{name}={planted.kept[-1]}")
        if not is_clean:
            planted.secrets.append(self._word())
            value = quote_plus(f"{planted.secrets[-1]} & more")
            pairs.append(f"{quote_plus(rng.choice(SECRET_NAMES))}={value}")
            planted.secrets.append(self._word())
            packed = json.dumps({rng.choice(SECRET_NAMES): planted.secrets[-1]})
            pairs.append(f"data={quote_plus(packed)}")
        rng.shuffle(pairs)
        return "&".join(pairs)

    def _prose(self, planted: Planted, is_clean: bool) -> str:
        planted.kept.append(self._word())
        if is_clean:
            return f"Incorrect e-mail or password. {planted.kept[-1]}"
        planted.secrets.append(self._word())
        name = self.rng.choice(["password", "Authorization", "card number", "otp", "api_key"])
        return f"{planted.kept[-1]}\n{name}: {planted.secrets[-1]}"

    def _cut_off(self, planted: Planted, is_clean: bool) -> str:
        """JSON whose sender stopped in the middle of it."""
        planted.kept.append(self._word())
        text = json.dumps({"note": planted.kept[-1]})[:-1]
        if is_clean:
            return text
        planted.secrets.append(self._word())
        name = self.rng.choice(SECRET_NAMES[:20])
        return f'{text}, "{name}": "{planted.secrets[-1]}'
