"""The one wait engine, and what it sees of the platform."""
