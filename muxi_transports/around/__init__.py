"""What the transports share that hold other transports."""
