"""Python imports this first in every process of a run that has it on its path."""

from chaos.clock import install

install()
