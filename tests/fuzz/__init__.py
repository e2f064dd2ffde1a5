"""Whatever the platform answers: no crash, nothing harmful on the way out, and no start that nobody approved."""
