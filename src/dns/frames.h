/* DNS messages in a byte stream: each behind its length in two bytes (RFC 1035
 * section 4.2.2). Reassembles what arrives in any pieces. */
#ifndef GATUN_DNS_FRAMES_H
#define GATUN_DNS_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dns_frames {
	uint8_t *buf; /* an unfinished frame, its length included; NULL between frames */
	uint32_t len, room;
};

/* A whole message, borrowed for the call. False: stop here (the frames may be
 * gone by then and are not touched again in this call). */
typedef bool dns_frames_message(void *owner, const uint8_t *msg, size_t len);

/* Feeds bytes; returns how many were taken: all, unless `message` said stop.
 * -ENOMEM: the frame at hand cannot be kept. */
int dns_frames_feed(struct dns_frames *f, const uint8_t *data, size_t len, size_t *taken, dns_frames_message *message,
		    void *owner);
void dns_frames_clear(struct dns_frames *f);

#endif
