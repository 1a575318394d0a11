"""The settings of a process: one frozen, typed object, read once from the environment."""

import difflib
import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from domain.wire import flag

PREFIX = "BACKSTEP_"

Locale = Literal["en", "pl", "es", "de"]


class StartError(Exception):
    """Something outside the program keeps it from starting; the text says what, and what to do about it."""


def _number(default: int, least: int) -> BeforeValidator:
    """Whole number of at least `least`; unreadable or smaller values mean `default` (audit-logs.md, settings)."""

    def read(value: object) -> int:
        try:
            number = int(str(value).strip())
        except ValueError:
            return default
        return number if number >= least else default

    return BeforeValidator(read)


def _positive(value: object) -> int | None:
    """A whole number above 0; anything else means that none is set."""
    text = str(value).strip()
    return int(text) if text.isdecimal() and int(text) > 0 else None


def _words(value: object) -> object:
    """Comma separated text as a tuple of its non-blank words."""
    return (
        tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value
    )


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]

Switch = Annotated[
    bool, BeforeValidator(lambda value: flag(value) is True if isinstance(value, str) else value)
]
"""A boolean token; any other text counts as false."""


Unless = Annotated[
    bool, BeforeValidator(lambda value: flag(value) is not False if isinstance(value, str) else value)
]
"""A boolean token; any other text counts as true."""


def _named(name: str, default: Any, *, older: str | None = None, others: tuple[str, ...] = ()) -> Any:
    """A setting that keeps the contract's own name instead of the prefix (and perhaps an older one, and others)."""
    names = [name, *([older] if older else []), *others]
    alias: str | AliasChoices = AliasChoices(*names) if len(names) > 1 else name
    return Field(default, validation_alias=alias)


