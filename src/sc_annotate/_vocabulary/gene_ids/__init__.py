"""Gene names mapped onto others."""
