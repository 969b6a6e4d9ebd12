"""Names: ontologies, marker lists, genes and their tables, perturbed conditions."""
