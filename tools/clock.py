"""The clock: today's date and time, which no prompt holds."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from langchain_core.tools import ToolException, tool

from tools.effects import reads


@reads
@tool(parse_docstring=True)
def clock(timezone: str = "UTC") -> dict[str, str]:
    """Tell the date, the time and the weekday.

    Args:
        timezone: name of the time zone, such as Europe/Amsterdam
    """
    try:
        now = datetime.now(ZoneInfo(timezone))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ToolException(f"there is no time zone {timezone!r}: use a name such as Europe/Amsterdam") from None
    return {"date": now.date().isoformat(), "time": f"{now:%H:%M}", "weekday": f"{now:%A}", "timezone": timezone}
