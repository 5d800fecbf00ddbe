"""What an operator may set about messages (prefix `QUERENCIA_`), kept with the service's data at each start."""

from datetime import time, timedelta

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.notifications.policy import Limits
from services.notifications.quiet import QuietHours


class MessageSettings(BaseSettings):
    """Limits on marketing messages; transactional ones know none of them."""

    model_config = SettingsConfigDict(env_prefix="QUERENCIA_", env_file=".env", extra="ignore", frozen=True)

    quiet_from: time = Field(time(22), description="From when, in the recipient's zone, no marketing goes out")
    quiet_to: time = Field(time(8), description="Until when; equal to quiet_from: never quiet")
    message_cap: int = Field(4, ge=1, description="Most marketing messages to one address per channel in cap_days")
    cap_days: int = Field(7, ge=1, description="Length of the rolling window of message_cap")
    holdout_permille: int = Field(
        0, ge=0, le=1000, description="Share of customers, in 1/1000, kept out of a marketing journey, drawn for each"
    )
    control_permille: int = Field(
        0, ge=0, le=1000, description="Share of customers, in 1/1000, who get no marketing by any journey"
    )

    def limits(self) -> Limits:
        """The limits as the arbiter reads them."""
        quiet = QuietHours(self.quiet_from, self.quiet_to)
        window = timedelta(days=self.cap_days)
        return Limits(self.message_cap, window, quiet, self.holdout_permille, self.control_permille)
