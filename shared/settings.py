"""Every setting of Querencia, read once from the environment (prefix `QUERENCIA_`) or an `.env` file."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What an operator can set; with nothing set, one process on SQLite in `./data`."""

    model_config = SettingsConfigDict(env_prefix="QUERENCIA_", env_file=".env", extra="ignore", frozen=True)

    database_url: str = Field(
        "", description="URL of each service's database, `{service}` is replaced; empty: SQLite files in data_dir"
    )
    bus_url: str = Field("", description="`kafka://host:port[,host:port]`; empty: a log in data_dir")
    data_dir: Path = Field(Path("data"), description="Where SQLite files, generated secrets and the maildir live")
    topic_prefix: str = Field("", description="Put before every topic and consumer group, to share one Kafka")
    topic_replication: int = Field(
        1, ge=1, description="Copies Kafka keeps of each topic when it is made; a write waits for all but one of them"
    )
    http_host: str = Field("127.0.0.1", description="Address to listen on")
    http_port: int = Field(8000, ge=0, le=65535, description="Port to listen on")
    public_url: str = Field(
        "http://127.0.0.1:8000", description="How recipients reach this installation, for links in mails"
    )
    master_key: str = Field(
        "", description="Key (URL-safe base64, 32 bytes) that encrypts stored secrets; empty: one is made in data_dir"
    )
    clock_offset_seconds: float = Field(0.0, description="Business time less machine time")
    smtp_url: str = Field(
        "", description="`smtp://user:password@host:port` or `smtps://`; empty: a maildir in data_dir"
    )
    mail_from: str = Field("shop@example.invalid", description="Sender of all mail")
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")
    otlp_endpoint: str = Field(
        "", description="Address of an OpenTelemetry collector (OTLP over HTTP) that traces go to; empty: none are made"
    )
    replica: str = Field("", description="Name of this process among its replicas; empty: made up at start")
    database_connections: int = Field(
        10, ge=3, description="Most connections a process holds to its PostgreSQL database"
    )

    def database_of(self, service: str) -> str:
        """URL of one service's database."""
        if self.database_url:
            return self.database_url.replace("{service}", service)
        return f"sqlite:///{self.data_dir.resolve()}/{service}.db"

    def bus(self) -> str:
        """URL of the bus."""
        return self.bus_url or f"log:///{self.data_dir.resolve()}/bus.db"
