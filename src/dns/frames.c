/*
 * See frames.h. A message that arrives whole is handed on where it lies; only
 * one that is cut is copied, into a buffer of its exact size, which is freed
 * with the message: an idle connection holds none.
 */
#include "dns/frames.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#define PREFIX 2u

void dns_frames_clear(struct dns_frames *f)
{
	free(f->buf);
	*f = (struct dns_frames){ 0 };
}

static size_t frame_len(const uint8_t *p)
{
	return PREFIX + ((size_t)p[0] << 8 | p[1]);
}

static int grow(struct dns_frames *f, size_t room)
{
	uint8_t *buf;

	if (f->room >= room)
		return 0;
	buf = realloc(f->buf, room);
	if (!buf)
		return -ENOMEM;
	f->buf = buf;
	f->room = (uint32_t)room;
	return 0;
}

/* Appends until the frame at hand has `want` bytes. Returns the bytes used, or -ENOMEM. */
static ssize_t fill(struct dns_frames *f, const uint8_t *data, size_t len, size_t want)
{
	size_t n = want - f->len < len ? want - f->len : len;

	if (grow(f, want) < 0)
		return -ENOMEM;
	memcpy(f->buf + f->len, data, n);
	f->len += (uint32_t)n;
	return (ssize_t)n;
}

/* Hands on the kept frame, which is whole. */
static bool deliver_kept(struct dns_frames *f, dns_frames_message *message, void *owner)
{
	uint8_t *buf = f->buf;
	size_t len = f->len;
	bool more;

	*f = (struct dns_frames){ 0 };
	more = message(owner, buf + PREFIX, len - PREFIX);
	free(buf);
	return more;
}

int dns_frames_feed(struct dns_frames *f, const uint8_t *data, size_t len, size_t *taken, dns_frames_message *message,
		    void *owner)
{
	size_t at = 0;
	bool more = true;

	while (more && at < len) {
		if (!f->len && len - at >= PREFIX && len - at >= frame_len(data + at)) {
			size_t n = frame_len(data + at);

			more = message(owner, data + at + PREFIX, n - PREFIX);
			at += n;
			continue;
		}
		ssize_t n = fill(f, data + at, len - at, f->len < PREFIX ? PREFIX : frame_len(f->buf));
		if (n < 0)
			return (int)n;
		at += (size_t)n;
		if (f->len >= PREFIX && f->len == frame_len(f->buf))
			more = deliver_kept(f, message, owner);
	}
	*taken = at;
	return 0;
}
