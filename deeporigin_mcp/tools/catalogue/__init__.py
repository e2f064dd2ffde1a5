"""Find and describe the platform's tools, and check the inputs of a run against a tool's own schema."""
