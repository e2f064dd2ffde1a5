"""One request: authorisation, retries, errors."""
