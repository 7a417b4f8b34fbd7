"""The script that app.py serves: the list of pages."""

from pathlib import Path

import streamlit as st

ICON = Path(__file__).with_name("icon.svg")

st.set_page_config("Landslide detection", page_icon=str(ICON), layout="wide")
st.navigation(
    [
        st.Page("start.py", title="Start", icon=":material/home:", default=True),
        st.Page("tour.py", title="Tour", icon=":material/tour:"),
        st.Page("scene.py", title="Scene", icon=":material/satellite_alt:"),
        st.Page("find.py", title="Find scenes", icon=":material/travel_explore:"),
        st.Page("detect.py", title="Detection", icon=":material/map:"),
        st.Page("decisions.py", title="Decision", icon=":material/troubleshoot:"),
        st.Page("review.py", title="Review", icon=":material/rate_review:"),
        st.Page("export.py", title="Export", icon=":material/ios_share:"),
        st.Page("model_card.py", title="Model card", icon=":material/fact_check:"),
    ],
    position="top",  # leaves the whole width to the map
).run()
