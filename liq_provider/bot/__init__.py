"""What the strategy calls: what is known, who may enter, stops, messages."""
