"""The pages to draw and play on: pure functions, sessions, the server, and both pages in a real browser."""
