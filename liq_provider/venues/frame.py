"""What a websocket carries."""

Frame = str | bytes
