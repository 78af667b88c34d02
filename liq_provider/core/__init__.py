"""The words that everybody uses: orders, markets, minutes, coverage, clocks, plain text."""
