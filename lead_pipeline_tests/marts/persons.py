"""Which leads are one person, pair by pair and limit by limit, in plain loops.

Belongs here: a second computation that shares neither code nor method with the SQL. It compares
all pairs that share something, and takes a group apart from its weakest links up.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

MAX_IDENTITIES = 3
MAX_IDENTIFIERS = 6
STRENGTHS = {"own_email": 4, "mobile": 3, "phone": 2}
"""seeds/identifier_strengths.csv; what is not here joins nobody."""
SAME_NAME = 5
OF_A_COMPANY = {"toll_free", "premium_rate", "shared_cost", "uan", "voicemail", "pager"}
SHARED_MAILBOXES = {"info"}
PLACEHOLDERS = {"test"}
PLACEHOLDER_DOMAINS = {"none.com"}
"""Those that invented worlds use."""

Row = Mapping[str, Any]
Pair = tuple[str, str]


@dataclass
class Persons:
    """The persons of these rows of `normalized.leads`."""

    leads: Sequence[Row]

    def __post_init__(self) -> None:
        keys = [lead["lead_key"] for lead in self.leads]
        self.name = dict(zip(keys, (_name(lead["full_name"]) for lead in self.leads), strict=True))
        self.email = {lead["lead_key"]: lead["email_normalized"] for lead in self.leads}
        self.phone = {
            lead["lead_key"]: (lead["phone_e164"], lead["phone_extension"])
            for lead in self.leads
            if lead["phone_e164"]
        }
        self.own: dict[str, dict[str, str]] = defaultdict(dict)
        """By lead: its own address and number, in columns of `people`."""
        self.weight: dict[Pair, int] = {}
        """By two leads: how much says that they are one person."""
        self._share("email_normalized", self._of_email)
        self._share("phone_e164", self._of_phone)
        for one, other in self.weight:
            if self.name[one] and self.name[one] == self.name[other]:
                self.weight[one, other] += SAME_NAME

    def of_leads(self) -> dict[str, str]:
        """The smallest lead of the person of each lead."""
        return {
            key: min(group)
            for group in self._within_limits({lead["lead_key"] for lead in self.leads}, 1)
            for key in group
        }

    def _share(self, column: str, kind_of: Any) -> None:
        groups: dict[Any, list[str]] = defaultdict(list)
        for lead in self.leads:
            value = (
                self.phone.get(lead["lead_key"])
                if column == "phone_e164"
                else self.email[lead["lead_key"]]
            )
            if value:
                groups[value].append(lead["lead_key"])
        for value, group in groups.items():
            strength = STRENGTHS.get(kind_of(value, group), 0)
            if not strength:
                continue
            for key in group:
                self.own[key][column] = value if isinstance(value, str) else value[0]
                self.own[key][f"{column} in full"] = str(value)
            for pair in combinations(sorted(group), 2):
                self._add(pair, strength, column, group)

    def _add(self, pair: Pair, strength: int, column: str, group: Iterable[str]) -> None:
        """Two leads at one number need a same name, or an address, where it has several names."""
        names = {self.name[key] for key in group} - {None}
        is_same_name = self.name[pair[0]] and self.name[pair[0]] == self.name[pair[1]]
        if column == "email_normalized" or pair in self.weight or is_same_name or len(names) < 2:
            self.weight[pair] = self.weight.get(pair, 0) + strength

    def _of_email(self, email: str, group: Sequence[str]) -> str:
        mailbox, _, domain = email.partition("@")
        if mailbox.partition("+")[0] in PLACEHOLDERS or domain in PLACEHOLDER_DOMAINS:
            return "placeholder"
        phones = {self.phone[key] for key in group if key in self.phone}
        if mailbox in SHARED_MAILBOXES or self._are_several(group, phones):
            return "shared_mailbox"
        return "own_email"

    def _of_phone(self, phone: tuple[str, str | None], group: Sequence[str]) -> str:
        number, extension = phone
        has_extensions = any(n == number and e for n, e in self.phone.values())
        plan = next(lead["phone_type"] for lead in self.leads if lead["lead_key"] == group[0])
        emails = {self.email[key] for key in group} - {None}
        if (not extension and has_extensions) or plan in OF_A_COMPANY:
            return "switchboard"
        if self._are_several(group, emails):
            return "switchboard"
        return "mobile" if plan == "mobile" and not extension else "phone"

    def _are_several(self, group: Iterable[str], others: set[Any]) -> bool:
        names = {self.name[key] for key in group} - {None}
        return max(len(names), len(others)) > MAX_IDENTITIES

    def _within_limits(self, leads: set[str], at_least: int) -> Iterable[set[str]]:
        """The groups that links of some strength and above make; each too large one by stronger."""
        neighbours: dict[str, set[str]] = defaultdict(set)
        for (one, other), weight in self.weight.items():
            if weight >= at_least and one in leads and other in leads:
                neighbours[one].add(other)
                neighbours[other].add(one)
        left = set(leads)
        while left:
            group, to_visit = set(), [left.pop()]
            while to_visit:
                key = to_visit.pop()
                group.add(key)
                to_visit += neighbours[key] - group
            left -= group
            if len(group) == 1 or self._is_one(group):
                yield group
            else:
                yield from self._within_limits(group, at_least + 1)

    def _is_one(self, group: Iterable[str]) -> bool:
        names = {self.name[key] for key in group} - {None}
        identifiers = {
            value
            for key in group
            for column, value in self.own[key].items()
            if column in ("email_normalized", "phone_e164 in full")
        }
        return len(names) <= MAX_IDENTITIES and len(identifiers) <= MAX_IDENTIFIERS


def _name(full_name: str | None) -> str | None:
    letters = unicodedata.normalize("NFD", full_name or "").casefold()
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return re.sub(r"\s+", " ", plain).strip() or None
