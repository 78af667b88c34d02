"""The process that records, settles and judges, beside the bots that it serves."""
