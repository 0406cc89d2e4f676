"""Numbers to medians, ratios and the table of what this project promises.

Rounds are dicts of metric → number for each chain. It measures nothing.
"""
import statistics

MB = 1 << 20

# metric, unit shown, divisor, digits
ROWS = [
    ("up_gbps", "one stream up, Gb/s", 1, 2),
    ("down_gbps", "one stream down, Gb/s", 1, 2),
    ("client_s_per_gb_up", "client CPU up, s/GB", 1, 3),
    ("client_s_per_gb_down", "client CPU down, s/GB", 1, 3),
    ("server_s_per_gb_up", "server CPU up, s/GB", 1, 3),
    ("server_s_per_gb_down", "server CPU down, s/GB", 1, 3),
    ("conn_per_s", "new connections/s (64 at once)", 1, 0),
    ("client_us_per_conn", "client CPU per connection, us", 1, 1),
    ("udp_60k", "UDP 64 B of 60k/s offered, k/s", 1e3, 1),
    ("udp_150k", "UDP 64 B of 150k/s offered, k/s", 1e3, 1),
    ("udp_400k", "UDP 64 B of 400k/s offered, k/s", 1e3, 1),
    ("udp_150k_client_us", "client CPU per datagram at 150k, us", 1, 2),
    ("udp_150k_server_us", "server CPU per datagram at 150k, us", 1, 2),
    ("client_dirty_before", "client memory before the first flow, MB", MB, 2),
    ("server_dirty_before", "server memory before the first flow, MB", MB, 2),
    ("client_dirty_after", "client memory after flood and rest, MB", MB, 2),
    ("server_dirty_after", "server memory after flood and rest, MB", MB, 2),
    ("client_bytes_per_idle_flow", "client memory per idle flow, kB", 1024, 2),
    ("server_bytes_per_idle_flow", "server memory per idle flow, kB", 1024, 2),
]

# What gatun is to reach: name, metrics that must all hold, how to compute one, bound.
# A "min" goal holds at or above its bound, a "max" goal at or below.
RATIO_GOALS = [
    ("one stream up / ss-redir's", "up_gbps", "min", 1.6),
    ("one stream down / ss-redir's", "down_gbps", "min", 1.6),
    ("client CPU per GB up / ss-redir's", "client_s_per_gb_up", "max", 0.5),
    ("client CPU per GB down / ss-redir's", "client_s_per_gb_down", "max", 0.5),
    ("server CPU per GB up / ss-server's", "server_s_per_gb_up", "max", 0.6),
    ("server CPU per GB down / ss-server's", "server_s_per_gb_down", "max", 0.6),
    ("new connections/s / ss-redir's", "conn_per_s", "min", 1.0),
]


def medians(rounds):
    """Median of each metric over the rounds in which it could be measured."""
    keys = {key for one in rounds for key in one}
    found = {}
    for key in keys:
        values = [one[key] for one in rounds if one.get(key) is not None]
        if values:
            found[key] = statistics.median(values)
    return found


def ratio(ours, theirs, key):
    if key in ours and theirs.get(key):
        return ours[key] / theirs[key]
    return None


def own_values(ours):
    """Goals that need no peer: name, value, kind, bound."""
    def part(above, below):
        return ours[above] / ours[below] if above in ours and ours.get(below) else None

    yield "UDP lost at 150k/s offered", ours.get("udp_150k_loss"), "max", 0.0
    yield "UDP delivered at 400k / at 150k", part("udp_400k", "udp_150k"), "min", 1.0
    for side in ("client", "server"):
        before = ours.get(side + "_dirty_before")
        yield side + " memory before the first flow, MB", before and before / MB, "max", 2.0
        yield side + " memory 60 s after the flood / before", part(side + "_dirty_after", side + "_dirty_before"), "max", 1.10
    idle = ours.get("client_bytes_per_idle_flow")
    yield "client memory per idle flow, kB", None if idle is None else idle / 1024, "max", 4.0


def doubts(medians_of):
    """Where the load itself fell short: the sender shares the cores with what it loads."""
    for rate in (60, 150, 400):
        offered = {name: one.get("udp_%dk_offered" % rate) for name, one in medians_of.items()}
        short = ["%s %.0fk" % (name, value / 1e3) for name, value in offered.items() if value and value < rate * 1000 * 0.98]
        if short:
            yield "of %dk datagrams/s the sender found time to offer only: %s" % (rate, ", ".join(short))


def goals(ours, theirs):
    found = [(name, ratio(ours, theirs, key), kind, bound) for name, key, kind, bound in RATIO_GOALS]
    found += list(own_values(ours))
    return [{"goal": name, "value": value, "kind": kind, "bound": bound,
             "met": None if value is None else (value >= bound if kind == "min" else value <= bound)}
            for name, value, kind, bound in found]


# Who is set beside whom: ours, the peer under the same rules.
PAIRS = [("gatun", "ss-redir"), ("gatun-redir", "ss-redir"), ("gatun-tproxy", "ss-redir-T")]


def table(names, medians_of):
    width = max(len(row[1]) for row in ROWS) + 1
    pairs = [(own, peer) for own, peer in PAIRS if own in names and peer in names]
    lines = ["%-*s" % (width, "") + "".join("%15s" % name for name in names) + "".join("%19s" % (own + "/peer") for own, _ in pairs)]
    for key, title, divisor, digits in ROWS:
        cells = ["%15s" % ("-" if key not in medians_of[name] else "%.*f" % (digits, medians_of[name][key] / divisor)) for name in names]
        if not any(cell.strip() != "-" for cell in cells):
            continue
        for own, peer in pairs:
            value = ratio(medians_of[own], medians_of[peer], key)
            cells.append("%19s" % ("-" if value is None else "%.2f x" % value))
        lines.append("%-*s" % (width, title) + "".join(cells))
    return "\n".join(lines)


def goal_table(found):
    lines = ["%-50s %10s %12s" % ("goal", "measured", "wanted")]
    for one in found:
        value = "-" if one["value"] is None else "%.4f" % one["value"] if 0 < one["value"] < 0.01 else "%.2f" % one["value"]
        verdict = {None: "not measured", True: "met", False: "MISSED"}[one["met"]]
        sign = ">=" if one["kind"] == "min" else "<="
        lines.append("%-50s %10s %7s %4.2f   %s" % (one["goal"], value, sign, one["bound"], verdict))
    return "\n".join(lines)
