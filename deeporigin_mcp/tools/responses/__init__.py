"""What every response is made of: its text, and the limit of its size."""
