"""Where results are kept in an AnnData and in files, and how they are read back."""
