"""Lists of marker genes."""
