"""The clients without their operations: what makes a sync, an async and a raw client of one description."""
