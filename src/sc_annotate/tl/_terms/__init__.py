"""Labels as terms of an ontology, and broad names where the fine one is weak."""
