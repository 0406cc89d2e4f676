/*
 * gatun as a library, for programs that own a TUN device (VPN apps, sandboxes):
 * hand over its descriptor and a config, and every TCP stream and UDP flow that
 * enters the device goes through the config's Shadowsocks server.
 *
 *	char why[256];
 *	int rc = gatun_run(tun_fd, 1400, "{\"server\": \"ss://...\"}", why, sizeof(why));
 *
 * One instance per process (lwIP's state is global). gatun_run() blocks: give
 * it a thread, or a process, of its own.
 */
#ifndef GATUN_H
#define GATUN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Drives the device until gatun_stop(). tun_fd: IFF_TUN and IFF_NO_PI without
 * IFF_VNET_HDR; it stays the caller's and is left open. mtu: the device's. config: JSON as in
 * gatun(1), `server` at least; its problems go to `why`, a line each, and so
 * does whatever else is in the way.
 * Returns 0 after gatun_stop(), -EINVAL for a bad config, -EBUSY if one runs
 * already, or another -errno.
 */
int gatun_run(int tun_fd, int mtu, const char *config, char *why, size_t why_size);

/* Makes gatun_run() return soon. From any thread or signal handler; a no-op
 * when nothing runs, and as often as you like. */
void gatun_stop(void);

/* Flows: those open now, and all that were opened. Bytes are payload; up is what came from the device. */
struct gatun_stats {
	uint64_t tcp_active, tcp_opened, tcp_bytes_up, tcp_bytes_down;
	uint64_t udp_active, udp_opened, udp_bytes_up, udp_bytes_down;
};
/* What flowed since gatun_run() began; after its end the last figures stay. Call it from the
 * same thread, or take figures that may be a moment old. */
void gatun_get_stats(struct gatun_stats *);

#ifdef __cplusplus
}
#endif
#endif
