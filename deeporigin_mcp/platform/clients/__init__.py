"""One resource client a file."""
