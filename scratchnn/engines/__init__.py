"""Engines: whoever computes with matrices. Layers, losses and optimizers are written against their operations."""
