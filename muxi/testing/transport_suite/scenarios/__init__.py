"""The rules of the contract of transports by subject; each module has those for any way, and those for sockets."""
