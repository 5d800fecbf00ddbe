"""Where ingest tells its facts."""

TOPIC = "ingest"
