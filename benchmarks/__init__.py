"""Speed, memory and bytes against rivals in the same run; `scripts/benchmark` runs all of it."""
