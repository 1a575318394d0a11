"""The configuration of the embedded PostgreSQL, made to the measure of the machine it runs on."""

import os
from pathlib import Path

MIB = 1 << 20


def configuration() -> str:
    """The text of the included configuration file. What an operator sets with ALTER SYSTEM goes before it."""
    memory = memory_bytes() // MIB
    settings: dict[str, str] = {
        "max_connections": "200",
        "shared_buffers": f"{_within(memory // 4, 64, 2048)}MB",
        "effective_cache_size": f"{_within(memory * 6 // 10, 128, 65536)}MB",
        "work_mem": f"{_within(memory // 512, 4, 32)}MB",
        "maintenance_work_mem": f"{_within(memory // 16, 32, 512)}MB",
        "max_wal_size": "4GB" if memory >= 4096 else "1GB",
        "min_wal_size": "128MB",
        "checkpoint_timeout": "15min",
        "wal_compression": "on",
        "synchronous_commit": "on",
        "random_page_cost": "1.1",
        "jit": "off",
        "timezone": "'UTC'",
        "log_timezone": "'UTC'",
        "unix_socket_permissions": "0700",
        "logging_collector": "on",
        "log_filename": "'postgresql-%a.log'",
        "log_rotation_age": "1d",
        "log_truncate_on_rotation": "on",
        "log_min_messages": "warning",
        "log_min_error_statement": "panic",  # statements hold values, and logs must not
        "log_checkpoints": "off",
        "log_line_prefix": "'%m [%p] %u@%d '",
    }
    if _small_shared_memory():
        settings["dynamic_shared_memory_type"] = "mmap"
    lines = ["# Written by Backstep at each start; use ALTER SYSTEM to change a setting for good."]
    lines += [f"{name} = {value}" for name, value in settings.items()]
    return "\n".join(lines) + "\n"


def memory_bytes() -> int:
    """Memory that this process may use, in bytes: the machine's, or less where a control group says so."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            sizes.append(int(Path(limit).read_text()))
        except (OSError, ValueError):
            continue
    return min(sizes)


def _within(value: int, least: int, most: int) -> int:
    return max(least, min(value, most))


def _small_shared_memory() -> bool:
    """Whether /dev/shm is missing or small, as in many containers: parallel queries would fail there."""
    try:
        status = os.statvfs("/dev/shm")
    except OSError:
        return True
    return status.f_frsize * status.f_blocks < 256 * MIB
