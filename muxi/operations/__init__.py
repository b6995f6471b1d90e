"""The API by resource: each endpoint is one method that describes a call."""
