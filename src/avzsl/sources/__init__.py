"""Where published files come from, whether they are here, and that they are what they should be."""
