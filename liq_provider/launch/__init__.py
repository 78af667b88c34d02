"""``make demo`` and ``make trade``: everything at once, told in words."""
