"""Why a photos model says what it says: maps over its photos, and what metadata are worth."""
