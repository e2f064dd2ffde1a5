"""`python -m deeporigin_mcp` is `deeporigin-mcp`."""

from deeporigin_mcp.cli import main

raise SystemExit(main())
