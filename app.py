"""The ASGI app: the Streamlit script, and the routes its map reads from the same port."""

import streamlit as st

from pages.parts.routes import routes

app = st.App("pages/navigation.py", routes=routes(st.get_option("server.baseUrlPath")))
