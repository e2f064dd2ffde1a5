"""Which of its parts a script is to run."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence


def chosen(
    program: str, description: str, part: str, known: Iterable[str], arguments: Sequence[str] | None
) -> list[str]:
    """The parts that the command line names, or all; it ends the process where one is unknown.

    Args:
        part: what one of them is called, such as `client`.
    """
    names = list(known)
    all_of_them = ", ".join(names)
    parser = argparse.ArgumentParser(prog=program, description=description)
    parser.add_argument(part, nargs="*", help=f"default: all of {all_of_them}")
    wanted: list[str] = getattr(parser.parse_args(arguments), part) or names
    if unknown := [name for name in wanted if name not in names]:
        parser.error(f"no such {part}: {', '.join(unknown)}. {part.capitalize()}s: {all_of_them}")
    return wanted
