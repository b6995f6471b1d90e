"""What an embedded formation remembers; nothing here knows HTTP."""
