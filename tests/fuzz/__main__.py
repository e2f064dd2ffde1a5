"""`python -m tests.fuzz`: damage the platform's responses for as long as you like; exit 1 if anything was found."""

from __future__ import annotations

import argparse
import logging
import secrets

import anyio

from deeporigin_mcp.logs import say
from tests.fuzz.sessions import Findings, one_session, run_sessions


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3_600, help="how long (default: an hour)")
    parser.add_argument("--seed", default="", help="default: a random one; it is printed")
    parser.add_argument("--session", default="", help="repeat this one session only, as a finding names it")
    options = parser.parse_args()
    # What is found is printed at the end; lines of the log would bury it.
    logging.root.addHandler(logging.NullHandler())
    if options.session:
        findings = Findings()
        anyio.run(one_session, options.session, findings)
    else:
        seed = options.seed or secrets.token_hex(4)
        say(f"seed {seed}")
        findings = run_sessions(seed, seconds=options.seconds)
    say(str(findings))
    return 1 if findings.kinds else 0


if __name__ == "__main__":
    raise SystemExit(main())
