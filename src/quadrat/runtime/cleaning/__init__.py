"""Cleaning photos before anything looks at them: burnt-in dates, and what stands at the bottom."""
