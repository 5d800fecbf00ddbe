"""SDK protocols that stores' servers and front ends already speak: one dialect each."""

from services.ingest.dialects.segment import Segment

DIALECTS: dict[str, Segment] = {"segment": Segment()}
