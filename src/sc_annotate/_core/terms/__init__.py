"""Terms and what lies under what."""
