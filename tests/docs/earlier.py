"""What people asked, and liked, before a page begins: `python -m tests.docs.earlier`."""

from __future__ import annotations

import asyncio
import sys

from agent.settings import load_settings
from tests.support.liked import people
from tests.support.model_server import ModelServer

ANSWERS = {
    "How long can I return boots?": "Boots come back within 60 days of delivery.",
    "how long can I return boots": "Boots come back within 60 days of delivery.",
    "My address is ada@example.com. Where is my tent?": "It left the warehouse yesterday.",
    "Write to bo@example.com when the stove is back.": "I cannot write e-mails; the stove is back in May.",
    "I am cy@example.com, and my jacket is torn.": "That falls under the warranty of two years.",
    "Is dee@example.com the address you have of me?": "It is the one on your last order.",
    "Call me at +44 20 7946 0958 about my kayak.": "The workshop calls customers between 9 and 17.",
    "My number is +49 30 901820, not the old one.": "You can change it in your account.",
    "Ring (415) 555-2671 before you deliver.": "The carrier rings an hour before.",
    "Send the receipt to eve@example.com and flo@example.com.": "Receipts go to the address of the order.",
    "Do you sharpen ice axes?": "Yes, in Utrecht, on Saturdays.",
    "What does shipping to Norway cost?": "It costs 14.50 EUR below 2 kg.",
    "Can I pay with a voucher and a card?": "Both together, at the till and in the shop.",
    "Which stove burns at minus twenty?": "The Lynx, on petrol.",
}


async def ask(liked: int) -> None:
    """Ask each question in a thread of its own.

    Args:
        liked: how many of the answers are given a thumb.
    """
    async with people(load_settings(), ModelServer()) as they:  # whose replies the page's own server gives
        for number, question in enumerate(ANSWERS):
            thread = await they.ask(question)
            if number < liked:
                await they.say(thread)


if __name__ == "__main__":
    asyncio.run(ask(int(sys.argv[1])))
