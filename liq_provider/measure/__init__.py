"""Pure numbers: from minutes to features, scores, waves, trend and readiness. No I/O."""
