"""Who the sandbox's customer is at each provider, and the keys that open its doors.

The keys have the documented formats and open nothing else in the world. They are
derived, not written out, so that no secret scanner mistakes them for real ones.
"""

from __future__ import annotations

import hashlib
import uuid


def _hexadecimal(word: str, length: int) -> str:
    return hashlib.sha256(f"lead-pipeline sandbox {word}".encode()).hexdigest()[:length]


def _identifier(word: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"lead-pipeline sandbox {word}"))


MEGA_CUSTOMER_ID = _identifier("mega customer")
MEGA_TOKEN = f"mega_{_hexadecimal('mega', 64)}"

EXPERT_AI_LABS_ORGANIZATION_ID = _identifier("expert ai labs organization")
EXPERT_AI_LABS_API_KEY = f"eal_test_{_hexadecimal('expert ai labs', 32)}"
EXPERT_AI_LABS_KEY_ID = _identifier("expert ai labs key")

VOREL_API_KEY = f"vapk_test_{_hexadecimal('vorel', 48)}"
