"""Whatever a stranger, an accident or a slip of the finger may do: the ordeals, and the tests that run them small."""