class Settings(BaseSettings):
    """Everything a process can be told from outside. Secrets never show in its `repr`.

    Settings of Backstep's own start with `BACKSTEP_`; those of the documented API keep their names.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="forbid",
        env_ignore_empty=True,
        hide_input_in_errors=True,
        validate_by_name=True,
        validate_by_alias=True,
    )

    # Process
    data: Path = Path("var")
    database_url: SecretStr | None = _named("DATABASE_URL", None)
    attached: SecretStr | None = None
    """Internal: admin DSN of the embedded PostgreSQL that the parent process holds open for its workers."""
    demo: bool = False
    environment: Literal["development", "production"] = "development"
    secret: SecretStr | None = None
    """Master key of the installation, any text of 32 characters or more; without it, a key file is made."""
    admin_password: SecretStr | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "console", "json"] = "auto"
    pool_size: int = Field(24, ge=3, le=180)
    """Most connections that one process holds for its requests: a third for reading, the others for commands."""
    max_body_bytes: int = Field(1_048_576, ge=1_024)
    """Longest request body."""

    # Addresses
    app_url: str | None = _named("APP_URL", None)
    public_app_url: str | None = _named("NEXT_PUBLIC_APP_URL", None)
    app_allowed_origins: Words = _named("APP_ALLOWED_ORIGINS", ())

    # Sign-in
    jwt_secret: SecretStr | None = _named("JWT_SECRET", None)
    jwt_staff_secret: SecretStr | None = _named("JWT_STAFF_SECRET", None)
    auth_token_secret: SecretStr | None = _named("AUTH_TOKEN_SECRET", None, older="AUTH_SECRET")
    remember_me_days: Annotated[int, _number(30, 1)] = _named("REMEMBER_ME_DAYS", 30)
    lookup_hash_pepper: SecretStr | None = _named("LOOKUP_HASH_PEPPER", None)
    password_min_length: Annotated[int, _number(6, 1)] = _named("OM_PASSWORD_MIN_LENGTH", 6)
    password_require_digit: bool = _named("OM_PASSWORD_REQUIRE_DIGIT", True)
    password_require_uppercase: bool = _named("OM_PASSWORD_REQUIRE_UPPERCASE", True)
    password_require_special: bool = _named("OM_PASSWORD_REQUIRE_SPECIAL", True)

    consent_integrity_secret: SecretStr | None = _named("CONSENT_INTEGRITY_SECRET", None)

    # Encryption
    tenant_data_encryption: Switch = _named("TENANT_DATA_ENCRYPTION", True)
    """Whether designated fields are sealed; what is sealed already is opened in any case."""
    tenant_data_encryption_key: SecretStr | None = _named(
        "TENANT_DATA_ENCRYPTION_FALLBACK_KEY", None, older="TENANT_DATA_ENCRYPTION_KEY"
    )
    """Secret that wrapping keys are derived from, in place of the master key; 32 characters or more."""
    vault_addr: str | None = _named("VAULT_ADDR", None)
    """Address of a HashiCorp Vault; when it is set, the wrapping keys are kept there."""
    vault_token: SecretStr | None = _named("VAULT_TOKEN", None)
    vault_kv_path: str = _named("VAULT_KV_PATH", "secret/data")
    vault_request_timeout_ms: Annotated[int, _number(1_000, 1)] = _named("VAULT_REQUEST_TIMEOUT_MS", 1_000)

    # Mail
    smtp_url: SecretStr | None = _named("SMTP_URL", None)
    """`smtp://user:password@host:port` or `smtps://…`; in place of the five settings below."""
    smtp_host: str | None = _named("SMTP_HOST", None)
    smtp_port: int | None = Field(None, ge=1, le=65_535, validation_alias="SMTP_PORT")
    smtp_user: str | None = _named("SMTP_USER", None)
    smtp_password: SecretStr | None = _named("SMTP_PASSWORD", None)
    smtp_tls: Literal["auto", "none", "starttls", "tls"] = _named("SMTP_TLS", "auto")
    """`tls`: from the first byte; `starttls`: required; `auto`: TLS on port 465, elsewhere STARTTLS if offered."""
    email_from: str = _named("NOTIFICATIONS_EMAIL_FROM", "", older="EMAIL_FROM", others=("ADMIN_EMAIL",))
    """Sender of all mail; without it, `backstep@` the host of APP_URL."""
    email_disabled: Switch = _named("OM_DISABLE_EMAIL_DELIVERY", False)
    """Mail counts as sent and goes nowhere; so does it in test mode."""
    test_mode: Switch = _named("OM_TEST_MODE", False)

    # Requests
    optimistic_lock: str = _named("OM_OPTIMISTIC_LOCK", "all")
    """`all`, `off`, or the resource kinds that are checked, comma separated (see `locks`)."""
    force_locale: Locale | None = _named("OM_FORCE_LOCALE", None)
    rate_limit_enabled: bool = _named("RATE_LIMIT_ENABLED", True)
    rate_limit_strategy: Literal["memory", "redis"] = _named("RATE_LIMIT_STRATEGY", "memory")
    rate_limit_key_prefix: str = _named("RATE_LIMIT_KEY_PREFIX", "rl")
    rate_limit_trust_proxy_depth: int = Field(0, ge=0, le=16, validation_alias="RATE_LIMIT_TRUST_PROXY_DEPTH")
    redis_url: SecretStr | None = _named("REDIS_URL", None)

    # Cache
    cache_strategy: Literal["memory", "redis"] = _named("CACHE_STRATEGY", "memory")
    """Where the cache is kept: in each process, or in the Redis of REDIS_URL."""
    cache_ttl: Annotated[int | None, BeforeValidator(_positive)] = _named("CACHE_TTL", None)
    """Longest life of a cached value, in milliseconds; without it, five minutes."""
    cache_memory_entries: int = Field(50_000, ge=100, validation_alias="CACHE_MEMORY_MAX_ENTRIES")
    crud_cache: Switch = _named("ENABLE_CRUD_API_CACHE", False)
    """Whether the answers of lists are cached."""
    toggles_uncached: Switch = _named("OM_FEATURE_TOGGLES_CACHE_DISABLED", False)
    """Whether each check of a feature toggle asks the database."""
    upgrade_actions: Switch = _named("UPGRADE_ACTIONS_ENABLED", False)

    # Query index
    force_partial_index: Switch = _named("FORCE_QUERY_INDEX_ON_PARTIAL_INDEXES", False)
    """Whether lists read the index although documents are missing; else they read the tables meanwhile."""
    auto_reindex: Unless = Field(
        True, validation_alias=AliasChoices("SCHEDULE_AUTO_REINDEX", "QUERY_INDEX_AUTO_REINDEX")
    )
    """Whether a list that meets missing documents has them built."""
    coverage_cache_ms: Annotated[int, _number(300_000, 0)] = _named("QUERY_INDEX_COVERAGE_CACHE_MS", 300_000)
    """How long the counts that lists warn with are believed, in milliseconds."""
    search_tokens: Unless = _named("OM_SEARCH_ENABLED", True)
    """Whether searches look records up by their tokens; else they compare the text of each, with the same result."""
    search_blocklist: Words = _named("OM_SEARCH_FIELD_BLOCKLIST", ())
    """Custom fields with one of these words in their key are not searched."""

    encrypted_sort_max_rows: Annotated[int | None, BeforeValidator(_positive)] = _named(
        "OM_ENCRYPTED_SORT_MAX_ROWS", None
    )
    """How many sealed labels are opened to sort choices by them; without it, 5,000."""

    # Audit logs
    audit_core_retention_days: Annotated[int, _number(7, 1)] = _named("AUDIT_LOGS_CORE_RETENTION_DAYS", 7)
    audit_other_retention_hours: Annotated[int, _number(8, 1)] = _named(
        "AUDIT_LOGS_NON_CORE_RETENTION_HOURS", 8
    )
    audit_rotate_interval_ms: Annotated[int, _number(60_000, 0)] = _named(
        "AUDIT_LOGS_ROTATE_INTERVAL_MS", 60_000
    )
    access_log_blocking: bool = _named("OM_CRUD_ACCESS_LOG_BLOCKING", False)

    # Live events
    event_retention_hours: int = Field(24, ge=1)
    """How long published events, and stored answers of idempotency keys, are kept."""
    stream_heartbeat_seconds: float = Field(30.0, gt=0)
    """How often an idle live stream shows that it is alive, and looks whether its user still may listen."""

    @classmethod
    def read(cls, **given: Any) -> Self:
        """The settings of this process: the environment, with what the command line gave on top (`None` = not given).

        Raises `StartError` naming every wrong value and every `BACKSTEP_*` name that does not exist.
        """
        refuse_unknown_names()
        try:
            return cls(**{name: value for name, value in given.items() if value is not None})
        except ValidationError as error:
            faults = "; ".join(
                f"{_variable(str(fault['loc'][0]) if fault['loc'] else '')}: {fault['msg']}"
                for fault in error.errors()
            )
            raise StartError(f"Wrong setting. {faults}") from None

    @field_validator("data", mode="after")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("force_locale", mode="before")
    @classmethod
    def _known_locale(cls, value: object) -> object:
        return value.strip().lower() if isinstance(value, str) else value

    @field_validator("secret", "jwt_staff_secret", mode="after")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 32:
            raise ValueError("must have at least 32 characters")
        return value

    @property
    def keys_dir(self) -> Path:
        """Folder of the key files, readable only by the owner."""
        return self.data / "keys"

    @property
    def run_dir(self) -> Path:
        """Folder of lock files; its contents mean nothing once no process runs."""
        return self.data / "run"

    @property
    def production(self) -> bool:
        """Whether cookies are `Secure` and origins are checked strictly."""
        return self.environment == "production"

    @property
    def base_url(self) -> str | None:
        """APP_URL without a slash at the end; None when it is not set."""
        return self.app_url.rstrip("/") if self.app_url else None

    def locks(self, resource_kind: str) -> bool:
        """Whether the optimistic lock applies to this resource kind (command-bus.md, section 8)."""
        wanted = self.optimistic_lock.strip().lower()
        if wanted in {"", "all", "on", "1", "true"}:
            return True
        if wanted in {"off", "false", "0", "no", "disabled", "none"}:
            return False
        return resource_kind.lower() in {kind.strip() for kind in wanted.split(",")}


def _variable(place: str) -> str:
    """The name in the environment of the setting that a validation error points to."""
    return PREFIX + place.upper() if place in Settings.model_fields else place


def refuse_unknown_names() -> None:
    """Fail on a `BACKSTEP_*` variable that nothing reads: most likely a typing error."""
    known = {
        PREFIX + name.upper()
        for name, field in Settings.model_fields.items()
        if field.validation_alias is None
    }
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise StartError(f"The environment variable {name} is unknown.{hint}")


def master_key(settings: Settings) -> bytes:
    """The 32-byte key from which all keys of the installation are derived.

    Taken from `BACKSTEP_SECRET`, else from `DATA/keys/master.key`, which is made (mode 0600) when missing.
    Safe when two processes start together. Raises `StartError` when the file cannot be used, and in production with
    DATABASE_URL, where several machines must share one key, when no key was given.
    """
    if settings.secret is not None:
        import hashlib

        return hashlib.sha256(settings.secret.get_secret_value().encode()).digest()
    if settings.database_url is not None and settings.production:
        raise StartError(
            "Set BACKSTEP_SECRET (the same text of 32 characters or more on every machine): in production with "
            "DATABASE_URL no key file is made."
        )
    path = settings.keys_dir / "master.key"
    try:
        return _read_key(path) if path.exists() else _make_key(path)
    except OSError as error:
        raise StartError(f"The key file {path} cannot be used: {error.strerror or error}.") from None


def _read_key(path: Path) -> bytes:
    key = path.read_bytes()
    if len(key) != 32:
        raise StartError(
            f"The key file {path} is damaged: it must hold exactly 32 bytes, it holds {len(key)}."
        )
    return key


def _make_key(path: Path) -> bytes:
    """Write a new key aside and link it into place, so that of two starters one wins and both read the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.urandom(32))
            file.flush()
            os.fsync(file.fileno())
        if os.geteuid() == 0:  # whoever owns the data directory must be able to use it later without root
            owner = path.parent.parent.stat()
            os.chown(path.parent, owner.st_uid, owner.st_gid)
            os.chown(draft, owner.st_uid, owner.st_gid)
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
    finally:
        draft.unlink(missing_ok=True)
    return _read_key(path)
