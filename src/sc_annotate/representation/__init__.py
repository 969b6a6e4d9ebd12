"""The pipeline behind pretraining and embedding; empty so far."""
