/*
 * The TUN device: batches of packets in, single packets or GSO super-packets
 * out, with or without virtio_net_hdr, as the kernel offers. It parses and
 * validates IP and L4 headers once (struct packet) and hands TCP to the stack,
 * UDP to tun_udp, ICMP to icmp, fragments to reassembly. It knows no flows.
 */
#ifndef GATUN_INBOUND_TUN_H
#define GATUN_INBOUND_TUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/addr.h"
#include "io/slice.h"
#include "sys/tundev.h"

struct tun;

/* One validated packet. The payload slice refers to the buffer it was read
 * into; a layer that keeps it takes a reference. */
struct packet {
	uint8_t version;	 /* 4 or 6 */
	uint8_t proto;		 /* IPPROTO_TCP, UDP, ICMP, ICMPV6 */
	uint8_t hop_limit;
	bool dont_fragment;	 /* IPv4 DF; true for IPv6, unless it came in parts */
	struct addr src, dst;	 /* ports filled for TCP and UDP */
	struct slice ip;	 /* from the IP header to the end of the packet */
	uint32_t l4;		 /* offset of the transport header within ip */
	uint16_t gso_size;	 /* 0, or the segment size of a super-packet */
	bool l4_csum_ok;	 /* already verified, or not needed (NEEDS_CSUM, DATA_VALID) */
	bool fragment;		 /* a part of a datagram: proto is the datagram's, ports are 0 */
	bool more_frags;	 /* not the last part */
	uint16_t frag_off;	 /* in bytes, where ip.data + l4 belongs in the datagram's payload */
	uint32_t frag_id;
};

/* Handlers of one device. Called from the loop while it reads a batch;
 * batch_end after the last packet of each batch. */
struct tun_handlers {
	void (*tcp)(void *owner, const struct packet *);
	void (*udp)(void *owner, const struct packet *);
	void (*icmp)(void *owner, const struct packet *);
	/* A fragment of any protocol. Once whole, the datagram comes back by
	 * tun_inject(). NULL: fragments are dropped and counted. */
	void (*fragment)(void *owner, const struct packet *);
	void (*batch_end)(void *owner);
	void *owner;
};

/* Takes ownership of fd on success. NULL: errno tells. */
struct tun *tun_new(int fd, struct tun_features features, int mtu, const struct tun_handlers *);
void tun_free(struct tun *);
int tun_mtu(const struct tun *);
/* The device's MTU is another one now. */
void tun_set_mtu(struct tun *, int mtu);
struct tun_features tun_features(const struct tun *);

/* Writes one packet of at most 96 pieces and 65,535 bytes: iov[0] starts with the IP header (and holds IP and L4
 * headers whole). gso_size 0: an ordinary packet. csum: the L4 checksum field
 * holds the pseudo-header sum and the kernel is to finish it (only with
 * vnet_hdr; without, tun_write finishes it itself, and splits super-packets).
 * Returns 0, -EAGAIN/-ENOBUFS (dropped, counted), or -EINVAL. */
int tun_write(struct tun *, const struct iovec *iov, int n, uint16_t gso_size, bool csum);

/* Validates an IP packet that did not come from the device (a reassembled
 * datagram) and hands it to the handlers like one that did, without the batch
 * end. Its checksums are verified. Borrows the slice. */
void tun_inject(struct tun *, struct slice ip_packet);
/* A packet that came to another worker's queue (tun_owners.h), with what the kernel said of it
 * there; and the batch ends. */
void tun_inject_from(struct tun *, struct slice ip_packet, uint16_t gso_size, bool l4_csum_ok);

/* Workers share the device: what came to this queue for want of ports goes to its owner; NULL
 * stops. Set by tun_owners_join(). */
struct tun_owners;
void tun_set_owners(struct tun *, struct tun_owners *);

/* Every packet read and written is also appended here; NULL stops. */
struct pcap_ring;
void tun_set_pcap(struct tun *, struct pcap_ring *);

struct tun_counters {
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
	uint64_t rx_malformed, rx_bad_checksum, tx_dropped;
};
const struct tun_counters *tun_counters(const struct tun *);

#endif
