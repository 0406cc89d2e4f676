/*
 * Bytes in motion: counted buffers, and slices that refer to them.
 *
 * A byte is copied into a buf once (read or recv) and out of one once (send or
 * write); between the two only slices move. Whoever is handed slices by a call
 * borrows them for that call and takes a reference (slice_ref) to keep one.
 * The reader of a stream's data may overwrite the bytes in place (that is how
 * a chunk is opened); nobody else may.
 *
 * Pools hand out three sizes and keep the most recently used ones warm; a pool
 * that was large returns memory to the system some seconds after it was busy
 * (buf_pool_trim). Nothing here is per flow: an idle flow holds no buffer.
 */
#ifndef GATUN_IO_SLICE_H
#define GATUN_IO_SLICE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf {
	uint32_t refs;
	uint32_t size;		      /* bytes at data */
	void (*release)(struct buf *); /* at the last unref */
	uint8_t *data;
	struct buf *next; /* the pool's */
	void *block;	  /* the pool's */
};

struct slice {
	struct buf *buf;
	uint32_t off, len;
};

/* Usable sizes. BUF_LARGE holds a 64 KiB super-packet with its headers, and a
 * whole SIP022 chunk (2 + 16 + 65535 + 16) besides. */
#define BUF_SMALL 2048u
#define BUF_MEDIUM (16u * 1024 + 512)
#define BUF_LARGE (128u * 1024)

/* A buffer of at least `size` bytes (<= BUF_LARGE), one reference, contents
 * undefined, data aligned to 64. NULL when memory or the budget is exhausted. */
struct buf *buf_get(uint32_t size);
static inline struct buf *buf_ref(struct buf *b)
{
	b->refs++;
	return b;
}
static inline void buf_unref(struct buf *b)
{
	if (--b->refs == 0)
		b->release(b);
}
/* Bytes now handed out, and bytes kept for reuse. */
size_t buf_pool_used(void);
size_t buf_pool_kept(void);
/* Gives back to the system what stayed unused since the last call. Called by a
 * slow timer. */
void buf_pool_trim(void);
/* Ceiling on bytes handed out; buf_get returns NULL above it. 0 = none. */
void buf_pool_set_budget(size_t bytes);

static inline uint8_t *slice_data(const struct slice *s) { return s->buf->data + s->off; }
static inline struct slice slice_ref(struct slice s)
{
	buf_ref(s.buf);
	return s;
}
static inline void slice_unref(struct slice s) { buf_unref(s.buf); }
static inline size_t slices_len(const struct slice *s, int n)
{
	size_t len = 0;
	for (int i = 0; i < n; i++)
		len += s[i].len;
	return len;
}

/* A FIFO of owned slices, in chunks from a small pool; empty = no memory. */
struct slice_queue {
	struct slice_chunk *head, *tail;
	size_t bytes;
};
/* Takes a reference to each. 0 or -ENOMEM (then nothing was queued). */
int slice_queue_push(struct slice_queue *q, const struct slice *s, int n);
/* The same without the first `skip` bytes: what somebody did not take. */
int slice_queue_push_rest(struct slice_queue *q, const struct slice *s, int n, size_t skip);
/* Drops `bytes` from the front, releasing slices that are wholly consumed. */
void slice_queue_drop(struct slice_queue *q, size_t bytes);
/* Fills up to `max` borrowed slices from the front; returns how many. */
int slice_queue_peek(const struct slice_queue *q, struct slice *out, int max);
void slice_queue_clear(struct slice_queue *q);

#endif
