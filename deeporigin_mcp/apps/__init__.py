"""Pages that a person looks at: HTML with style and script inside, without Deep Origin logic and without a network."""
