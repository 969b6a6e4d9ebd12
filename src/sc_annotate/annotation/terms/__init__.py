"""Labels as terms of an ontology, and broad labels where the fine one is weak."""
