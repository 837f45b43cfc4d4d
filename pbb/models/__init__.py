"""The only room with torch: models are loaded, trained and asked here."""
