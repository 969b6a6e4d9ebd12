"""Names from lists of markers, and what such lists say of an annotation."""
