"""What the wing for other projects does, beside the real projects."""
