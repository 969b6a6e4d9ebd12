"""An AnnData opened: the matrix found and its scale detected, genes matched, rows read block by block."""
