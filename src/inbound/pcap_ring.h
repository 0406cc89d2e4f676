/*
 * --pcap FILE: what the TUN saw, for tcpdump and Wireshark (classic pcap,
 * LINKTYPE_RAW). A ring of two files: FILE is written until it holds half of
 * the limit, then becomes FILE.1 (replacing the one before), and FILE starts
 * anew; so the last half of the limit at least is always there, in order, and
 * each file opens by itself. Packets gather in memory and are written once per
 * 256 KiB or 200 ms, not once per packet. Super-packets appear whole, and what
 * the kernel checksums later appears without its checksum, as with tcpdump.
 */
#ifndef GATUN_INBOUND_PCAP_RING_H
#define GATUN_INBOUND_PCAP_RING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct pcap_ring;

/* limit: bytes of both files together, at least 1 MiB is used. Readable by the
 * owner alone. NULL: errno tells. */
struct pcap_ring *pcap_ring_open(const char *file, uint32_t limit);
/* One packet, from its IP header on. Never fails: what cannot be written is
 * dropped, and the first time is logged. */
void pcap_ring_append(struct pcap_ring *, const struct iovec *iov, int n);
/* Writes what is still in memory, and closes. */
void pcap_ring_close(struct pcap_ring *);

#endif
