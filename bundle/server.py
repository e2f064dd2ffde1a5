"""Starts the server of this bundle; beside it lies the package."""

import sys

from deeporigin_mcp.cli import main

if __name__ == "__main__":
    sys.exit(main(["serve"]))
