"""What a platform knows, and what changes it: organisations, executions, money, faults."""
