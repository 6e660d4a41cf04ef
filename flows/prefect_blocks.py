"""Prefect's blocks: secrets that are kept at the server, and ways to notify."""

from __future__ import annotations

from typing import Any

from pipeline.secrets import hide
from pipeline.upkeep.notifications import Notice


def find_secret(name: str) -> str | None:
    """Find a secret block: that of the name itself, in the letters that block names may have."""
    from prefect.blocks.system import Secret

    try:
        block: Any = Secret.load(name.lower().replace("_", "-"))
    except ValueError:  # there is none
        return None
    return str(block.get())


def tell_block(slug: str, notice: Notice) -> list[str]:
    """Send a notice by a notification block; return what went wrong."""
    from prefect.blocks.core import Block

    try:
        block: Any = Block.load(slug)
        block.notify(body=hide(notice.text), subject=f"{notice.dataset}: {notice.event}")
    except Exception as error:  # of whichever service the block speaks to
        return [hide(f"notifications: the block {slug} failed: {str(error)[:200]}")]
    return []
