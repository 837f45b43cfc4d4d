"""Who is taught what: an experiment, its presets and studies, its documents and curricula."""
