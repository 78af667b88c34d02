"""Who does the same without LiqTrend. Imported in the peers' environment alone."""
