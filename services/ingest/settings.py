"""What an operator may set about what comes in (prefix `QUERENCIA_`)."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class IngestSettings(BaseSettings):
    """How much one source or address may send a second; 0 sets no limit."""

    model_config = SettingsConfigDict(env_prefix="QUERENCIA_", env_file=".env", extra="ignore", frozen=True)

    source_events: int = Field(
        50_000, ge=0, description="Events a second that one key or webhook source may send, ten seconds' worth at once"
    )
    address_requests: int = Field(
        5_000, ge=0, description="Requests a second that one address may make to the routes for events and webhooks"
    )
