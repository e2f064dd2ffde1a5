"""What the wire says: records, values and queries, without a network."""
