"""LiqTrend's data side: liquidations in, features, waves and verdicts out."""

__version__ = "0.1.0"
