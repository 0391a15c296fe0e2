"""What each request does: one row per request."""
