"""Models of others: files, addresses, CellTypist."""
