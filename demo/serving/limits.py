"""How much a visitor may ask for: so many runs a minute, at once or spread. Knows no page."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Network, ip_address, ip_network

MOST_VISITORS = 10_000  # that are remembered without looking who may be forgotten
TRANSLATED = IPv6Network("64:ff9b::/96")  # addresses of IPv4, as networks without it write them (RFC 6052)


@dataclass
class Allowance:
    """So many a minute, at once or spread: what is left of them comes back as time goes by. Of each visitor."""

    a_minute: int
    left: dict[str, tuple[float, float]] = field(default_factory=dict)  # visitor: how many, and when that was
    swept: float = 0.0

    def take(self, visitor: str, now: float) -> float:
        """0, or the seconds until there is one to take."""
        left, then = self.left.get(visitor, (self.a_minute, now))
        left = min(self.a_minute, left + (now - then) * self.a_minute / 60)
        if left < 1:
            return (1 - left) * 60 / self.a_minute
        self.left[visitor] = left - 1, now
        if len(self.left) > MOST_VISITORS and now - self.swept > 1:
            self.swept = now
            self.left = {each: kept for each, kept in self.left.items() if now - kept[1] < 60}
        return 0


def visitor_of(host: str) -> str:
    """By address; of IPv6 by network, as a visitor has a whole one, unless it stands for an address of IPv4."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if address.version == 4:
        return str(address)
    if address in TRANSLATED:
        return str(IPv4Address(int(address) & 0xFFFF_FFFF))
    return str(address.ipv4_mapped or ip_network((address, 64), strict=False))
