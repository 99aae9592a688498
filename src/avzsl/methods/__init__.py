"""Methods: one file each, registered by name."""

from avzsl.methods.base import Batch, Dims, Method, MethodOptions, Training, methods

__all__ = ["Batch", "Dims", "Method", "MethodOptions", "Training", "methods"]
