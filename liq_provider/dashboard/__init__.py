"""The web page: what the sidecar, the judge and the bot are doing, live."""
