"""A comparison of directories as text, Markdown, JSON and HTML."""
