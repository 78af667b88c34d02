"""From a wave to a verdict, and from a verdict to a decision."""
