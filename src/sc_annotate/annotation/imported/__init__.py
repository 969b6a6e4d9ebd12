"""Labels that other tools made, as results of this package, and their scores beside ours on labelled cells."""
