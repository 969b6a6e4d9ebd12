"""The pipeline behind pretraining and embedding: open, align, encode, score, store."""
