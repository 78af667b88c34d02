"""A pair in one picture: candles, liquidations, z, waves, verdicts and trades."""
