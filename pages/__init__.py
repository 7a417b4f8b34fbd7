"""The web application: one module a page, and the parts they draw with."""
