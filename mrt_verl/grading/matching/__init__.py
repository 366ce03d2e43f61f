"""Whether two forms are the same thing: a rule per pair of types."""
