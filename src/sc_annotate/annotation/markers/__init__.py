"""Labels from lists of marker genes, and what such lists say of an annotation."""
