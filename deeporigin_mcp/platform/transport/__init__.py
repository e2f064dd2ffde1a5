"""One request: authorised, retried where that is safe, its errors told apart."""
