"""Files of other tools: CellTypist models, lists of shared models, columns of labels."""
