"""Telling somebody when a night could not heal itself, and when that is over.

    ended runs, findings, drift ──▶ causes ──▶ ledger: who is to be told ──▶ webhook, e-mail
                                                    └──a good night──▶ heartbeat

Belongs here: what is a cause, who was told of it, how they are told. Does not belong here: finding
out what is wrong (`health/`, the checks of each layer), and when to look (commands, orchestration).
"""
