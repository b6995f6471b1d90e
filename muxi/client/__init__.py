"""The clients without their operations: sync, async and raw clients from one description of each endpoint."""
