/* The ring of two pcap files: see pcap_ring.h. It knows bytes and files; the
 * only packets that it looks into are its own record headers. */
#include "inbound/pcap_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "loop/loop.h"

#define BUFFER_SIZE (256u * 1024)
#define FLUSH_MS 200
#define LIMIT_MIN (1024u * 1024)
#define SNAPLEN 65535u

/* https://www.tcpdump.org/manpages/pcap-savefile.5.html, host byte order */
struct file_header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, accuracy, snaplen, linktype;
};

struct record_header {
	uint32_t sec, nsec, caplen, len;
};

#define MAGIC_NSEC 0xa1b23c4du
#define LINKTYPE_RAW 101u

struct pcap_ring {
	struct loop_timer timer;
	char *file, *older;
	int fd;
	uint32_t half;	  /* a file's share of the limit */
	uint32_t written; /* to the current file */
	uint32_t used;	  /* of buffer */
	uint8_t buffer[BUFFER_SIZE];
};

static void write_all(struct pcap_ring *r, const uint8_t *data, size_t len)
{
	while (len && r->fd >= 0) {
		ssize_t n = write(r->fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			log_warn("the packet capture stops here: cannot write err=%s", err_name(errno));
			close(r->fd);
			r->fd = -1;
			return;
		}
		data += n;
		len -= (size_t)n;
	}
}

/* Opens an empty FILE with its header. 0 or -errno. */
static int start_file(struct pcap_ring *r)
{
	struct file_header h = { .magic = MAGIC_NSEC, .major = 2, .minor = 4, .snaplen = SNAPLEN, .linktype = LINKTYPE_RAW };

	r->fd = open(r->file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (r->fd < 0)
		return -errno;
	r->written = sizeof(h);
	write_all(r, (const uint8_t *)&h, sizeof(h));
	return 0;
}

static void flush(struct pcap_ring *r)
{
	write_all(r, r->buffer, r->used);
	r->written += r->used;
	r->used = 0;
	if (r->fd < 0 || r->written < r->half)
		return;
	close(r->fd);
	r->fd = -1;
	if (rename(r->file, r->older) < 0 || start_file(r) < 0)
		log_warn("the packet capture stops here: cannot start a new file err=%s", err_name(errno));
}

static void on_timer(struct loop_timer *t)
{
	flush(container_of(t, struct pcap_ring, timer));
}

static void put(struct pcap_ring *r, const void *data, size_t len)
{
	memcpy(r->buffer + r->used, data, len);
	r->used += (uint32_t)len;
}

void pcap_ring_append(struct pcap_ring *r, const struct iovec *iov, int n)
{
	struct record_header h;
	struct timespec now;
	size_t len = 0;

	if (r->fd < 0)
		return;
	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	if (len > SNAPLEN)
		return;
	if (r->used + sizeof(h) + len > BUFFER_SIZE)
		flush(r);
	clock_gettime(CLOCK_REALTIME, &now);
	h = (struct record_header){ (uint32_t)now.tv_sec, (uint32_t)now.tv_nsec, (uint32_t)len, (uint32_t)len };
	put(r, &h, sizeof(h));
	for (int i = 0; i < n; i++)
		put(r, iov[i].iov_base, iov[i].iov_len);
	if (!loop_timer_armed(&r->timer))
		loop_timer_start(&r->timer, FLUSH_MS, on_timer);
}

static struct pcap_ring *discard(struct pcap_ring *r, int err)
{
	if (r) {
		free(r->file);
		free(r->older);
	}
	free(r);
	errno = err;
	return NULL;
}

struct pcap_ring *pcap_ring_open(const char *file, uint32_t limit)
{
	struct pcap_ring *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return NULL;
	r->file = strdup(file);
	if (!r->file || asprintf(&r->older, "%s.1", file) < 0) {
		r->older = NULL;
		return discard(r, ENOMEM);
	}
	r->half = (limit < LIMIT_MIN ? LIMIT_MIN : limit) / 2;
	err = start_file(r);
	return err ? discard(r, -err) : r;
}

void pcap_ring_close(struct pcap_ring *r)
{
	if (!r)
		return;
	loop_timer_stop(&r->timer);
	flush(r);
	if (r->fd >= 0)
		close(r->fd);
	discard(r, 0);
}
