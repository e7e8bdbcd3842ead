"""Cassettes: conversations on record, models and tools included, that run again without either."""

from __future__ import annotations

from service.cassettes.cassette import Cassette, read
from service.cassettes.recording import record
from service.cassettes.replaying import CassetteDiffers, Difference, check, replay

__all__ = ["Cassette", "CassetteDiffers", "Difference", "check", "read", "record", "replay"]
