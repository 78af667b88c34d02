"""What is asked of exchanges through ccxt: candles, their clock, what they list."""
