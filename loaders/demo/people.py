"""The people of the demo data: who they are stays the same in everything they send."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from loaders.demo.columns import Ints, hex_ids, join, pick, words


class Country(NamedTuple):
    """A country that requests come from, with what its people have in common."""

    code: str
    share: float  # percent of the people
    phone_prefix: int  # the calling code, and an area where several countries share it
    digits: int  # of a phone number behind its prefix
    currency: str
    language: str
    mail_domain: str


COUNTRIES = (
    Country("DE", 22, 49, 11, "EUR", "de", "gmx.de"),
    Country("FR", 14, 33, 9, "EUR", "fr", "orange.fr"),
    Country("ES", 12, 34, 9, "EUR", "es", "yahoo.es"),
    Country("PT", 8, 351, 9, "EUR", "pt", "sapo.pt"),
    Country("PL", 6, 48, 9, "PLN", "en", "wp.pl"),
    Country("JP", 16, 81, 10, "JPY", "en", "yahoo.co.jp"),
    Country("TR", 8, 90, 10, "TRY", "tr", "mynet.com"),
    Country("BR", 6, 55, 11, "BRL", "pt", "uol.com.br"),
    Country("US", 5, 1212, 7, "USD", "en", "aol.com"),
    Country("RU", 0.8, 79, 9, "RUB", "ru", "mail.ru"),
    Country("IT", 0.2, 393, 9, "EUR", "en", "libero.it"),
    Country("NL", 0.2, 31, 9, "EUR", "en", "ziggo.nl"),
    Country("AT", 0.2, 43, 10, "EUR", "de", "gmx.at"),
    Country("CH", 0.2, 41, 9, "CHF", "de", "bluewin.ch"),
    Country("BE", 0.2, 32, 9, "EUR", "fr", "skynet.be"),
    Country("GB", 0.2, 4420, 8, "GBP", "en", "yahoo.co.uk"),
    Country("IE", 0.1, 353, 9, "EUR", "en", "eircom.net"),
    Country("SE", 0.1, 46, 9, "SEK", "en", "telia.com"),
    Country("CA", 0.2, 1416, 7, "CAD", "en", "yahoo.ca"),
    Country("MX", 0.2, 52, 10, "MXN", "es", "yahoo.com.mx"),
    Country("AR", 0.2, 54, 10, "ARS", "es", "yahoo.com.ar"),
    Country("CO", 0.1, 57, 10, "COP", "es", "hotmail.es"),
    Country("KZ", 0.2, 77, 9, "KZT", "ru", "yandex.ru"),
    Country("IN", 0.1, 91, 10, "INR", "en", "rediffmail.com"),
)
COUNTRY_CODES = tuple(country.code for country in COUNTRIES)
LANGUAGES = ("en", "tr", "ru", "pt", "es", "de", "fr")
MOVED_SHARE = 0.03  # people registered in another country than they come from

MAIL_DOMAINS = {
    "gmail.com": 0.46,
    "yahoo.com": 0.14,
    "outlook.com": 0.10,
    "hotmail.com": 0.10,
    "icloud.com": 0.04,
}
TYPOS = {  # typed: meant
    "gmul.com": "gmail.com",
    "gmial.com": "gmail.com",
    "gmail.con": "gmail.com",
    "hotmial.com": "hotmail.com",
    "yaho.com": "yahoo.com",
}
TYPO_SHARES = (0.008, 0.004, 0.004, 0.002, 0.002)  # of the people; what remains is local mail

NO_FP_SHARE, DEFAULT_FP_SHARE = 0.04, 0.015
DEFAULT_FP = "undefined"
AFFILIATE_SHARE = 0.4
USER_AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/139.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/139.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:142.0) Gecko/20100101 Firefox/142.0",
)


@dataclass(frozen=True)
class People:
    """Who sends: a row of `table` each, `home` an index into COUNTRIES, the attackers last."""

    table: pa.Table
    home: Ints
    typo: Ints  # index into TYPOS, -1 where the domain is a real one


def make_people(
    rng: np.random.Generator, count: int, attackers: int, attackers_country: str
) -> People:
    """Make people whose e-mail, phone, address, device and country stay the same, then attackers.

    Addresses come from the ranges kept for documentation: 2001:db8::/32, attackers 203.0.113.0/24.
    """
    total = count + attackers
    hostile = np.arange(total) >= count
    home = pick(rng, [country.share for country in COUNTRIES], total)
    home[hostile] = COUNTRY_CODES.index(attackers_country)
    moved = rng.random(total) < MOVED_SHARE
    registered = np.where(moved & ~hostile, rng.integers(0, len(COUNTRIES), total), home)

    domains = (*MAIL_DOMAINS, *TYPOS, *(country.mail_domain for country in COUNTRIES))
    shares = (*MAIL_DOMAINS.values(), *TYPO_SHARES)
    local = len(shares)
    mail = pick(rng, (*shares, 1 - sum(shares)), total)
    mail[hostile] = 0
    typo = mail - len(MAIL_DOMAINS)
    typo[(typo < 0) | (mail == local)] = -1
    mail = np.where(mail == local, local + home, mail)

    digits = np.array([country.digits for country in COUNTRIES])[registered]
    phone = ((1 + 9 * rng.random(total)) * 10.0 ** (digits - 1)).astype(np.int64)
    prefix = np.array([country.phone_prefix for country in COUNTRIES])[registered]
    spot = rng.permutation(total)  # its decimal digits are read as hexadecimal ones
    fp_kind = pick(rng, (NO_FP_SHARE, DEFAULT_FP_SHARE, 1 - NO_FP_SHARE - DEFAULT_FP_SHARE), total)
    fp_kind[hostile] = 2
    affiliate = join(
        '{"aff_id":"',
        rng.integers(100, 160, total),
        '","promo_id":"',
        rng.integers(1, 9, total),
        '","click_id":"',
        hex_ids(rng, total),
        '"}',
    )

    columns = {
        "user_agent": words(USER_AGENTS, rng.integers(0, len(USER_AGENTS), total)),
        "ip": pc.if_else(
            pa.array(hostile),
            join("203.0.113.", np.maximum(np.arange(total) - count, 0) + 17),
            join("2001:db8:", spot // 9_999 + 1, ":", spot % 9_999 + 1, "::1"),
        ),
        "geo": words(COUNTRY_CODES, home),
        "fp": pc.choose(
            pa.array(fp_kind), pa.scalar(None, pa.string()), DEFAULT_FP, hex_ids(rng, total)
        ),
        "email": join("demo-", np.arange(total) + 1, "@", words(domains, mail)),
        "country": words(COUNTRY_CODES, registered),
        "currency": words([country.currency for country in COUNTRIES], registered),
        "phone": join("+", prefix, phone),
        "aff_data": pc.if_else(pa.array(rng.random(total) < AFFILIATE_SHARE), affiliate, None),
    }
    return People(pa.table(columns), home, typo)
