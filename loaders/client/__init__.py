"""What an application needs to report events. Standard library only."""

from loaders.client.emitter import Emitter

__all__ = ["Emitter"]
