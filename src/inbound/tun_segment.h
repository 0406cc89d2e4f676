/*
 * What the kernel does for us where the device has a virtio_net_hdr, in
 * software where it has not: cutting super-packets and finishing checksums.
 */
#ifndef GATUN_INBOUND_TUN_SEGMENT_H
#define GATUN_INBOUND_TUN_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

/* Where the parts of a packet that we built begin; from its first bytes. */
struct tun_layout {
	uint8_t version, proto;
	uint32_t l4;	  /* offset of the transport header */
	uint32_t headers; /* IP and transport headers together */
};
/* head: the first iovec of a packet of ours, whole headers within. -EINVAL: not so. */
int tun_layout_of(const struct iovec *head, struct tun_layout *out);

/* Puts the transport checksum in place of the pseudo sum that stands there, in
 * a packet that lies in one piece. */
void tun_finish_checksum(uint8_t *packet, uint32_t len, const struct tun_layout *);

/* Cuts a TCP or UDP super-packet, in one piece, into packets of gso_size
 * payload bytes, each with its own headers and checksums, and hands each to
 * `emit` (0, or -errno that stops). */
int tun_cut(uint8_t *packet, uint32_t len, const struct tun_layout *, uint16_t gso_size,
	    int (*emit)(void *owner, const uint8_t *packet, uint32_t len), void *owner);

#endif
