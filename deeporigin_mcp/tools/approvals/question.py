"""What a person is asked before a run starts, whichever way it reaches them."""

from __future__ import annotations

from dataclasses import dataclass

NOTED = (
    "Your yes is noted for 10 minutes. Your assistant starts the run with it if the quote is still the same, and can "
    "tell you whether it did."
)
"""What a person reads whose yes no call has used yet."""


@dataclass(frozen=True)
class Question:
    """What a person reads. All values are safe text of one line.

    Attributes:
        execution_id: of the quote; for a run that is to be created the fingerprint of its request.
        title: the price and who is charged.
        price: such as `10.10 USD`, or that it is not known.
        facts: label and value: tool, name, project, then others: inputs, what the limits leave.
        items: what the price consists of: name and amount.
        consequence: what yes and no do.
        about: what a yes is bound to: price, tool, version, project.
    """

    execution_id: str
    title: str
    price: str
    facts: tuple[tuple[str, str], ...]
    items: tuple[tuple[str, str], ...]
    consequence: str
    about: tuple[str, ...]
