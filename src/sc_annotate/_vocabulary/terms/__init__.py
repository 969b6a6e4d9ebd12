"""Terms of an ontology and their ancestors."""
