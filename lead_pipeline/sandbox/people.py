"""People who ask a small business for an offer: names, mail addresses, phone numbers.

Addresses use domains and numbers that are reserved for examples (RFC 2606; 555-01xx
in North America; 07700 900xxx in the United Kingdom), so nobody is ever reached.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from random import Random


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_FIRST_NAMES = _words(
    "Ana Amara Bao Beatriz Carlos Chloé Dana Deepak Elena Emeka Farid Fiona Grace Goran Hana "
    "Hugo Imani Ingrid Jamal José Kaito Katarzyna Leila Liam Lucía Malik Marta Mei Nadia Nils "
    "Olga Omar Priya Quentin Rosa Ravi Sara Søren Tariq Thandi Uma Valentina Viktor Wendy "
    "Xavier Yara Yusuf Zoë Zainab"
)
_LAST_NAMES = _words(
    "Abbott Almeida Bakker Becker Carter Chen Díaz Dubois Eriksen Evans Fischer Flores García "
    "Goldberg Haddad Hughes Ibrahim Ivanova Jensen Johnson Kaur Kowalski Larsen Lópes Mbeki "
    "Mitchell Müller Nakamura Nguyen Okafor O'Brien Park Patel Quinn Ramos Reyes Santos Silva "
    "Tanaka Thompson Usman Van-Dijk Varga Walker Weber Xu Yamada Yilmaz Zhang Zimmermann"
)
_COMPANIES = (
    "Harbor Dental",
    "Northgate Property",
    "Bluebird Salon",
    "Cedar & Sons Roofing",
    "Lakeside Physio",
    "Alder Plumbing",
    "Müller Bau GmbH",
    "Sunrise Childcare",
    "Vega Solar",
    "Old Mill Catering",
)
_DOMAINS = ("example.com", "example.com", "example.org", "example.net", "mail.example.com")
_AREA_CODES = _words(
    "205 206 212 213 214 215 216 217 248 251 253 301 303 304 305 310 312 313 314 315 316 317 "
    "401 402 404 405 406 407 408 410 412 413 414 415 416 417 419 501 502 503 504 505 507 508 "
    "509 510 512 513 515 601 602 603 604 605 606 607 608 609 612 613 614 615 616 617 618 619 "
    "701 702 703 704 706 707 708 712 713 714 715 716 717 718 719 801 802 803 804 805 806 808 "
    "810 812 813 814 815 816 817 818 901 902 903 904 905 906 907 908 909 910 912 913 914 915"
)
_TRANSLITERATED = str.maketrans({"ø": "o", "Ø": "O", "'": "", "-": ""})


@dataclass(frozen=True)
class Person:
    """Someone, as they are before anybody typed them in. `phone` is in E.164."""

    number: int
    first_name: str
    last_name: str
    email: str
    phone: str
    company: str

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}"


def make_person(random: Random, number: int) -> Person:
    """The person of this number. The number keeps addresses and phones apart."""
    first, last = random.choice(_FIRST_NAMES), random.choice(_LAST_NAMES)
    name = f"{first}.{last}".translate(_TRANSLITERATED)
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return Person(
        number=number,
        first_name=first,
        last_name=last,
        email=f"{plain}{number}@{random.choice(_DOMAINS)}",
        phone=_british_phone(number) if number % 10 == 9 else _american_phone(number),
        company=random.choice(_COMPANIES),
    )


def write_email(random: Random, person: Person) -> str:
    """The address as somebody typed it: most often plainly, at times in capitals or with blanks."""
    ways = (
        person.email,
        person.email,
        person.email.upper(),
        person.email.title(),
        f" {person.email}",
        f"{person.email} ",
    )
    return random.choice(ways)


def write_phone(random: Random, person: Person) -> str:
    """The number in one of the ways in which people write it."""
    if person.phone.startswith("+44"):
        national = person.phone.removeprefix("+44")
        ways = (person.phone, f"+44 {national[:4]} {national[4:]}", f"0044{national}")
        return random.choice(ways)
    digits = person.phone.removeprefix("+1")
    area, exchange, line = digits[:3], digits[3:6], digits[6:]
    return random.choice(
        (
            person.phone,
            f"({area}) {exchange}-{line}",
            f"{area}-{exchange}-{line}",
            f"{area}.{exchange}.{line}",
            f"+1 {area} {exchange} {line}",
            f"1-{area}-{exchange}-{line}",
            digits,
        )
    )


def _american_phone(number: int) -> str:
    area = _AREA_CODES[number % len(_AREA_CODES)]
    return f"+1{area}555{100 + number // len(_AREA_CODES) % 100:04d}"


def _british_phone(number: int) -> str:
    return f"+447700900{number // 10 % 1000:03d}"
